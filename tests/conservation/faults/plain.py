"""Faults of claims, settlements, dead letters and doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relay.core.delivery.account import Account
from relay.core.delivery.clocks import Clocks
from relay.core.event import Burial, Claimed, DeadLetter, Lane, Lease, Rest, Settled, Settlement, StreamKey
from relay.core.tiktok import table
from tests.twins.memory import MemoryDeadLetters, MemoryOwed
from tests.twins.shelves import Held, Id, Stream, parse


def settle_twice(patch: pytest.MonkeyPatch) -> None:
    """A repetition counts again."""

    def end(one: Stream, id_: str, counter: str) -> bool:
        one.remove(parse(id_))
        one.books[counter] += 1
        return True

    patch.setattr(MemoryOwed, "_end", staticmethod(end))


def ledger_off_by_one(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOwed._end

    def end(one: Stream, id_: str, counter: str) -> bool:
        ended = honest(one, id_, counter)
        one.books[counter] += ended and one.books[counter] % 50 == 49
        return ended

    patch.setattr(MemoryOwed, "_end", staticmethod(end))


def first_claim_forgotten(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOwed._lease

    def lease(self: MemoryOwed, one: Stream, due: Held | None, ids: list[Id], taken: list[Id], now: int) -> Held:
        held = honest(self, one, due, ids, taken, now)
        held.first_ms = now
        return held

    patch.setattr(MemoryOwed, "_lease", lease)


def mark_not_moved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stream, "move_mark", lambda *_: None)


def owner_instead_of_number(patch: pytest.MonkeyPatch) -> None:
    """Whoever once held the range may settle it."""
    honest = MemoryOwed.settle

    async def settle(self: MemoryOwed, lease: Lease, settlement: Settlement) -> Settled:
        held = self._state.stream(lease.stream).leases.get(parse(lease.first_id))
        wide = held is not None and held.last >= parse(lease.last_id)
        return await honest(self, replace(lease, number=held.number) if held and wide else lease, settlement)

    patch.setattr(MemoryOwed, "settle", settle)


def buried_as_delivered(patch: pytest.MonkeyPatch) -> None:
    """A dead letter that is never written."""

    def bury(self: MemoryOwed, one: Stream, stream: StreamKey, burial: Burial) -> bool:
        return self._end(one, burial.entry_id, "delivered")

    patch.setattr(MemoryOwed, "_bury", bury)


def fault_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(table.CODES, 50000, table.OK)


def doubt_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The engine says that nothing was stored when it does not know."""
    patch.setattr(Account, "rest", property(lambda _: Rest.UNCLAIM))


def second_claim_taken_for_a_first(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOwed.claim

    async def claim(
        self: MemoryOwed, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        claimed = await honest(self, stream, lane, limit, max_bytes, probe=probe)
        return claimed and replace(claimed, fresh=True)

    patch.setattr(MemoryOwed, "claim", claim)


def buried_without_doubt(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOwed._bury

    def bury(self: MemoryOwed, one: Stream, stream: StreamKey, burial: Burial) -> bool:
        return honest(self, one, stream, replace(burial, first_ms=0))

    patch.setattr(MemoryOwed, "_bury", bury)


def requeued_without_doubt(patch: pytest.MonkeyPatch) -> None:
    """As new as on its first day."""
    honest = MemoryDeadLetters._owe_again

    def owe_again(self: MemoryDeadLetters, letters: dict[str, DeadLetter], id_: str, *, released: bool) -> bool:
        letters[id_] = replace(letters[id_], first_ms=0)
        return honest(self, letters, id_, released=released)

    patch.setattr(MemoryDeadLetters, "_owe_again", owe_again)


def doubt_ignored(patch: pytest.MonkeyPatch) -> None:
    """The engine asks for the lease only, never for what the entry brought along."""
    patch.setattr(Account, "_first_ms", lambda self, _, *, doubt: self._claimed_ms if doubt else 0)


def released_without_a_word(patch: pytest.MonkeyPatch) -> None:
    """Every requeue is a release."""
    honest = MemoryDeadLetters._owe_again

    def owe_again(self: MemoryDeadLetters, letters: dict[str, DeadLetter], id_: str, *, released: bool) -> bool:
        return honest(self, letters, id_, released=True)

    patch.setattr(MemoryDeadLetters, "_owe_again", owe_again)


def release_ignored(patch: pytest.MonkeyPatch) -> None:
    honest = Clocks.ended
    patch.setattr(Clocks, "ended", lambda self, **told: honest(self, **(told | {"released": False})))


def accepted_items_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An entry is delivered when the first of its items is."""
    honest = Account._owe

    def owe(self: Account, entry: object, items: list[object]) -> None:
        honest(self, entry, items[:1])  # type: ignore[arg-type]

    patch.setattr(Account, "_owe", owe)


FAULTS = (
    settle_twice,
    ledger_off_by_one,
    first_claim_forgotten,
    mark_not_moved,
    owner_instead_of_number,
    buried_as_delivered,
    fault_taken_for_success,
    doubt_forgotten,
    accepted_items_forgotten,
    second_claim_taken_for_a_first,
    buried_without_doubt,
    requeued_without_doubt,
    doubt_ignored,
    released_without_a_word,
    release_ignored,
)
