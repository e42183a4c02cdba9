"""When a closed gate opens: five transient failures in a row, or half of at least twenty calls in thirty seconds."""

from __future__ import annotations

from collections import deque

IN_A_ROW = 5
WINDOW_S = 30.0
WINDOW_CALLS = 20
WINDOW_SHARE = 0.5


class Health:
    """The calls of one replica while the gate is closed. Data and token faults never count: TikTok is well then."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._row = 0

    def heard(self, now: float, *, healthy: bool) -> bool:
        """Note one call; True when the gate should open."""
        self._row = 0 if healthy else self._row + 1
        self._failures += not healthy
        self._calls.append((now, healthy))
        while self._calls[0][0] < now - WINDOW_S:
            self._failures -= not self._calls.popleft()[1]
        calls = len(self._calls)
        return self._row >= IN_A_ROW or (calls >= WINDOW_CALLS and self._failures >= calls * WINDOW_SHARE)

    def reset(self) -> None:
        """A new era: what was before says nothing."""
        self._calls.clear()
        self._failures = self._row = 0
