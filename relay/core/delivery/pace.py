"""How many calls a second one destination may be sent, as one replica sees it: a budget, and what throttling taught.

Times are monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

WIDTH_S = 1.02
"""Calls may arrive closer together than they left; in this time no more leave than TikTok takes in a second."""
SLACK_S = 0.01
"""How far one call may run ahead of its turn: at 1,000 a second a timer is too coarse for each one."""
LATE_S = 0.1
"""A call that is late by less does not make the next one later: a busy event loop costs no calls."""
KEPT = 0.95
HELD_S, TRUST_S = 120.0, 6.0
"""Nothing above a learned limit is tried for so long, and for so long for each call it was learned from: a try costs a
pause, and a limit rarely rises within a drain; but one seen on two calls may be nobody's limit."""
PROVED_S = 10.0
"""A learned limit that held for so long is not doubted for one refusal: calls that are late on their way arrive with
the next ones. Refused again sooner, it is too high."""
REGAINED = 1.05


class Pace:
    """Spaces calls evenly, and never lets more leave in a second than the rate says."""

    def __init__(self, calls_per_s: float) -> None:
        self.rate = calls_per_s
        self._budget = self._ceiling = calls_per_s
        self._next = 0.0
        self._started = deque[float](maxlen=max(1, int(calls_per_s)))
        self._taken = deque[float](maxlen=2 * max(1, int(calls_per_s)))  # starts, without those known to have failed
        self._held_until = 0.0
        self._troubled_at = float("-inf")  # when the last trouble began
        self._excused = False  # whether the one under way teaches nothing

    def wait(self, now: float) -> float:
        """Seconds until the next call may start."""
        turn = self._next - now
        return max(turn if turn > SLACK_S else 0.0, self._window_over() - now, 0.0)

    def _window_over(self) -> float:
        """When the oldest of as many calls as fit in a second is long enough ago."""
        fit = max(1, int(self.rate))
        return self._started[-fit] + WIDTH_S * fit / self.rate if len(self._started) >= fit else 0.0

    def share(self, replicas: int) -> None:
        """So many replicas call with one budget from now on. What throttling taught is shared in the same way."""
        before, self._ceiling = self._ceiling, self._budget / max(1, replicas)
        self.rate *= self._ceiling / before

    def started(self, now: float) -> None:
        """A call leaves."""
        turn = self._next if now - self._next < LATE_S else now
        self._next = turn + 1.0 / self.rate
        self._started.append(now)
        self._taken.append(now)

    def failed(self, started: float) -> None:
        """TikTok did not take a call, for whatever reason."""
        with suppress(ValueError):  # so long under way that it is no longer known
            self._taken.remove(started)

    def throttled(self, started: float, now: float, *, again: bool = False) -> None:
        """Learn from a refused call: fewer than TikTok took in the second before it. What is under way counts as taken.

        With none in that second it says when TikTok takes nothing, and not how many. ``again``: another call of the
        same trouble; the later it was refused, the less of the second before belongs to a window that was over.
        """
        taken = sum(started - 1.0 < at <= started for at in self._taken)
        if not again:
            self._excused = self._held_until > now >= self._troubled_at + PROVED_S
            self._troubled_at = now
        if taken and not self._excused:
            self.rate = min(self._ceiling, max(1.0, min(self.rate * (1.0 if again else KEPT), taken * KEPT)))
            self._held_until = now + min(HELD_S, taken * TRUST_S)

    def regain(self, now: float) -> None:
        """A second went well: try a little more, once what was learned is old."""
        if now >= self._held_until:
            self.rate = min(self._ceiling, self.rate * REGAINED)
