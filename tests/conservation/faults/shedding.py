"""Faults of shedding."""

from __future__ import annotations

import pytest

from relay.core.event import EntryClass, Shed, StreamKey
from tests.twins.memory import MemoryOverflow
from tests.twins.shelves import Id, Stream


def a_conversion_is_shed(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow._loose

    def loose(key: StreamKey, one: Stream) -> list[Id]:
        return honest(StreamKey(key.destination, EntryClass.ENGAGEMENT), one)

    patch.setattr(MemoryOverflow, "_loose", staticmethod(loose))


def a_leased_entry_is_shed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryOverflow, "_loose", staticmethod(lambda key, one: one.ids[:] if engaging(key) else []))


def engaging(key: StreamKey) -> bool:
    return key.klass is EntryClass.ENGAGEMENT


def what_tiktok_may_have_is_shed(patch: pytest.MonkeyPatch) -> None:
    """A lease that is due holds nothing any more."""

    def loose(key: StreamKey, one: Stream) -> list[Id]:
        now = {id_ for held in one.leases.values() if held.due_ms for id_ in one.inside(held.first, held.last)}
        return [id_ for id_ in one.ids if id_ not in now] if engaging(key) else []

    patch.setattr(MemoryOverflow, "_loose", staticmethod(loose))


def shed_without_a_line_in_the_books(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow._give_up

    def give_up(self: MemoryOverflow, stream: StreamKey, until_ms: int) -> int:
        count = honest(self, stream, until_ms)
        self._state.stream(stream).books["shed"] -= count
        return count

    patch.setattr(MemoryOverflow, "_give_up", give_up)


def more_is_told_than_was_shed(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow.shed

    async def shed(self: MemoryOverflow) -> Shed | None:
        done = await honest(self)
        return done and Shed(done.stream, done.count + 1)

    patch.setattr(MemoryOverflow, "shed", shed)


FAULTS = (
    a_conversion_is_shed,
    a_leased_entry_is_shed,
    what_tiktok_may_have_is_shed,
    shed_without_a_line_in_the_books,
    more_is_told_than_was_shed,
)
