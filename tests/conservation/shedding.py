"""A world whose store is full now and then: engagement is given up, by two replicas at once, in the same storm.

The law: no conversion and nothing leased is ever given up, and exactly what the books call shed never arrived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import orjson

from relay.core.event import EntryClass, Shed, StreamKey
from relay.engine.shedder import Shedder
from relay.ports import Overflow, Owed
from tests.conservation.watch import LawBroken, Witness
from tests.conservation.world import Replica, World
from tests.twins.weather import WeatheredOverflow

DELIVERED = (EntryClass.ENGAGEMENT, "delivered")


@dataclass
class WatchedOverflow:
    """``ports.Overflow`` under observation. ``wanted``: entries to give up until there is room.

    ``alone``: nothing else happens during a call, so that what is leased can be compared.
    """

    overflow: Overflow
    owed: Owed
    witness: Witness
    before: Callable[[], Awaitable[None]]
    alone: bool
    wanted: int = 0

    @property
    def pressed(self) -> bool:
        return self.wanted > 0

    async def shed(self) -> Shed | None:
        await self.before()
        leased = await self._leased()
        shed = await self.overflow.shed()
        if self.alone and await self._leased() != leased:
            raise LawBroken("an entry was given up although it was leased")
        if shed is None:
            self.wanted = 0
            return None
        if shed.stream.klass is not EntryClass.ENGAGEMENT:
            raise LawBroken("a conversion was given up")
        self.wanted -= shed.count
        self.witness.settled[shed.stream, "shed"] += shed.count
        return shed

    async def _leased(self) -> list[int]:
        return [one.leased for one in (await self.owed.survey()).streams] if self.alone else []


@dataclass
class SheddingWorld(World):
    """A shedder beside each replica's delivery."""

    storm = frozenset({"shed", "engagement delivered"})

    unsure: set[tuple[str, str]] = field(default_factory=set)  # may have arrived although they were shed

    def __post_init__(self) -> None:
        super().__post_init__()
        stage = self.stage
        self.overflow = WatchedOverflow(stage.store.overflow, stage.store.owed, self.witness, stage.before, stage.alone)

    def beside(self, replica: Replica) -> list[Coroutine[Any, Any, None]]:
        shedder = Shedder(WeatheredOverflow(self.overflow, replica.weather), self.clock, self.told.append)
        return [shedder.run(replica.stopping)]

    def seen(self) -> Counter[str]:
        settled = self.witness.settled
        engagement = sum(n for (one, end), n in settled.items() if (one.klass, end) == DELIVERED)
        return super().seen() + Counter({"engagement delivered": engagement})

    def more_deeds(self) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
        return [(35, self.fill_up)]

    async def fill_up(self) -> None:
        self.overflow.wanted = self.dice.choice((1, 5, 20, 60))
        await self.clock.advance(self.dice.choice((0.1, 0.5, 2.0)))

    async def tidy(self) -> None:
        """A letter that is requeued may have arrived before, and be shed all the same."""
        for name in self.names:
            letters = await self.letters.list(name, limit=100_000)
            self.unsure |= {(name, orjson.loads(one.raw)["id"]) for one in letters}
        await super().tidy()

    async def heal(self) -> None:
        self.overflow.wanted = 0
        await super().heal()

    def may_lapse(self, stream: StreamKey, id_: str) -> bool:
        return stream.klass is EntryClass.ENGAGEMENT

    async def account(self) -> None:
        await super().account()
        shed = sum(stream.books.get("shed", 0) for stream in (await self.store.owed.survey()).streams)
        dead = {
            (name, orjson.loads(letter.raw)["id"])
            for name in self.names
            for letter in await self.letters.list(name, limit=100_000)
        }
        gone = unsure = 0
        for (stream, id_), event in self.owed_events.items():
            key, names = (stream.destination, id_), event.get("names", ["Purchase"])
            counted = self.tiktoks[stream.destination].counted
            if stream.klass is not EntryClass.ENGAGEMENT or key in dead:
                continue
            if not names or key in self.unsure:
                unsure += 1
            elif not all(counted[f"{name}/{id_}"] for name in names):
                gone += 1
        assert gone <= shed <= gone + unsure, f"seed {self.seed}: {shed} shed, {gone} gone, {unsure} unsure"
