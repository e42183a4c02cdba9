"""The keystone must hold weight: each of these faults, planted in the twin or the engine, is found by some seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.core.delivery.account import Account
from relay.core.event import Burial, Lease, Rest, Settled, Settlement, StreamKey
from relay.core.tiktok import table
from tests.conservation.test_conservation import STEPS, memory_world
from tests.twins.memory import MemoryOwed
from tests.twins.shelves import Held, Id, Stream, parse

SEEDS = 40


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

    def bury(self: MemoryOwed, one: Stream, held: Held, stream: StreamKey, burial: Burial) -> bool:
        return self._end(one, burial.entry_id, "delivered")

    patch.setattr(MemoryOwed, "_bury", bury)


def fault_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(table.CODES, 50000, table.OK)


def doubt_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The engine says that nothing was stored when it does not know."""
    patch.setattr(Account, "rest", property(lambda _: Rest.UNCLAIM))


def accepted_items_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An entry is delivered when the first of its items is."""
    honest = Account._owe

    def owe(self: Account, entry: object, items: list[object]) -> None:
        honest(self, entry, items[:1])  # type: ignore[arg-type]

    patch.setattr(Account, "_owe", owe)


@pytest.mark.parametrize(
    "plant",
    [
        settle_twice,
        ledger_off_by_one,
        first_claim_forgotten,
        mark_not_moved,
        owner_instead_of_number,
        buried_as_delivered,
        fault_taken_for_success,
        doubt_forgotten,
        accepted_items_forgotten,
    ],
)
async def test_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(SEEDS):
        try:
            await memory_world(seed).run(STEPS)
        except (AssertionError, ExceptionGroup):
            return
    pytest.fail(f"{plant.__name__} went unseen in {SEEDS} seeds")
