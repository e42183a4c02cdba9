"""The play: steady traffic, the scenario's trouble in the middle, recovery, and a look twice a second."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from relay.cli.drilling.ledger import Counted, End, Ledger, Obligations, Promise, Relay, judge
from relay.cli.drilling.plan import Look, Plan
from relay.cli.drilling.stage import Stage
from relay.cli.event_files import FileEvent
from relay.cli.sending import Manner, Target, send_all
from relay.core.event import JsonObject

LOOK_EVERY = 0.5
GLANCE_EVERY = 0.05  # while something is measured
REPEATED_SHARE = 0.02  # of the events are sent twice, as Segment does when an answer came too late
WELL = "TikTok up"
Wanted = Callable[[JsonObject], Sequence[Counted]]


class Direction(Protocol):
    """What happens on stage besides the traffic, and what that is to prove."""

    async def direct(self, play: Play) -> None:
        """Play the trouble and its end; returns when recovery was seen, or could not be waited for any longer."""

    def promises(self, end: End) -> Iterable[Promise]:
        """What was promised, with the figures measured."""


@dataclass(slots=True)
class Play:
    """One performance. ``wanted`` says what TikTok must count for an event, ``bad_every`` which of them are bad."""

    stage: Stage
    plan: Plan
    wanted: Wanted
    show: Callable[[Look], None]
    bad_every: int = 0
    obligations: Obligations = field(default_factory=Obligations)
    looks: list[Look] = field(default_factory=list)
    heard: Callable[[JsonObject], None] | None = None  # told every accepted event, once
    scene: tuple[str, bool] = (WELL, False)
    status: JsonObject = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)  # traffic and trouble are over, nothing is owed
    tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    _sending: bool = True
    _directing: bool = True
    _start: float = 0.0

    async def perform(self, events: Iterator[JsonObject], direction: Direction) -> Ledger:
        """All of it; returns the ledger."""
        self._start = asyncio.get_running_loop().time()
        async with self.tasks as tasks:
            sending = tasks.create_task(self._send(events), name="send")
            directing = tasks.create_task(self._direct(direction), name="direct")
            await self._watch()
            sending.cancel()  # both are over, unless patience was
            directing.cancel()
            self.over.set()
        end = await self._ended(self.now)
        return judge(end, direction.promises(end))

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._start

    async def at(self, moment: float) -> None:
        """Wait until so many seconds after the start."""
        await asyncio.sleep(max(0.0, moment - self.now))

    async def takes(self, met: Callable[[], Awaitable[bool]]) -> float | None:
        """Seconds until ``met``; None when the patience of the whole play was over before."""
        since = self.now
        while self.now < self.plan.longest:
            if await met():
                return self.now - since
            await asyncio.sleep(GLANCE_EVERY)
        return None

    async def delivering(self) -> float | None:
        """Seconds until TikTok counts something more than it has counted by now."""
        before = (await self.stage.counted()).get("unique", 0)

        async def more() -> bool:
            return bool((await self.stage.counted()).get("unique", 0) > before)

        return await self.takes(more)

    async def destination(self) -> JsonObject:
        """What the relay says of its destination; empty while it says nothing."""
        status = await self.stage.status()
        return dict(status["destinations"][0]) if status else {}

    async def shut(self) -> bool:
        """The gate is not closed, when the relay looked last."""
        return not await self.closed()

    async def closed(self) -> bool:
        """The gate is closed, when the relay looked last."""
        return (await self.destination()).get("gate") == "closed"

    async def caught_up(self) -> float | None:
        """Seconds until TikTok has counted as many items as are owed to it by now, those that came later included."""
        bad = sum(message_id in self.obligations.bad for message_id in self.obligations.wanted.values())
        goal = len(self.obligations.wanted) - bad

        async def enough() -> bool:
            return bool((await self.stage.counted()).get("unique", 0) >= goal)

        return await self.takes(enough)

    async def _send(self, events: Iterator[JsonObject]) -> None:
        target = Target(f"{self.stage.intake}/webhook/segment", self.stage.secret.encode())
        await send_all(self._script(events), target, Manner(rate=self.plan.rate), self._answered)
        self._sending = False

    async def _direct(self, direction: Direction) -> None:
        await direction.direct(self)
        self._directing = False

    def _script(self, events: Iterator[JsonObject]) -> Iterator[FileEvent]:
        """Events as text, until recovery was seen; some of them once more a little later."""
        dice = random.Random(7)  # noqa: S311 - the same play every time
        late: list[FileEvent] = []
        count = round(self.plan.rate * self.plan.seconds)
        while len(self.obligations.sent) < count or self._directing:
            written = self._written(next(events))
            yield written
            if dice.random() < REPEATED_SHARE:
                late.append(written)
            if late and dice.random() < REPEATED_SHARE:
                self.obligations.repeated += 1
                yield late.pop(0)
        for written in late:
            self.obligations.repeated += 1
            yield written

    def _written(self, event: JsonObject) -> FileEvent:
        """An event about to be sent; a bad one is known to the simulator by its id."""
        sent = self.obligations
        if self.bad_every and len(sent.sent) >= (len(sent.bad) + 1) * self.bad_every and self.wanted(event):
            event["messageId"] = bad_id(len(sent.bad))
            sent.bad.add(event["messageId"])
        sent.sent.add(event["messageId"])
        return FileEvent(orjson.dumps(event))

    def _answered(self, batch: Sequence[FileEvent], answer: str) -> None:
        if answer != "200":
            return
        for written in batch:
            event = orjson.loads(written.raw)
            if event["messageId"] in self.obligations.accepted:
                continue
            self.obligations.accepted.add(event["messageId"])
            for counted in self.wanted(event):
                self.obligations.wanted[counted] = event["messageId"]
            if self.heard is not None:
                self.heard(event)

    async def _watch(self) -> None:
        """Look until everything is sent, recovery was seen and nothing is owed, or the patience is over."""
        while self.now < self.plan.longest:
            look = await self._look()
            self.looks.append(look)
            self.show(look)
            if not self._sending and not self._directing and not look.owed:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> Look:
        status, counted = await self.stage.status(), await self.stage.counted()
        if status is not None:
            self.status = status
        [part] = self.status.get("destinations") or [{}]
        return Look(
            at=self.now,
            scene=self.scene[0],
            ill=self.scene[1],
            sent=len(self.obligations.sent),
            accepted=len(self.obligations.accepted),
            owed=(part.get("owed") or 0) - (part.get("standing_by") or 0),
            oldest=part.get("oldest_age_seconds") or 0.0,
            gate=str(part.get("gate") or "?"),
            counted=int(counted.get("unique", 0)) + int(counted.get("doubled", 0)),
        )

    async def _ended(self, seconds: float) -> End:
        [part] = self.status.get("destinations") or [{}]
        longest = max((look.oldest for look in self.looks), default=0.0)
        relay = Relay(part.get("delivered") or 0, part.get("unbalanced") or 0, longest, seconds)
        return End(self.obligations, await self.stage.ids(), await self.stage.letters(), relay)


def bad_id(number: int) -> str:
    """The message id of a bad event."""
    return f"drill-bad-{number}"
