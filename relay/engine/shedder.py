"""Makes room in a full store: gives up the archive, and then, where that was chosen, the oldest engagement.

So conversions are still taken in.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relay.core.archive import ARCHIVE
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.notices import ArchiveShed, EntriesShed
from relay.ports import Clock, Overflow, Tell

EVERY_S = 0.2
PIECES = 100
"""In a row, of some hundred entries at most: more than any relay takes in until the next turn."""


class Shedder:
    """Sheds while the store is pressed. Every replica may have one: what one has shed the others need not."""

    def __init__(self, overflow: Overflow, clock: Clock, tell: Tell) -> None:
        self._overflow, self._clock, self._tell = overflow, clock, tell

    async def run(self, stopping: asyncio.Event) -> None:
        """Make room until stopped, as long as the store answers."""
        while not stopping.is_set():
            with suppress(StoreUnavailable, StoreMisused):  # others tell that it is away, or a key damaged
                await self.relieve()
            await self._clock.sleep(EVERY_S)

    async def relieve(self) -> None:
        """One turn: until there is room, or nothing to give up. Raises StoreUnavailable, or StoreMisused."""
        for _ in range(PIECES):
            if not self._overflow.pressed:
                return
            shed = await self._overflow.shed()
            if shed is None:
                return
            archived = shed.stream.destination == ARCHIVE
            self._tell(ArchiveShed(shed.count) if archived else EntriesShed(shed.stream, shed.count))
