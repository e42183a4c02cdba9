"""Stage directions of the scenarios: the trouble, its end, and what is measured between.

Each is one performance: ``direct`` plays it and notes figures, ``promises`` says them with what was promised. A figure
that is None was waited for in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from relay.cli.drilling.ledger import Counted, End, Promise
from relay.cli.drilling.play import WELL, Play, bad_id
from relay.cli.drilling.primary import Primary
from relay.cli.drilling.stage import TOKENS

OUTAGE_S, TOKEN_S, CRASH_S = 60.0, 5.0, 30.0
"""Promised at most: the gate's longest wait; from a new token to a delivery; from a crash to a delivery."""
LOSING_S = 1.0  # how long TikTok stores events but its answers get lost, before it is down altogether
CALLS_PER_S = 5  # of a TikTok that throttles
FAILING_SHARE = 0.05
MOST_REFUSED = 1 / 3
USUAL_MS, SLOW_MS, QUICK_MS = [120, 230], 500, 30
"""Until TikTok answers: as the simulator does by itself; while a crash is to hit a drain; when it only says no."""
SETTLED_S = 0.2  # answers of a killed relay that are still on their way
SEGMENT_UP = ("Segment up", False)
REACHED_BACK_S = 2.0  # what the README advises: when in doubt, reach further back


async def outage(play: Play, seconds: float) -> None:
    """At first answers get lost (TikTok has the events, the relay cannot know), then nothing works; then all does.

    However short it is to be, it lasts until the relay has noticed: else there is nothing to recover from.
    """
    play.scene = ("TikTok DOWN", True)
    losing = min(LOSING_S, seconds / 2) if play.plan.forgiving else 0.0
    if losing:
        await play.stage.control(outage="lost")
        await asyncio.sleep(losing)
    await play.stage.control(outage="503")
    await asyncio.sleep(seconds - losing)
    await play.takes(play.shut)
    await play.stage.control(outage="none")
    play.scene = (WELL, False)


def within(seconds: float | None, limit: float) -> bool:
    """Whether it happened, and in time."""
    return seconds is not None and seconds <= limit


def said(seconds: float | None, what: str, limit: float) -> Promise:
    """A promise about a time."""
    took = "never" if seconds is None else f"after {seconds:.1f} s"
    return Promise(f"{what} {took} (promise: {limit:.0f} s)", within(seconds, limit))


def nothing_dead(end: End) -> Promise:
    """No event was given up."""
    return Promise("no dead letters" if not end.letters else f"{len(end.buried)} dead letters", not end.letters)


@dataclass(slots=True)
class Outage:
    """TikTok loses answers, goes down, comes back."""

    resumed_s: float | None = None

    async def direct(self, play: Play) -> None:
        """Down, and back."""
        await play.at(play.plan.trouble_from)
        await outage(play, play.plan.trouble)
        self.resumed_s = await play.delivering()

    def promises(self, end: End) -> Iterator[Promise]:
        """The gate notices, and nothing is given up."""
        yield said(self.resumed_s, "delivered again", OUTAGE_S)
        yield nothing_dead(end)


@dataclass(slots=True)
class Throttle:
    """TikTok comes back from an outage, takes few calls a second, and fails some of them at once."""

    resumed_s: float | None = None
    calls: int = 0
    refused: int = 0

    async def direct(self, play: Play) -> None:
        """Down for a third of the trouble; from where the gate closes throttled for the rest, failing in two ways."""
        stage, part = play.stage, play.plan.trouble / 3
        await play.at(play.plan.trouble_from)
        await outage(play, part)
        play.scene = ("throttled", True)
        await stage.control(limits={"per_second": CALLS_PER_S}, latency=QUICK_MS)
        before = await stage.counted()

        async def throttled() -> bool:
            now = await stage.counted()
            self.calls = now["requests"] - before["requests"]
            self.refused = now["by_code"].get("40100", 0) - before["by_code"].get("40100", 0)
            return self.refused > 0

        self.resumed_s = await play.delivering()
        await play.takes(play.closed)
        await play.takes(throttled)
        for kind in ("50002", "502"):
            await stage.control(outage={"kind": kind, "share": FAILING_SHARE})
            await asyncio.sleep(part)
        await throttled()
        await stage.control(outage="none", limits={"per_second": 0}, latency=USUAL_MS)
        play.scene = (WELL, False)

    def promises(self, end: End) -> Iterator[Promise]:
        """It slows down instead of knocking all the time; that needs a TikTok that did refuse some calls."""
        yield said(self.resumed_s, "delivered again", OUTAGE_S)
        share = f"TikTok refused {self.refused} of {self.calls} calls as too many (promise: at most a third)"
        yield Promise(share, 0 < self.refused <= self.calls * MOST_REFUSED)
        yield nothing_dead(end)


@dataclass(slots=True)
class Token:
    """The access token is revoked; somebody puts a new one into the secret file while the relay holds everything."""

    held: bool = False
    resumed_s: float | None = None
    restarted: bool = False

    async def direct(self, play: Play) -> None:
        """Revoke, wait, rotate."""
        child = play.stage.relay.child
        await play.at(play.plan.trouble_from)
        play.scene = ("no token", True)
        await play.stage.control(tokens=[TOKENS[1]])
        await asyncio.sleep(play.plan.trouble)

        async def holds() -> bool:
            self.held = (await play.destination()).get("gate") == "held"
            return self.held

        await play.takes(holds)
        if play.plan.diligent:
            play.stage.rotate(TOKENS[1])
            play.scene = (WELL, False)
        self.resumed_s = await play.delivering()
        self.restarted = play.stage.relay.child is not child or not play.stage.relay.alive

    def promises(self, end: End) -> Iterator[Promise]:
        """Held, not emptied into the bin; and the new token is found without a restart."""
        yield Promise("held everything while the token was revoked", self.held)
        yield said(self.resumed_s, "resumed with the new token", TOKEN_S)
        yield Promise("without a restart", not self.restarted)
        yield nothing_dead(end)


@dataclass(slots=True)
class Poison:
    """Bad events among good ones, in full calls: TikTok names the bad item by its index, then it does not."""

    async def direct(self, play: Play) -> None:
        """Two backlogs, gathered while the destination is paused."""
        bad = round(play.plan.seconds * play.plan.rate / play.bad_every) + 100
        await play.stage.control(refuse_ids=[bad_id(number) for number in range(bad)])
        await play.at(play.plan.trouble_from)
        for style in ("data[2]", "none"):
            await play.stage.control(index_style=style)
            play.scene = ("paused", True)
            await play.stage.command("pause")
            await asyncio.sleep(play.plan.trouble / 2)
            await play.stage.command("resume")
            play.scene = ("index given" if style == "data[2]" else "no index", False)
            await play.caught_up()

    def promises(self, end: End) -> Iterator[Promise]:
        """Exactly the bad ones are dead letters, each with TikTok's words."""
        bad, told = end.obligations.bad, [letter for letter in end.letters if "event_id" in letter["message"]]
        right = bool(bad) and end.buried == bad and len(told) == len(end.letters)
        yield Promise(f"{len(end.buried & bad)} of {len(bad)} bad events are dead letters with TikTok's message", right)
        yield Promise(f"{len(end.buried - bad)} good events are", not end.buried - bad)


@dataclass(slots=True)
class Crash:
    """In the middle of the drain after an outage, relay and Valkey are killed; the relay is started again."""

    owed: int = 0
    took_s: float | None = None
    resumed_s: float | None = None

    async def direct(self, play: Play) -> None:
        """An outage, a slow recovery, ``kill -9``."""
        await play.at(play.plan.trouble_from)
        await outage(play, play.plan.trouble)
        await play.stage.control(latency=SLOW_MS)

        async def draining() -> bool:
            part = await play.destination()
            return bool(part.get("gate") == "closed" and part["owed"])

        await play.takes(draining)
        await self._kill(play)
        await play.stage.control(latency=USUAL_MS)
        play.scene = (WELL, False)

    async def _kill(self, play: Play) -> None:
        """Both at once; then what is seen of the relay from both sides."""
        play.scene = ("KILLED", True)
        self.owed = await play.stage.crash()
        killed = play.now
        play.stage.relay.start()
        delivering = play.tasks.create_task(play.delivering(), name="delivering")
        await asyncio.sleep(SETTLED_S)
        accepted = len(play.obligations.accepted)

        async def takes_events() -> bool:
            return len(play.obligations.accepted) > accepted

        if await play.takes(takes_events) is not None:
            self.took_s = play.now - killed
        play.scene = ("restarted", False)
        self.resumed_s = await delivering

    def promises(self, end: End) -> Iterator[Promise]:
        """What was accepted is on disk, what was in flight is sent again."""
        yield Promise(f"relay and Valkey killed with {self.owed:,} events owed", self.owed > 0)
        yield said(self.took_s, "took events again", CRASH_S)
        yield said(self.resumed_s, "delivered again", CRASH_S)
        yield nothing_dead(end)


@dataclass(slots=True)
class Standby:
    """Segment's own destination silently loses half of the events; failover, drain, failback."""

    lost: set[Counted] = field(default_factory=set)
    arrived: int = 0  # of what was lost, before anybody took over
    stands_by: bool = False

    async def direct(self, play: Play) -> None:
        """Lose, take over from a little before that, go back when Segment's destination works again."""
        segment = Primary(play.stage)
        self.lost, play.heard, play.scene = segment.lost, segment.take, SEGMENT_UP
        play.tasks.create_task(segment.run(play.over), name="primary")
        await play.at(play.plan.trouble_from)
        play.scene, segment.losing = ("LOSING", True), True
        await asyncio.sleep(play.plan.trouble / 2)
        self.arrived = sum(Counted(row["event"], row["event_id"]) in self.lost for row in await play.stage.ids())
        await play.stage.command("failover", since=f"{play.plan.trouble / 2 + REACHED_BACK_S:.3f}s")
        play.scene = ("failed over", True)
        await asyncio.sleep(play.plan.trouble / 2)
        segment.losing = False
        await play.stage.command("failback")
        play.scene = ("going back", False)

        async def stands_by() -> bool:
            self.stands_by = (await play.destination()).get("mode") == "standby"
            return self.stands_by

        await play.takes(stands_by)
        play.scene = SEGMENT_UP

    def promises(self, end: End) -> Iterator[Promise]:
        """A real loss, made good, and in the end the relay stands by again."""
        good = len(self.lost & end.counted.keys())
        said = f"Segment's own destination lost {len(self.lost):,} items, {good:,} of them made good by the failover"
        yield Promise(said, good == len(self.lost) > 0 == self.arrived)
        yield Promise("stands by again", self.stands_by)
        yield nothing_dead(end)
