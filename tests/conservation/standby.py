"""A world in which one destination stands by, and operators fail over and back at random.

The law: what was received from the moment of a failover on, and until the failback, ends delivered or dead, never
lapses, and is not owed any more when the failback has finished. Everything else stays unsent, and lapses in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import ModeBusy, StoreUnavailable
from relay.core.event import NewEntry, StreamKey
from relay.core.notices import FailbackFinished, FailoverStarted
from tests.conservation.stage import streams_of
from tests.conservation.watch import LawBroken
from tests.conservation.world import HOUR_S, World

NAME = "b"
STREAMS = streams_of((NAME,))
BACK_S = (0.0, 1.0, 5.0, 30.0, 60.0, 600.0, HOUR_S, 12 * HOUR_S, 30 * HOUR_S)
Key = tuple[StreamKey, str]


@dataclass
class StandbyWorld(World):
    """``must_end`` was taken over, ``may_go`` may have been sent; both of the destination that stands by."""

    storm = frozenset({"standby", "failover", "failback", "taken over", "lapsed"})

    must_end: set[Key] = field(default_factory=set)
    may_go: set[Key] = field(default_factory=set)
    turns: list[Mode] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.modes.turned = self.turned

    def settings(self, name: str) -> dict[str, Any]:
        return super().settings(name) | ({"mode": Mode.STANDBY} if name == NAME else {})

    def seen(self) -> Counter[str]:
        return (
            super().seen() + Counter([mode.value for mode in self.turns]) + Counter({"taken over": len(self.must_end)})
        )

    def more_deeds(self) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
        return [(14, self.fail_over), (10, self.fail_back)]

    async def fail_over(self) -> None:
        since_ms = self.clock.now_ms() - int(self.dice.choice(BACK_S) * 1000)
        if self.replicas:
            delivery = self.dice.choice(list(self.replicas.values())).delivery
            for _ in range(self.dice.choice((1, 1, 2))):  # who got no answer asks again
                with suppress(StoreUnavailable, ModeBusy):
                    await delivery.fail_over(NAME, since_ms)

    async def fail_back(self) -> None:
        if self.replicas:
            delivery = self.dice.choice(list(self.replicas.values())).delivery
            for _ in range(self.dice.choice((1, 1, 2))):
                with suppress(StoreUnavailable, ModeBusy):
                    await delivery.fail_back(NAME)

    async def turned(self, name: str, before: ModeRecord | None, after: ModeRecord) -> None:
        """Every record that was stored."""
        if name != NAME:
            return
        self.turns.append(after.mode)
        owed = {(stream, id_): at for stream in STREAMS for id_, at in (await self.stage.owed_now(stream)).items()}
        reached = {key for key, received_ms in owed.items() if received_ms >= after.since_ms}
        if after.mode is Mode.FAILOVER:
            self.must_end |= reached
        if after.mode in {Mode.FAILOVER, Mode.FAILBACK}:
            self.may_go |= reached | (self.brought & set(owed))  # what was put in after the moment goes along
        if after.mode is Mode.STANDBY and before is not None and (left := self.must_end & set(owed)):
            raise LawBroken(f"seed {self.seed}: a failback stopped before it had finished {len(left)} entries")

    async def receive(self, new: list[NewEntry]) -> None:
        before, known = await self._mode(), set(self.owed_events)
        await super().receive(new)
        fresh = {key for key in set(self.owed_events) - known if key[0].destination == NAME}
        modes = {before, await self._mode()}
        if modes == {Mode.FAILOVER}:
            self.must_end |= fresh
        if modes & {Mode.FAILOVER, Mode.FAILBACK}:
            self.may_go |= fresh

    async def _mode(self) -> Mode:
        record = await self.store.modes.load(NAME)
        return record.mode if record else Mode.STANDBY

    async def tidy(self) -> None:
        """A letter that is requeued begins anew: it stands by if the destination does."""
        before = await self._letters()
        await super().tidy()
        self.must_end -= before - await self._letters()

    async def _letters(self) -> set[Key]:
        letters = await self.letters.list(NAME, limit=100_000)
        return {(StreamKey(NAME, one.klass), orjson.loads(one.raw)["id"]) for one in letters if one.klass}

    async def check(self) -> None:
        await super().check()
        ids = {id_ for _, id_ in self.may_go}
        sent = {item.partition("/")[2] for item in self.tiktoks[NAME].counted}
        assert sent <= ids, f"seed {self.seed}: {sent - ids} sent by who stood by"

    async def heal(self) -> None:
        """What is taken over ends; a failback comes to its end; what stands by lapses."""
        await super().heal()
        assert not self.must_end & set(await self._owed()), f"seed {self.seed}: taken over, and owed for ever"
        delivery = self.replicas["r1"].delivery
        await delivery.fail_back(NAME)
        for _ in range(20):
            await self.clock.advance(3)
            await self.check()
        assert await self._mode() is Mode.STANDBY, f"seed {self.seed}: a failback without end"
        self.clock.jump(25 * HOUR_S)
        await self.clock.advance(15)
        await self.check()
        assert not await self._owed(), f"seed {self.seed}: stands by for ever"

    async def _owed(self) -> set[Key]:
        return {(stream, id_) for stream in STREAMS for id_ in await self.stage.owed_now(stream)}

    def may_lapse(self, stream: StreamKey, id_: str) -> bool:
        return stream.destination == NAME and (stream, id_) not in self.must_end

    async def account(self) -> None:
        await super().account()
        told = [type(notice) for notice in self.told]
        finished = sum(1 for mode in self.turns[1:] if mode is Mode.STANDBY)
        assert told.count(FailbackFinished) <= finished, f"seed {self.seed}: an end that was none was told"
        assert told.count(FailoverStarted) <= self.turns.count(Mode.FAILOVER), f"seed {self.seed}: told twice"
