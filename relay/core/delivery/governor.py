"""How fast one destination may be called: concurrency by slow start and AIMD, pauses for throttling, calls a second.

Times are monotonic seconds, given by the caller. One replica, one destination; calls a second are what one replica may
take of them (``share``). Throttling says that calls came too fast, and moves the pace; failures say that TikTok is
strained, and move how many calls are under way at once.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil

from relay.core.delivery.pace import Pace
from relay.core.tiktok.verdict import Judgement, Verdict

MOST = 16
CALLS_PER_S = 1000.0
"""TikTok's limit per developer app and endpoint (TikTok sheet section 6)."""
SECOND = 1.0
FIRST_PAUSE_S = 1.0
MINUTES_PAUSE_S = 300.0
"""A limit per minute asks for five minutes of silence (TikTok sheet section 6); the code does not say which limit."""
DAYS_PAUSE_S = 900.0
"""Five minutes of silence did not help, so the limit is one per day, which ends at 00:00 UTC (TikTok sheet section 6):
four knocks an hour find that soon enough."""
STORM_PAUSE_S = 16.0
"""The fifth pause in a row."""


class Presumed(StrEnum):
    """Which limit throttling comes from, judged by which silence did not help."""

    NONE = ""
    PER_SECOND = "per_second"
    PER_MINUTE = "per_minute"
    PER_DAY = "per_day"


STRAINED = 3.0
RELIEF = 0.2
"""Failures that are not outweighed by five good calls each: at one failure in twenty calls, which a vendor calls normal
(TikTok sheet section 7), that is rare, and with half of the calls failing a matter of eight."""
SOON_S = 0.25
"""Leases are claimed for the calls of so long: what waits in hand cannot be overtaken by something fresher."""


class Governor:
    """Grows only when its limit was what held calls back: an idle destination learns nothing about TikTok."""

    def __init__(self, most: int = MOST, calls_per_s: float = CALLS_PER_S) -> None:
        self.limit = 1
        self.in_flight = 0
        self._most = most
        self._good = most  # doubling ends here
        self._pace = Pace(calls_per_s)
        self._strain = 0.0
        self._paused_until = 0.0
        self._pause_s = 0.0
        self._cut_at = float("-inf")  # calls started before this belong to a trouble already answered
        self._second_start = 0.0
        self._clean = True
        self._saturated = False
        self._answered = 0

    def paused_for(self, now: float) -> float:
        """Seconds of silence still to keep."""
        return max(0.0, self._paused_until - now)

    def wait_for_rate(self, now: float) -> float:
        """Seconds until the next call may start without passing the rate."""
        return self._pace.wait(now)

    @property
    def room(self) -> bool:
        """Whether another call may be in flight."""
        return self.in_flight < self.limit

    @property
    def soon(self) -> int:
        """How many more calls may start within a moment, as far as room and pace allow."""
        return max(0, min(self.limit - self.in_flight, ceil(self._pace.rate * SOON_S)))

    @property
    def storm(self) -> bool:
        """Throttled again after each of several pauses, longer every time."""
        return self._pause_s >= STORM_PAUSE_S

    @property
    def presumed(self) -> Presumed:
        """Which limit is passed, as far as the pauses so far tell."""
        if not self._pause_s:
            return Presumed.NONE
        if self._pause_s < STORM_PAUSE_S:
            return Presumed.PER_SECOND
        return Presumed.PER_MINUTE if self._pause_s <= MINUTES_PAUSE_S else Presumed.PER_DAY

    def woken(self) -> None:
        """Somebody knows better than the pause: knock now. Another refusal is answered with the next longer one."""
        self._paused_until = 0.0

    def share(self, replicas: int) -> None:
        """So many replicas call with one budget from now on. What throttling taught is shared in the same way."""
        self._pace.share(replicas)

    def started(self, now: float) -> None:
        """A call leaves."""
        self.in_flight += 1
        self._saturated |= self.in_flight >= self.limit
        self._pace.started(now)

    def answered(self, judgement: Judgement, started: float, now: float) -> str:
        """A call is over. Returns why the limit changed, '' when it did not."""
        self.in_flight -= 1
        before = self.limit
        self._turn(now)
        match judgement.verdict:
            case Verdict.SLOW_DOWN:
                self._throttled(judgement, started, now)
            case Verdict.RETRY:
                self._failed(started, now)
            case _:
                self._passed(started)
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
            self._pace.regain(now)
            if self._saturated:
                self.limit = min(self._most, self.limit * 2 if self.limit * 2 <= self._good else self.limit + 1)
        self._second_start, self._clean, self._saturated, self._answered = now, True, self.in_flight >= self.limit, 0

    def _passed(self, started: float) -> None:
        self._answered += 1
        self._strain = max(0.0, self._strain - RELIEF)
        if started >= self._paused_until:
            self._pause_s = 0.0

    def _throttled(self, judgement: Judgement, started: float, now: float) -> None:
        """Stop for a while, longer each time it did not help; come back below the rate that was too much."""
        self._pace.failed(started)
        first = self._first_of_trouble(started, now)
        self._pace.throttled(started, now, again=not first)
        if first:
            kept = self._pause_s  # a whole silence of so long, and it did not help
            longer = DAYS_PAUSE_S if kept >= MINUTES_PAUSE_S else min(MINUTES_PAUSE_S, 2 * kept)
            self._pause_s = max(FIRST_PAUSE_S, longer)
        pause = max(self._pause_s, judgement.wait_s)
        self._paused_until = max(self._paused_until, now + pause)

    def _failed(self, started: float, now: float) -> None:
        """Halve when failures pile up: one among many good calls says nothing about how many TikTok can take."""
        self._pace.failed(started)
        if started >= self._cut_at:
            self._strain += 1.0
        if self._strain >= STRAINED and self._first_of_trouble(started, now):
            self.limit = self._good = max(1, self.limit // 2)

    def _first_of_trouble(self, started: float, now: float) -> bool:
        """Answer once for all the calls that were in flight together."""
        self._clean = False
        if started < self._cut_at:
            return False
        self._cut_at, self._strain = now, 0.0
        return True
