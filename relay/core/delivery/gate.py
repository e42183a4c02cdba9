"""The gate of a destination: a circuit breaker whose behaviour is a transition table.

Every replica reads and writes the same record; each write names the version it read, so an old prober's news is
dropped. Asking (``permit``) changes nothing; ``after`` returns the next record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class GateState(StrEnum):
    """Where a gate stands."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    HELD = "held"


PAUSED = "paused"
"""An operator's stop, shown in the place of a gate's state because it outranks it."""


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What is stored of a gate; every write names the version it read (``GateStore.save``)."""

    state: GateState = GateState.CLOSED
    version: int = 0
    until_ms: int = 0  # open: no probe before; held: no slow probe before
    wait_ms: int = 0  # last back-off, the input of the next decorrelated one
    step: int = 0  # rung of the probe ladder
    prober: str = ""  # replica that probes
    prober_until_ms: int = 0
    reason: str = ""  # why it left closed: a code or an error name
    since_ms: int = 0  # when it left closed


class Signal(StrEnum):
    """What can happen to a gate."""

    TRIPPED = "tripped"  # too many transient failures while closed
    FAULT = "fault"  # token or configuration fault
    DUE = "due"  # the wait is over: a replica takes the probe
    PASSED = "passed"  # a probe was answered like in good times
    SERVED = "served"  # it passed, but with too few entries to prove anything for the next rung
    CLIMBED = "climbed"  # the last rung passed, or nothing is left to probe with
    FAILED = "failed"  # a probe met a transient failure
    WOKEN = "woken"  # changed secret, resume, or an operator's probe


MOVES: dict[tuple[GateState, Signal], GateState] = {
    (GateState.CLOSED, Signal.TRIPPED): GateState.OPEN,
    (GateState.CLOSED, Signal.FAULT): GateState.HELD,
    (GateState.OPEN, Signal.DUE): GateState.PROBING,
    (GateState.OPEN, Signal.WOKEN): GateState.OPEN,
    (GateState.PROBING, Signal.DUE): GateState.PROBING,  # the prober vanished, another one takes over
    (GateState.PROBING, Signal.PASSED): GateState.PROBING,
    (GateState.PROBING, Signal.SERVED): GateState.PROBING,
    (GateState.PROBING, Signal.CLIMBED): GateState.CLOSED,
    (GateState.PROBING, Signal.FAILED): GateState.OPEN,
    (GateState.PROBING, Signal.FAULT): GateState.HELD,
    (GateState.HELD, Signal.DUE): GateState.HELD,  # a slow probe: still held until it passes
    (GateState.HELD, Signal.WOKEN): GateState.HELD,
    (GateState.HELD, Signal.PASSED): GateState.PROBING,
    (GateState.HELD, Signal.FAILED): GateState.HELD,
    (GateState.HELD, Signal.FAULT): GateState.HELD,
}

LADDER = (1, 10, 100, 500)
"""Entries in the probing calls, one call at a time: a half-recovered TikTok is not met with everything at once."""
SERVED_ENOUGH = 5
FIRST_WAIT_MS = 1_000
LONGEST_WAIT_MS = 60_000
SLOW_PROBE_MS = 300_000
LONGEST_HOLD_MS = 3_600_000
PROBER_MS = 60_000
"""A probe is one call of at most 8 s and its settling; a prober silent for this long has gone."""


class Uniform(Protocol):
    """The dice a back-off needs."""

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        ...


@dataclass(frozen=True, slots=True)
class News:
    """A signal with its circumstances. ``floor_s``: TikTok or the table asked for at least this long a wait."""

    signal: Signal
    now_ms: int
    reason: str = ""
    floor_s: float = 0.0
    replica: str = ""


def after(record: GateRecord, news: News, chance: Uniform) -> GateRecord | None:
    """The record after the news; None when the table knows no such move (the news changes nothing)."""
    state = MOVES.get((record.state, news.signal))
    if state is None:
        return None
    moved = replace(record, state=state, prober="", prober_until_ms=0)
    match news.signal:
        case Signal.DUE:
            return replace(moved, prober=news.replica, prober_until_ms=news.now_ms + PROBER_MS)
        case Signal.CLIMBED:
            return GateRecord(version=record.version)
        case Signal.WOKEN:
            return replace(moved, until_ms=news.now_ms)
        case Signal.PASSED | Signal.SERVED:
            step = min(record.step + (news.signal is Signal.PASSED), len(LADDER) - 1)
            until_ms = news.now_ms + PROBER_MS
            return replace(moved, step=step, wait_ms=0, prober=record.prober, prober_until_ms=until_ms)
        case Signal.FAULT:
            return replace(_left(moved, record, news), until_ms=news.now_ms + SLOW_PROBE_MS)
        case Signal.FAILED | Signal.TRIPPED:
            return _waiting(_left(moved, record, news), news, chance)


def _left(moved: GateRecord, record: GateRecord, news: News) -> GateRecord:
    """Remember why and since when the gate is not closed; the first rung is next."""
    since_ms = news.now_ms if record.state is GateState.CLOSED else record.since_ms
    return replace(moved, step=0, reason=news.reason or record.reason, since_ms=since_ms)


def _waiting(moved: GateRecord, news: News, chance: Uniform) -> GateRecord:
    """Decorrelated jitter (AWS Architecture Blog, 2015), never below what TikTok asked for; held gates wait longer."""
    if moved.state is GateState.HELD:
        return replace(moved, until_ms=news.now_ms + SLOW_PROBE_MS)
    wait_ms = int(min(LONGEST_WAIT_MS, chance.uniform(FIRST_WAIT_MS, 3 * max(FIRST_WAIT_MS, moved.wait_ms))))
    return replace(moved, wait_ms=wait_ms, until_ms=news.now_ms + max(wait_ms, int(news.floor_s * 1000)))


@dataclass(frozen=True, slots=True)
class Permit:
    """What a replica may do now. ``limit``: entries of the next call, 0 for none; ``take``: take the probe first."""

    limit: int
    probe: bool = False
    take: bool = False


FREE = Permit(limit=LADDER[-1])
STOP = Permit(limit=0)


def permit(record: GateRecord, replica: str, now_ms: int) -> Permit:
    """Ask what ``replica`` may do; changes nothing."""
    if record.state is GateState.CLOSED:
        return FREE
    probe = Permit(limit=LADDER[record.step], probe=True)
    if record.prober and now_ms < record.prober_until_ms:
        return probe if record.prober == replica else STOP
    # A clock that was set back must not keep a gate shut: nobody ever waits longer than that.
    if record.state is not GateState.PROBING and now_ms < record.until_ms <= now_ms + LONGEST_HOLD_MS:
        return STOP
    return replace(probe, take=True)


def passed(record: GateRecord, entries: int, served: int = 0) -> Signal:
    """What a probe of ``entries`` that went well means on this rung.

    ``served``: how many too small ones went well just before it. Enough of them in a row prove the rung too: they were
    all that there was to send, and a shop with little traffic must not stay on the ladder for ever.
    """
    if record.state is GateState.PROBING:
        if entries * 2 < LADDER[record.step] and served + 1 < SERVED_ENOUGH:
            return Signal.SERVED
        if record.step == len(LADDER) - 1:
            return Signal.CLIMBED
    return Signal.PASSED
