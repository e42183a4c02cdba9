"""How many events a source may send: a token bucket whose clock is an argument."""

from __future__ import annotations


class Allowance:
    """``per_second`` events on average, ``burst`` of them at once."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left = burst
        self._at: float | None = None

    def take(self, events: int, now: float) -> float:
        """Let ``events`` pass and return 0.0, or return how many seconds they must wait. ``now``: monotonic seconds.

        A request larger than ``burst`` passes when nothing was used, and is paid for by those that follow: otherwise
        it could never pass.
        """
        since = 0.0 if self._at is None else now - self._at
        self._at = now
        self._left = min(self._burst, self._left + since * self._per_second)
        missing = min(events, self._burst) - self._left
        if missing > 0:
            return missing / self._per_second
        self._left -= events
        return 0.0
