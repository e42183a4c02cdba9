"""How fast one destination may be called: concurrency by slow start and AIMD, pauses for throttling, calls a second.

Times are monotonic seconds, given by the caller. One replica, one destination; calls a second are what one replica may
take of them (``share``).
"""

from __future__ import annotations

from relay.core.tiktok.verdict import Judgement, Verdict

MOST = 16
CALLS_PER_S = 1000.0
"""TikTok's limit per developer app and endpoint (TikTok sheet section 6)."""
SECOND = 1.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
"""A limit per minute asks for five minutes of silence (TikTok sheet section 6); the code does not say which limit."""
STORM_PAUSE_S = 16.0
"""The fifth pause in a row."""
KEPT_OF_RATE = 0.9
REGAINED_OF_RATE = 1.05
SLACK_S = 0.01
"""How far calls may run ahead of their rate: at 1,000 a second a timer is too coarse for each one."""


class Governor:
    """Grows only when its limit was what held calls back: an idle destination learns nothing about TikTok."""

    def __init__(self, most: int = MOST, calls_per_s: float = CALLS_PER_S) -> None:
        self.limit = 1
        self.in_flight = 0
        self._most = most
        self._good = most  # doubling ends here
        self._budget = self._ceiling = self._rate = calls_per_s
        self._next_call = 0.0
        self._paused_until = 0.0
        self._pause_s = 0.0
        self._cut_at = float("-inf")  # calls started before this belong to a trouble already answered
        self._second_start = 0.0
        self._clean = True
        self._saturated = False
        self._answered = 0
        self._answered_before = 0

    def paused_for(self, now: float) -> float:
        """Seconds of silence still to keep."""
        return max(0.0, self._paused_until - now)

    def wait_for_rate(self, now: float) -> float:
        """Seconds until the next call may start without passing the rate."""
        wait = self._next_call - now
        return wait if wait > SLACK_S else 0.0

    @property
    def room(self) -> bool:
        """Whether another call may be in flight."""
        return self.in_flight < self.limit

    @property
    def storm(self) -> bool:
        """Throttled again after each of several pauses, longer every time."""
        return self._pause_s >= STORM_PAUSE_S

    def share(self, replicas: int) -> None:
        """So many replicas call with one budget from now on. What throttling taught is shared in the same way."""
        before, self._ceiling = self._ceiling, self._budget / max(1, replicas)
        self._rate *= self._ceiling / before

    def started(self, now: float) -> None:
        """A call leaves."""
        self.in_flight += 1
        self._saturated |= self.in_flight >= self.limit
        self._next_call = max(now, self._next_call) + 1.0 / self._rate

    def answered(self, judgement: Judgement, started: float, now: float) -> str:
        """A call is over. Returns why the limit changed, '' when it did not."""
        self.in_flight -= 1
        before = self.limit
        self._turn(now)
        match judgement.verdict:
            case Verdict.SLOW_DOWN:
                self._throttled(judgement, started, now)
            case Verdict.RETRY:
                self._cut(started, now)
            case _:
                self._answered += 1
                if started >= self._paused_until:
                    self._pause_s = 0.0
        if self.limit == before:
            return ""
        return judgement.label if self.limit < before else "clean_second"

    def stopped(self) -> None:
        """A call was called off: it says nothing."""
        self.in_flight -= 1

    def restart(self) -> None:
        """The gate closed: slow start up to the last good level."""
        self.limit = 1
        self._pause_s = self._paused_until = 0.0
        self._clean, self._saturated = True, False

    def _turn(self, now: float) -> None:
        """At the end of a second: grow if it was clean and the limit was reached."""
        if now - self._second_start < SECOND:
            return
        if self._clean and self._answered:
            self._rate = min(self._ceiling, self._rate * REGAINED_OF_RATE)
            if self._saturated:
                self.limit = min(self._most, self.limit * 2 if self.limit * 2 <= self._good else self.limit + 1)
        recent = now - self._second_start < 2 * SECOND
        self._answered_before = self._answered if recent else 0
        self._second_start, self._clean, self._saturated, self._answered = now, True, self.in_flight >= self.limit, 0

    def _throttled(self, judgement: Judgement, started: float, now: float) -> None:
        """Stop for a while, longer each time it did not help; come back below the rate that was too much."""
        if self._cut(started, now):
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
            pace = max(self._answered, self._answered_before, 1) / SECOND
            self._rate = min(self._ceiling, max(1.0, KEPT_OF_RATE * min(self._rate, pace)))
        pause = max(self._pause_s, judgement.wait_s)
        self._paused_until = max(self._paused_until, now + pause)

    def _cut(self, started: float, now: float) -> bool:
        """Halve, once for all the calls that were in flight together."""
        self._clean = False
        if started < self._cut_at:
            return False
        self._cut_at = now
        self.limit = self._good = max(1, self.limit // 2)
        return True
