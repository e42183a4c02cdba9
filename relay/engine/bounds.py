"""Keeps dead letters and reports within their limits, and says so before anything goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import INTAKE
from relay.core.notices import LettersWeighed, RecordsTrimmed, StoreWarned
from relay.ports import Bounds, Clock, Tell

EVERY_S = 10.0
PIECES = 100
"""In a row, of some hundred letters at most: more than can die until the next turn."""
CROWDED, CALM = 0.8, 0.75
"""Share of a limit from which on it is told, and below which it may be told again."""


class Housekeeping:
    """Looks at each destination in turn. Every replica may have one: what one has given up the others need not."""

    def __init__(self, bounds: Bounds, destinations: Sequence[str], clock: Clock, tell: Tell) -> None:
        self._bounds, self._clock, self._tell = bounds, clock, tell
        self._names = (*destinations, INTAKE)
        self._crowded: set[str] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until stopped, as long as the store answers."""
        waited = EVERY_S
        while not stopping.is_set():
            if waited >= EVERY_S:
                waited = 0.0
                for name in self._names:
                    with suppress(StoreUnavailable, StoreMisused):  # others tell that it is away, or a key damaged
                        await self.tidy(name)
            await self._clock.sleep(1.0)
            waited += 1.0

    async def tidy(self, name: str) -> None:
        """One turn of one destination. Raises StoreUnavailable, or StoreMisused."""
        trimmed = await self._bounds.trim_letters(name)
        self._tell(LettersWeighed(name, trimmed.fullness))
        self._warn(name, trimmed.fullness)
        count = trimmed.count
        for _ in range(PIECES):
            if not trimmed.more:
                break
            trimmed = await self._bounds.trim_letters(name)
            count += trimmed.count
        if count:
            self._tell(RecordsTrimmed(name, "dead_letters", count))
        if name != INTAKE and (reports := await self._bounds.trim_reports(name)).count:
            self._tell(RecordsTrimmed(name, "reports", reports.count))

    def _warn(self, name: str, fullness: float) -> None:
        if name == INTAKE:
            return  # bounded tightly, by design: what intake could not read is for whoever looks soon
        if fullness >= CROWDED and name not in self._crowded:
            self._crowded.add(name)
            text = f"its dead letters are at {fullness:.0%} of their limit of age or bytes, beyond which the oldest go"
            self._tell(StoreWarned(name, f"{text}: requeue, export or discard them, or raise [dead_letters]"))
        elif fullness < CALM:
            self._crowded.discard(name)
