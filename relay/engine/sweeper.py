"""Erases what is kept of suppressed people from dead letters and the archive, once a day.

A ``delete`` call names somebody and must be answered at once; what lies on the shelves is gone through later, for all
who are on the list: also when nobody came to it, for another process may have stored something of theirs in the second
before it heard of them, or a requeue brought it back. What is owed needs no sweep: it ends as forgotten before it is
sent.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.engine.eraser import BadCursor, Eraser
from relay.engine.suppression import Suppression
from relay.ports import Clock

EVERY_S = 86_400.0
FIRST_S = 600.0
"""After a start: it does not know whether anybody came to the list before, and a restart is busy enough."""
LOOK_S = 1.0


class Sweeper:
    """Every replica may have one: what one has erased the others do not find."""

    def __init__(self, eraser: Eraser, suppression: Suppression, clock: Clock) -> None:
        self._eraser, self._suppression, self._clock = eraser, suppression, clock
        self._due = clock.monotonic() + FIRST_S
        self._cursor = ""

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until stopped, as long as the store answers."""
        while not stopping.is_set():
            with suppress(StoreUnavailable, StoreMisused):  # others tell that it is away, or a key damaged
                await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """A second of sweeping, if it is time. Raises StoreUnavailable, or StoreMisused."""
        if self._clock.monotonic() < self._due:
            return
        if not self._cursor and not self._suppression.listed:
            return
        try:
            done = await self._eraser.sweep(self._cursor)
        except BadCursor:  # the store lost its data meanwhile: begin again
            self._cursor = ""
            return
        self._cursor = done.cursor
        if not self._cursor:
            self._due = self._clock.monotonic() + EVERY_S
