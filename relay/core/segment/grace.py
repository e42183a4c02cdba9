"""How long a sender that fails verification is told to come back instead of being turned away.

Segment never repeats what it got a 401 or 404 for, so a mistyped secret would lose every event from the first minute.
For some hours after a source last proved itself (or after start) the answer is therefore 503 (design section 4.1).
"""

from __future__ import annotations

from typing import NamedTuple

TELL_EVERY_MS = 60_000


class Patience(NamedTuple):
    """``patient``: answer 503 for now. ``since_ms``: when the failing began. ``tell``: nobody was told this minute."""

    patient: bool
    since_ms: int
    tell: bool


class Grace:
    """What is remembered of each source. Sources are names from the configuration, so this cannot grow."""

    def __init__(self, start_ms: int, period_ms: int) -> None:
        self._start_ms = start_ms
        self._period_ms = period_ms
        self._good: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def good(self, source: str, now_ms: int) -> None:
        """``source`` proved itself."""
        self._good[source] = now_ms
        if source in self._since:
            del self._since[source]

    def failed(self, source: str, now_ms: int) -> Patience:
        """``source`` did not prove itself."""
        since_ms = self._since.setdefault(source, now_ms)
        # Kept over a success: somebody who fails between the requests of an honest sender must not fill the log.
        tell = now_ms - self._told.get(source, now_ms - TELL_EVERY_MS) >= TELL_EVERY_MS
        if tell:
            self._told[source] = now_ms
        patient = now_ms - self._good.get(source, self._start_ms) < self._period_ms
        return Patience(patient, since_ms, tell)
