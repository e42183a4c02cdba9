"""Faults between destinations: one's entries, books, ids, letters, gates or calls are taken for another's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.core.delivery.batch import Batch
from relay.core.delivery.gate import GateRecord
from relay.core.delivery.mode import ModeRecord
from relay.core.event import DeadLetter, Entry, Lease, NewEntry, Settled, Settlement, StreamKey
from relay.core.tiktok.verdict import Judgement
from relay.engine.consignment import Consignment
from tests.twins.memory import MemoryDeadLetters, MemoryGates, MemoryInbox, MemoryModes, MemoryOwed
from tests.twins.shelves import State, Stream, text


def settled_in_the_stream_of_another(patch: pytest.MonkeyPatch) -> None:
    """A lease is found by its first id alone, and two streams may have that."""
    honest = MemoryOwed.settle

    async def settle(self: MemoryOwed, lease: Lease, settlement: Settlement) -> Settled:
        for key, one in self._state.streams.items():
            held = [text(first) for first in one.leases]
            if key.klass is lease.stream.klass and lease.first_id in held:
                return await honest(self, replace(lease, stream=key), settlement)
        return await honest(self, lease, settlement)

    patch.setattr(MemoryOwed, "settle", settle)


def ended_for_all_that_want_it(patch: pytest.MonkeyPatch) -> None:
    """Delivered to one, and the others' entries of the same event end as delivered, too. Every book balances."""
    honest = MemoryOwed.settle

    async def settle(self: MemoryOwed, lease: Lease, settlement: Settlement) -> Settled:
        raws = {entry.id: entry.raw for entry in self._state.stream(lease.stream).entries.values()}
        settled = await honest(self, lease, settlement)
        gone = {raws.get(id_) for id_ in settlement.delivered} if settled.held else set()
        for one in self._state.streams.values():
            for id_ in [id_ for id_ in one.ids if one.entries[id_].raw in gone]:
                self._end(one, text(id_), "delivered")
        return settled

    patch.setattr(MemoryOwed, "settle", settle)


def counted_in_the_books_of_another(patch: pytest.MonkeyPatch) -> None:
    """Removed here, counted there; the sum of all books is right."""
    honest = MemoryOwed.settle

    async def settle(self: MemoryOwed, lease: Lease, settlement: Settlement) -> Settled:
        settled = await honest(self, lease, settlement)
        other = next(key for key in self._state.streams if key.destination != lease.stream.destination)
        self._state.stream(lease.stream).books["delivered"] -= settled.delivered
        self._state.stream(other).books["delivered"] += settled.delivered
        return settled

    patch.setattr(MemoryOwed, "settle", settle)


def known_to_one_taken_for_known_to_all(patch: pytest.MonkeyPatch) -> None:
    """The digest of an id leaves the destination out."""
    honest = MemoryInbox._owe

    def owe(self: MemoryInbox, new: NewEntry, now: int) -> bool:
        if any(id_ == new.event_id for ids in self._state.seen.values() for _, id_ in ids):
            self._state.stream(new.stream).books["duplicates"] += 1
            return False
        return honest(self, new, now)

    patch.setattr(MemoryInbox, "_owe", owe)


def a_resend_wanted_anew_is_owed_to_all(patch: pytest.MonkeyPatch) -> None:
    """One destination that does not know the event makes it new for those that do."""
    honest = MemoryInbox.append

    async def append(self: MemoryInbox, entries: Sequence[NewEntry], rejects: Sequence[object] = ()) -> list[bool]:
        flags = await honest(self, entries)
        fresh = {new.event_id for new, flag in zip(entries, flags, strict=True) if flag}
        for place, new in enumerate(entries):
            if new.event_id in fresh and not flags[place]:
                flags[place] = True
                one = self._state.stream(new.stream)
                one.books["accepted"] += 1
                one.add(self._state.clock.now_ms(), Entry("", new.raw, new.received_ms, new.source, new.worth))
        return flags

    patch.setattr(MemoryInbox, "append", append)


def requeued_and_kept(patch: pytest.MonkeyPatch) -> None:
    """A letter that stays is requeued again and again; the books of entries balance."""
    honest = MemoryDeadLetters._owe_again

    def owe_again(self: MemoryDeadLetters, letters: dict[str, DeadLetter], id_: str, *, released: bool) -> bool:
        return honest(self, dict(letters), id_, released=released)

    patch.setattr(MemoryDeadLetters, "_owe_again", owe_again)


def requeued_for_another(patch: pytest.MonkeyPatch) -> None:
    """A requeued letter is owed to whoever comes first."""
    honest = State.stream

    async def requeue(self: MemoryDeadLetters, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        letters = self._state.dead.get(destination, {})
        first = next(iter(self._state.streams)).destination

        def stream(state: State, key: StreamKey) -> Stream:
            return honest(state, StreamKey(first, key.klass))

        with pytest.MonkeyPatch.context() as here:
            here.setattr(State, "stream", stream)
            return sum(self._owe_again(letters, id_, released=released) for id_ in ids)

    patch.setattr(MemoryDeadLetters, "requeue", requeue)


def one_gate_for_all(patch: pytest.MonkeyPatch) -> None:
    """A revoked token of one holds them all."""
    load, save = MemoryGates.load, MemoryGates.save

    async def load_one(self: MemoryGates, _: str) -> GateRecord:
        return await load(self, "*")

    async def save_one(self: MemoryGates, _: str, record: GateRecord, expected_version: int) -> bool:
        return await save(self, "*", record, expected_version)

    patch.setattr(MemoryGates, "load", load_one)
    patch.setattr(MemoryGates, "save", save_one)


def one_call_at_a_time_for_all(patch: pytest.MonkeyPatch) -> None:
    """Whoever hangs, hangs for everybody."""
    honest = Consignment._call
    locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def call(self: Consignment, batch: Batch) -> Judgement:
        async with locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            return await honest(self, batch)

    patch.setattr(Consignment, "_call", call)


def one_mode_for_all(patch: pytest.MonkeyPatch) -> None:
    """Who takes one over takes all windows along."""
    honest = MemoryModes._open

    def opened(self: MemoryModes, one: Stream, record: ModeRecord, stored: ModeRecord | None) -> None:
        for each in self._state.streams.values():
            honest(self, each, record, stored)

    patch.setattr(MemoryModes, "_open", opened)


FAULTS = (
    settled_in_the_stream_of_another,
    ended_for_all_that_want_it,
    counted_in_the_books_of_another,
    known_to_one_taken_for_known_to_all,
    a_resend_wanted_anew_is_owed_to_all,
    requeued_and_kept,
    requeued_for_another,
    one_gate_for_all,
    one_call_at_a_time_for_all,
    one_mode_for_all,
)
