"""Delivery on twins: a working store, a TikTok that follows a script, a clock that moves when told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from relay.core.event import NO_WORTH, EntryClass, NewEntry, StreamKey, StreamSurvey, Worth
from relay.core.notices import (
    EntriesBuried,
    EntriesDelivered,
    EntriesForgotten,
    EntriesLapsed,
    EntriesShed,
    EntriesUnmatched,
    GateMoved,
    Notice,
)
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts, Destination
from relay.engine.suppression import Suppression
from relay.ports import GateStore, Owed, Sender
from tests.twins.clock import Dice, FakeClock
from tests.twins.memory import MemoryStore
from tests.twins.tiktok import PlainMapping, ScriptedTikTok

CONVERSION, ENGAGEMENT = EntryClass.CONVERSION, EntryClass.ENGAGEMENT
T = TypeVar("T")


def streams_of(*names: str) -> list[StreamKey]:
    return [StreamKey(name, klass) for name in names for klass in EntryClass]


@dataclass
class Rig:
    """What a test needs at hand."""

    names: tuple[str, ...] = ("d",)
    clock: FakeClock = field(default_factory=FakeClock)
    tiktok: ScriptedTikTok = field(default_factory=ScriptedTikTok)
    told: list[Notice] = field(default_factory=list)
    store: MemoryStore = field(init=False)
    suppression: Suppression = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore(streams_of(*self.names), self.clock)
        self.suppression = Suppression(self.store.suppressions, self.clock, self.told.append)

    def destination(self, name: str = "d", sender: Sender | None = None, **settings: Any) -> Destination:
        return Destination(name, PlainMapping(), sender or self.tiktok, **settings)

    @asynccontextmanager
    async def running(
        self,
        *destinations: Destination,
        replica: str = "r1",
        owed: Owed | None = None,
        gates: GateStore | None = None,
    ) -> AsyncIterator[Delivery]:
        """Delivery until the block ends; it must then stop within its drain time and a little."""
        store = self.store
        parts = DeliveryParts(
            owed or store.owed,
            gates or store.gates,
            self.clock,
            Dice(),
            self.told.append,
            store.modes,
            store.roster,
            self.suppression,
        )
        delivery = Delivery(destinations or (self.destination(),), parts, DeliveryOptions(replica))
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(delivery.run(stopping))
            yield delivery
            stopping.set()
            await self.clock.advance(16)
            assert run.done(), "delivery does not stop"

    async def owe(
        self,
        count: int = 1,
        *,
        name: str = "d",
        klass: EntryClass = CONVERSION,
        worth: Worth = NO_WORTH,
        received_ms: int | None = None,
        **event: Any,
    ) -> list[str]:
        """Append events; returns their ids."""
        ids = [str(self.count + n) for n in range(count)]
        self.count += count
        received = self.clock.now_ms() if received_ms is None else received_ms
        new = [
            NewEntry(StreamKey(name, klass), id_, orjson.dumps({"id": id_, **event}), received, "s", worth)
            for id_ in ids
        ]
        await self.store.inbox.append(new)
        return ids

    async def books(self, name: str = "d", klass: EntryClass = CONVERSION) -> dict[str, int]:
        """The ledger and what is owed."""
        survey = await self.survey(name, klass)
        assert survey.unbalanced == 0
        return {**survey.books, "owed": survey.owed}

    async def survey(self, name: str = "d", klass: EntryClass = CONVERSION) -> StreamSurvey:
        streams = (await self.store.owed.survey()).streams
        return next(one for one in streams if one.stream == StreamKey(name, klass))

    def heard(self, kind: type[T]) -> list[T]:
        """Notices of one kind."""
        return [notice for notice in self.told if isinstance(notice, kind)]

    def gate_moves(self) -> list[tuple[str, str]]:
        return [(notice.before, notice.after) for notice in self.heard(GateMoved)]


def told_ledger(told: Sequence[Notice]) -> Counter[tuple[StreamKey, str]]:
    """What the notices say has ended."""
    ledger = Counter[tuple[StreamKey, str]]()
    for notice in told:
        match notice:
            case EntriesDelivered():
                ledger[notice.stream, "delivered"] += len(notice.delays)
            case EntriesBuried():
                ledger[notice.stream, f"dead:{notice.reason.value}"] += notice.count
            case EntriesUnmatched():
                ledger[notice.stream, "unmatched"] += notice.count
            case EntriesForgotten():
                ledger[notice.stream, "forgotten"] += notice.count
            case EntriesLapsed():
                ledger[notice.stream, "lapsed"] += notice.count
            case EntriesShed():
                ledger[notice.stream, "shed"] += notice.count
            case _:
                pass
    return ledger
