"""Works on one replay: page by page, at its rate, never more at a time than its destinations can take.

Each step is one call to the store that moves events and writes down how far the job is, so whoever takes over after a
crash goes on exactly there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relay.core.archive import ReplayJob, Requeue, Step
from relay.core.notices import EntriesReplayed
from relay.core.replay import Judged, View
from relay.engine.replay_room import Room
from relay.engine.replay_scan import LETTERS, Place, Scan, ScanPage
from relay.ports import Archive, Clock, DeadLetters, Replays, Tell

MOST = 250
"""Events a step: some milliseconds of the store's time."""
WAIT_S = 0.25
STEPS_A_SECOND = 2
LEFT = "deferred"
"""Counted: events whose destination could not be sent to when their turn came. They get another."""


@dataclass(frozen=True, slots=True)
class WorkParts:
    """What a replay works with. ``view`` is what decides about an event today."""

    archive: Archive
    replays: Replays
    letters: DeadLetters
    room: Room
    clock: Clock
    tell: Tell
    view: Callable[[], View]


class Fenced(Exception):
    """The job is paused, cancelled, or in other hands."""


class Work:
    """One job in hand. Nothing here remembers what the record does not say."""

    def __init__(self, parts: WorkParts, job: ReplayJob, stopping: asyncio.Event) -> None:
        self._parts, self._job, self._stopping = parts, job, stopping
        self._scan = Scan(parts.archive, parts.letters, parts.clock, parts.view, job.ask, job.began_ms)
        self._place = self._scan.resume(job.cursor)
        self._next_at = parts.clock.monotonic()
        self._chunk = max(1, min(MOST, job.ask.rate // STEPS_A_SECOND))

    async def run(self) -> bool:
        """Until all is moved (True) or a stop is asked for (False). Raises Fenced, StoreUnavailable, StoreMisused."""
        while not self._stopping.is_set():
            if await self._held_up():
                continue
            began = self._parts.clock.monotonic()
            page = await self._scan.page(self._place)
            worked_s = self._parts.clock.monotonic() - began
            if not await self._take(page):
                return False
            await self._parts.clock.sleep(worked_s)  # reading costs processor: live traffic gets at least as much
            if page.next is None and not await self._another_round():
                return True
        return False

    async def _held_up(self) -> bool:
        """Wait a little while no destination it is about can be sent to: walking on would only pass everything over."""
        wanted = self._job.ask.destination
        names = [name for name in self._parts.view().shops if wanted in ("", name)]
        reasons = [self._parts.room.stuck(name) for name in names]
        if not reasons or not all(reasons):
            return False
        await self._wait("; ".join(reasons))
        return True

    async def _take(self, page: ScanPage) -> bool:
        """Move what a page brought, chunk by chunk; False when a stop was asked for."""
        for chunk, place in self._chunks(page):
            if not await self._step(chunk, place):
                return False
        return True

    def _chunks(self, page: ScanPage) -> Iterator[tuple[list[Judged], Place | None]]:
        """Parts of a page with as many moves as fit a step, each with where the scan goes on."""
        chunk: list[Judged] = []
        moves = 0
        for judged in page.judged:
            chunk.append(judged)
            moves += judged.requeue is not None
            if moves == self._chunk:
                yield chunk, Place(self._place.stage, judged.event.id)
                chunk, moves = [], 0
        yield chunk, page.next

    async def _step(self, chunk: Sequence[Judged], place: Place | None) -> bool:
        """One step. The last place of all is kept: what follows decides whether there is another round."""
        counts = Counter[str](judged.stop.value for judged in chunk if judged.stop is not None)
        moves = [judged.requeue for judged in chunk if judged.requeue is not None]
        moves = await self._when_ready(moves, counts)
        if self._stopping.is_set():
            return False
        place = place or self._place
        if self._place.stage.startswith(LETTERS):
            counts["letters"] += await self._requeue(moves)
            moves = []
        await self._move(Step(str(place), counts), moves)
        self._place = place
        await self._pace(len(moves) + counts["letters"])
        return True

    async def _when_ready(self, moves: list[Requeue], counts: Counter[str]) -> list[Requeue]:
        """Those that may go now; it waits for room, and passes over (counted) what cannot be sent to at all."""
        while not self._stopping.is_set():
            going = [move for move in moves if not any(self._parts.room.stuck(name) for name in names_of(move))]
            full = await self._parts.room.full(going) if going else ""
            if not full:
                counts[LEFT] += len(moves) - len(going)
                return going
            await self._wait(full)
        return []

    async def _requeue(self, moves: Sequence[Requeue]) -> int:
        """Dead letters, after making sure that the job is still ours."""
        if not moves:
            return 0
        await self._move(Step(str(self._place)))
        name = moves[0].event.destination
        moved = await self._parts.letters.requeue(name, [move.event.id for move in moves])
        self._parts.room.taken(Counter(move.targets[0].stream for move in moves))
        return moved

    async def _move(self, step: Step, moves: Sequence[Requeue] = ()) -> None:
        moved = await self._parts.replays.move(self._job.version, step, moves)
        if moved is None:
            raise Fenced
        self._parts.room.taken(moved.owed)
        for stream, count in moved.owed.items():
            if count:
                self._parts.tell(EntriesReplayed(stream, count))

    async def _wait(self, reason: str) -> None:
        """Keep the job, say why it stands still, and look again soon."""
        await self._move(Step(str(self._place), waiting=reason))
        await self._parts.clock.sleep(WAIT_S)

    async def _pace(self, moved: int) -> None:
        """No more events a second than were asked for."""
        now = self._parts.clock.monotonic()
        self._next_at = max(self._next_at, now) + moved / self._job.ask.rate
        await self._parts.clock.sleep(max(0.0, self._next_at - now))

    async def _another_round(self) -> bool:
        """Whether something was passed over. What was moved is gone, so a new walk meets only the rest."""
        job = await self._parts.replays.load()
        if job is None or not job.counts.get(LEFT):
            return False
        kept = ("moved", "duplicates", "letters")
        forgotten = {name: -count for name, count in job.counts.items() if name not in kept and count}
        self._place = self._scan.start
        await self._move(Step(str(self._place), forgotten))
        await self._parts.clock.sleep(WAIT_S)
        return True


def names_of(move: Requeue) -> list[str]:
    """The destinations an event goes to."""
    return [target.stream.destination for target in move.targets]
