"""The play: steady traffic, an outage in the middle, recovery, and a look twice a second."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from relay.cli.drilling.ledger import Counted, Ledger, Obligations, Relay, judge
from relay.cli.drilling.stage import Stage
from relay.cli.event_files import FileEvent
from relay.cli.sending import Manner, Target, send_all
from relay.core.event import JsonObject

LOOK_EVERY = 0.5
REPEATED_SHARE = 0.02  # of the events are sent twice, as Segment does when an answer came too late
LOSING_S = 1.0  # how long TikTok stores events but its answers get lost, before it is down altogether
Wanted = Callable[[JsonObject], Sequence[Counted]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds from the start; ``patience``: how long to wait for the backlog to drain after sending ends."""

    seconds: float = 30.0
    rate: float = 100.0
    outage: float = 10.0
    patience: float = 60.0
    forgiving: bool = True  # TikTok removes repeats, as the real one does; its outage may then lose answers too

    @property
    def outage_from(self) -> float:
        """When TikTok goes down: early, so that recovery is seen under traffic."""
        return min(6.0, self.seconds / 4)

    @property
    def outage_to(self) -> float:
        """When it is back."""
        return self.outage_from + self.outage


class Look(NamedTuple):
    """The situation at one moment."""

    at: float
    tiktok_up: bool
    sent: int
    accepted: int
    owed: int
    oldest: float
    gate: str
    counted: int


@dataclass(slots=True)
class Play:
    """One performance. ``wanted`` says what TikTok must count for an event."""

    stage: Stage
    plan: Plan
    wanted: Wanted
    show: Callable[[Look], None]
    obligations: Obligations = field(default_factory=Obligations)
    looks: list[Look] = field(default_factory=list)
    tiktok_up: bool = True
    sending: bool = True
    last_status: dict[str, Any] = field(default_factory=dict)

    async def perform(self, events: Iterator[JsonObject]) -> Ledger:
        """All of it; returns the ledger."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(events), name="send")
            tasks.create_task(self._break(), name="outage")
            await self._watch(start)
        return await self._settle(loop.time() - start)

    async def _send(self, events: Iterator[JsonObject]) -> None:
        target = Target(f"{self.stage.intake}/webhook/segment", self.stage.secret.encode())
        manner = Manner(rate=self.plan.rate)
        count = round(self.plan.rate * self.plan.seconds)
        await send_all(self._script(events, count), target, manner, self._heard)
        self.sending = False

    def _script(self, events: Iterator[JsonObject], count: int) -> Iterator[FileEvent]:
        """Events as text; some of them once more a little later."""
        dice = random.Random(7)  # noqa: S311 - the same play every time
        late: list[FileEvent] = []
        for _ in range(count):
            event = next(events)
            written = FileEvent(orjson.dumps(event))
            self.obligations.sent.add(event["messageId"])
            yield written
            if dice.random() < REPEATED_SHARE:
                late.append(written)
            if late and dice.random() < REPEATED_SHARE:
                self.obligations.repeated += 1
                yield late.pop(0)
        for written in late:
            self.obligations.repeated += 1
            yield written

    def _heard(self, batch: Sequence[FileEvent], answer: str) -> None:
        if answer != "200":
            return
        for written in batch:
            event = orjson.loads(written.raw)
            self.obligations.accepted.add(event["messageId"])
            for counted in self.wanted(event):
                self.obligations.wanted[counted] = event["messageId"]

    async def _break(self) -> None:
        """The outage: at first answers get lost (TikTok has the events, the relay cannot know), then nothing works."""
        await asyncio.sleep(self.plan.outage_from)
        self.tiktok_up = False
        losing = min(LOSING_S, self.plan.outage / 2) if self.plan.forgiving else 0.0
        if losing:
            await self.stage.control(outage="lost")
            await asyncio.sleep(losing)
        await self.stage.control(outage="503")
        await asyncio.sleep(self.plan.outage - losing)
        await self.stage.control(outage="none")
        self.tiktok_up = True

    async def _watch(self, start: float) -> None:
        """Look until everything is sent and nothing is owed, or the patience is over."""
        loop = asyncio.get_running_loop()
        end = start + max(self.plan.seconds, self.plan.outage_to) + self.plan.patience
        while loop.time() < end:
            look = await self._look(loop.time() - start)
            self.looks.append(look)
            self.show(look)
            if not self.sending and self.tiktok_up and not look.owed:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, at: float) -> Look:
        status = await self.stage.status()
        counted = await self.stage.counted() or {}
        if status is not None:
            self.last_status = status
        parts = self.last_status.get("destinations") or [{}]
        return Look(
            at=at,
            tiktok_up=self.tiktok_up,
            sent=len(self.obligations.sent),
            accepted=len(self.obligations.accepted),
            owed=sum(part.get("owed") or 0 for part in parts),
            oldest=max(part.get("oldest_age_seconds") or 0.0 for part in parts),
            gate=str(parts[0].get("gate") or "?"),
            counted=int(counted.get("unique", 0)) + int(counted.get("doubled", 0)),
        )

    async def _settle(self, seconds: float) -> Ledger:
        letters = await self.stage.letters()
        parts = self.last_status.get("destinations") or [{}]
        relay = Relay(
            delivered=sum(part.get("delivered") or 0 for part in parts),
            unbalanced=sum(part.get("unbalanced") or 0 for part in parts),
            longest_delay=max((look.oldest for look in self.looks), default=0.0),
            seconds=seconds,
        )
        dead = [str(letter["message_id"]) for letter in letters]
        return judge(self.obligations, await self.stage.ids(), dead, relay)
