"""Reads what a replay is about, page by page: the archive of conversions, that of engagement, then dead letters.

A dry run and the replay itself read the same way, so that one says what the other does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from relay.core.archive import Archived, ReplayAsk
from relay.core.delivery.mode import REACH_MS
from relay.core.event import DeadLetter, EntryClass
from relay.core.replay import Judged, View, judge
from relay.ports import Archive, Clock, DeadLetters

PAGE = 200
STEP, LONG_S = 10, 0.005
"""After every so many events the clock is asked whether intake and delivery should have their turn."""
LETTERS = "letters:"


class Place(NamedTuple):
    """Where a scan is: a class's archive or a destination's dead letters, and the id it goes on after."""

    stage: str
    after: str = ""

    def __str__(self) -> str:
        return f"{self.stage}|{self.after}"


class ScanPage(NamedTuple):
    """Events of one page that were asked for, how many were looked at, and where it goes on (None: that was all)."""

    judged: Sequence[Judged]
    looked: int
    next: Place | None


class Scan:
    """One walk through what is asked for, as it stood at ``began_ms`` by the store's clock.

    What ends after that is left out, or a replay would meet what it has just sent for ever.
    """

    def __init__(
        self,
        archive: Archive,
        letters: DeadLetters,
        clock: Clock,
        view: Callable[[], View],
        ask: ReplayAsk,
        began_ms: int,
    ) -> None:
        self._archive, self._letters, self._clock, self._view = archive, letters, clock, view
        self._ask, self._began_ms = ask, began_ms
        names = ([ask.destination] if ask.destination else list(view().shops)) if ask.letters else []
        self._stages = [*(klass.value for klass in EntryClass), *(f"{LETTERS}{name}" for name in names)]

    @property
    def start(self) -> Place:
        """Where to begin."""
        return self._begin(self._stages[0])

    def resume(self, cursor: str) -> Place:
        """Where a cursor was; the start for an empty one, or for one that the configuration does not know any more."""
        stage, _, after = cursor.partition("|")
        return Place(stage, after) if stage in self._stages else self.start

    async def page(self, place: Place, limit: int = PAGE) -> ScanPage:
        """Judge the next events from a place on. Raises StoreUnavailable or StoreMisused."""
        found = await self._read(place, limit)
        inside = [event for event in found if event.ended_ms <= self._began_ms]
        judged = await self._judged(inside)
        if len(inside) < limit:
            return ScanPage(judged, len(inside), self._after(place.stage))
        return ScanPage(judged, len(inside), Place(place.stage, inside[-1].id))

    async def _read(self, place: Place, limit: int) -> Sequence[Archived]:
        if not place.stage.startswith(LETTERS):
            return await self._archive.page(EntryClass(place.stage), after=place.after, limit=limit)
        name = place.stage.removeprefix(LETTERS)
        letters = await self._letters.list(name, after=place.after, limit=limit)
        return [archived_of(letter) for letter in letters]

    async def _judged(self, events: Sequence[Archived]) -> list[Judged]:
        """Hot: maps every event, to know its time."""
        view, now_ms, rested = self._view(), self._clock.now_ms(), self._clock.monotonic()
        judged = []
        for number, event in enumerate(events, 1):
            if (one := judge(event, self._ask, view, now_ms)) is not None:
                judged.append(one)
            if number % STEP == 0 and self._clock.monotonic() - rested > LONG_S:
                await asyncio.sleep(0)
                rested = self._clock.monotonic()
        return judged

    def _begin(self, stage: str) -> Place:
        """Ids tell when an event ended, and that is after its receipt, but for what clocks differ by."""
        since_ms = self._ask.since_ms - REACH_MS
        return Place(stage, f"{since_ms}-0" if since_ms > 0 and not stage.startswith(LETTERS) else "")

    def _after(self, stage: str) -> Place | None:
        following = self._stages[self._stages.index(stage) + 1 :]
        return self._begin(following[0]) if following else None


def archived_of(letter: DeadLetter) -> Archived:
    """A dead letter, as if it had been archived: it goes back to its own destination, and the same clocks stop it."""
    return Archived(
        letter.id,
        letter.klass or EntryClass.ENGAGEMENT,
        letter.raw,
        letter.received_ms,
        letter.source,
        letter.worth,
        letter.destination,
        letter.first_ms,
        delivered=True,
        locked=letter.locked,
    )
