"""Sending archived events again: weighs what a replay comes to, begins and turns it, and works on it while it runs.

There is one replay at a time in a store. Any replica that delivers may work on it; when that one dies, its lease on the
record falls due and another goes on.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress

from relay.core.archive import ReplayAsk, ReplayJob, ReplayState, begun, taken, turned
from relay.core.errors import ReplayRefused, StoreMisused, StoreUnavailable
from relay.core.event import StoreSurvey
from relay.core.notices import ReplayEnded, ReplayStarted, ReplayTurned, StoreWarned
from relay.core.replay import Weighed
from relay.engine.replay_scan import Place, Scan
from relay.engine.replay_share import Shares
from relay.engine.replay_work import LEFT, Fenced, Work, WorkParts

LOOK_S = 1.0
REST = 1.0
"""A dry run rests as long as it worked after each page: who delivers must not notice."""
TRIES = 5
MICROS = 1_000_000
MOVED = frozenset({"moved", "duplicates", "letters", LEFT})
CHANGES = {ReplayState.PAUSED: "paused", ReplayState.RUNNING: "resumed"}


class Replayer:
    """One replica's hand on the replay of its store. ``replica`` names it in the record."""

    def __init__(self, parts: WorkParts, replica: str) -> None:
        self._parts, self._replica = parts, replica
        self._latest: ReplayJob | None = None
        self._shares = Shares()
        self._complaint = ""

    async def weigh(self, ask: ReplayAsk, patience_s: float) -> Weighed:
        """What a replay would come to now; not ``complete`` when patience ended first. Raises StoreUnavailable."""
        parts, weighed = self._parts, Weighed()
        scan = Scan(parts.archive, parts.letters, parts.clock, parts.view, ask, await parts.room.store_ms())
        until = parts.clock.monotonic() + patience_s
        place: Place | None = scan.start
        while place is not None:
            began = parts.clock.monotonic()
            if began > until:
                weighed.complete = False
                break
            place = await self._weigh_page(scan, place, weighed)
            await parts.clock.sleep(REST * (parts.clock.monotonic() - began))
        return weighed

    async def _weigh_page(self, scan: Scan, place: Place, weighed: Weighed) -> Place | None:
        page = await scan.page(place)
        weighed.looked += page.looked
        for judged in page.judged:
            weighed.add(judged)
        return page.next

    async def look(self) -> ReplayJob | None:
        """The replay under way, or the last one. Raises StoreUnavailable."""
        self._latest = await self._parts.replays.load()
        return self._latest

    def keeps_waiting(self, destination: str, survey: StoreSurvey) -> int:
        """About how many entries of a destination's backlog the replay put there, as last looked at."""
        return self._shares.of(destination, survey, self._latest)

    async def start(self, ask: ReplayAsk, expected: int) -> ReplayJob:
        """Begin. Raises ReplayRefused while there is another one, StoreUnavailable."""
        began_ms = await self._parts.room.store_ms()  # it is compared with when events ended
        wanted = ReplayJob(uuid.uuid4().hex[:8], ask, began_ms=began_ms, expected=expected)
        before = await self.look()
        job = begun(before, wanted)
        if job is None or not await self._parts.replays.save(job, job.version, new=True):
            raise ReplayRefused("a replay is under way; wait for it, or cancel it")
        self._parts.tell(
            ReplayStarted(
                job.id, ask.since_ms, ask.until_ms, ask.rate, expected, ask.destination, ask.event, ask.letters
            )
        )
        return job

    async def turn(self, state: ReplayState) -> tuple[ReplayJob, bool]:
        """Pause, resume or cancel; the record now, and whether that changed it.

        Raises ReplayRefused where that is not to be had, StoreUnavailable.
        """
        now_ms = await self._parts.room.store_ms()
        for _ in range(TRIES):
            job = await self.look()
            if job is None:
                raise ReplayRefused("there is no replay")
            wanted = turned(job, state, now_ms)
            if wanted is None:
                if job.state is not state:
                    raise ReplayRefused(f"the replay is {job.state.value} already")
                return job, False
            if await self._parts.replays.save(wanted, job.version):
                if wanted.ended:
                    self._tell_end(wanted)
                else:
                    self._parts.tell(ReplayTurned(job.id, CHANGES[state], job.ask.destination))
                return wanted, True
        raise ReplayRefused("the replay is being changed by others; try again")

    async def run(self, stopping: asyncio.Event) -> None:
        """Work on the replay whenever there is one that nobody works on, until stopped."""
        while not stopping.is_set():
            try:
                await self._serve(stopping)
            except StoreUnavailable:  # others tell that it is away
                pass
            except StoreMisused as refusal:
                self._complain(f"the store refused a step of the replay: {refusal}")
            await self._parts.clock.sleep(LOOK_S)

    def _complain(self, said: str) -> None:
        """Once: it is tried again every second."""
        if said != self._complaint:
            self._complaint = said
            self._parts.tell(StoreWarned("replay", said))

    async def _serve(self, stopping: asyncio.Event) -> None:
        job = await self.look()
        mine = taken(job, self._replica) if job else None
        if job is None or mine is None or not await self._parts.replays.save(mine, job.version):
            return
        if job.owner not in ("", self._replica):
            self._parts.tell(ReplayTurned(job.id, "taken_over", job.ask.destination))
        held = await self.look()
        if held is None or held.owner != self._replica:
            return
        with suppress(Fenced):
            done = await Work(self._parts, held, stopping).run()
            await (self._finish() if done else self._let_go(held))

    async def _finish(self) -> None:
        """All of it is moved."""
        job = await self.look()
        done = turned(job, ReplayState.DONE, await self._parts.room.store_ms()) if job else None
        if job and done and job.owner == self._replica and await self._parts.replays.save(done, job.version):
            self._tell_end(done)

    async def _let_go(self, held: ReplayJob) -> None:
        """This process stops: another one need not wait for the lease to fall due."""
        await self._parts.replays.save(ReplayJob(held.id, held.ask, held.state), held.version)

    def _tell_end(self, job: ReplayJob) -> None:
        counts, seconds = job.counts, (job.ended_ms - job.began_ms) / 1000
        left = {name: count for name, count in counts.items() if name not in MOVED and count > 0}
        value = {currency: micros / MICROS for currency, micros in job.value_micros.items()}
        letters = counts.get("letters", 0)
        moved = counts.get("moved", 0) + letters
        told = job.id, job.state.value, moved, letters, seconds, left, value, job.ask.destination
        self._parts.tell(ReplayEnded(*told))
