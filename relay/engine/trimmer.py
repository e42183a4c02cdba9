"""Lets go of what was archived for long enough."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.ports import Archive, Clock

EVERY_S = 5.0
LOOK_S = 0.5
PIECES = 100
"""In a row, of some thousand events each: more than any relay archives meanwhile."""


class Trimmer:
    """Every replica has one; what one has let go of the others need not. Also where nothing is archived any more."""

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self._archive, self._clock = archive, clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Trim until stopped, as long as the store answers."""
        trimmed_at = float("-inf")
        while not stopping.is_set():
            if self._clock.monotonic() - trimmed_at >= EVERY_S:
                trimmed_at = self._clock.monotonic()
                with suppress(StoreUnavailable, StoreMisused):  # others tell that it is away, or a key damaged
                    await self.trim()
            await self._clock.sleep(LOOK_S)

    async def trim(self) -> None:
        """One turn. Raises StoreUnavailable or StoreMisused."""
        for _ in range(PIECES):
            if not await self._archive.trim():
                return
