"""Faults of modes: failovers, failbacks, lapses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import Lapsed, StreamKey
from tests.twins.memory import MemoryModes
from tests.twins.shelves import Id, Stream, Window


def lapses(patch: pytest.MonkeyPatch, chosen: Callable[[Stream, Id], bool], *, booked: bool = True) -> None:
    async def lapse(self: MemoryModes, stream: StreamKey) -> Lapsed:
        one = self._state.stream(stream)
        bound = self._state.clock.now_ms() - self._retention_ms
        gone = [id_ for id_ in one.ids if max(id_[0], one.entries[id_].received_ms) <= bound and chosen(one, id_)]
        for id_ in gone:
            one.remove(id_)
        one.books["lapsed"] += len(gone) * booked
        return Lapsed(len(gone))

    patch.setattr(MemoryModes, "lapse", lapse)


def leased(one: Stream, id_: Id) -> bool:
    return any(held.first <= id_ <= held.last for held in one.leases.values())


def a_leased_entry_lapses(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: leased(one, id_) or not one.window.holds(id_))


def what_was_taken_over_lapses(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: not leased(one, id_))


def lapsed_without_a_line_in_the_books(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: not leased(one, id_) and not one.window.holds(id_), booked=False)


def entries_at_the_boundary_forgotten(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryModes._first

    def first(one: Stream, since_ms: int, former: Id | None) -> Id:
        found = honest(one, since_ms, former)
        return (found[0], found[1] + 1)

    patch.setattr(MemoryModes, "_first", staticmethod(first))


def a_failover_without_a_future(patch: pytest.MonkeyPatch) -> None:
    """It takes over what there is, and not what comes."""
    honest = MemoryModes._open

    def opened(self: MemoryModes, one: Stream, record: ModeRecord, stored: ModeRecord | None) -> None:
        honest(self, one, record, stored)
        if record.mode is Mode.FAILOVER:
            one.window.last = one.sequence.last

    patch.setattr(MemoryModes, "_open", opened)


def a_failover_forgets_the_failback_before(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryModes._first
    patch.setattr(MemoryModes, "_first", staticmethod(lambda one, since_ms, _: honest(one, since_ms, None)))
    patch.setattr("relay.engine.standby.failed_over", anew)


def anew(record: ModeRecord, since_ms: int) -> ModeRecord:
    return ModeRecord(Mode.FAILOVER, record.version, since_ms)


def a_failback_stops_before_finishing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryModes, "_early", lambda *_: False)


def who_stands_by_claims(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stream, "claimable", lambda self: (0, len(self.ids)))
    patch.setattr(Window, "holds", lambda *_: True)


FAULTS = (
    a_leased_entry_lapses,
    what_was_taken_over_lapses,
    lapsed_without_a_line_in_the_books,
    entries_at_the_boundary_forgotten,
    a_failover_without_a_future,
    a_failover_forgets_the_failback_before,
    a_failback_stops_before_finishing,
    who_stands_by_claims,
)
