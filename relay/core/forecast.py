"""When will it be done, when will it be full, what will be too old by then: straight lines through the last minute.

Seconds, entries, bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from relay.core.delivery.gate import PAUSED
from relay.core.event import StreamSurvey

SPAN_S = 60.0  # how far back a rate looks
SETTLED_S = 5.0  # a rate over less than this is noise


@dataclass(frozen=True, slots=True)
class Trend:
    """A quantity over the last ``SPAN_S`` seconds, as (seconds, quantity), oldest first."""

    samples: tuple[tuple[float, float], ...] = ()

    def with_sample(self, at: float, quantity: float) -> Trend:
        """The trend after one more look; what is older than the span is forgotten."""
        kept = tuple(sample for sample in self.samples if sample[0] >= at - SPAN_S)
        return Trend((*kept, (at, quantity)))

    @property
    def rate(self) -> float | None:
        """Change per second between the ends of the span; None while there is too little to tell."""
        if not self.samples:
            return None
        (start, before), (end, after) = self.samples[0], self.samples[-1]
        if end - start < SETTLED_S:
            return None
        return (after - before) / (end - start)


def waiting(stream: StreamSurvey, gate: str | None) -> int:
    """Entries that wait for their turn; what is live is merely on its way.

    Where the gate is paused that is everything which may be sent: only claims move the mark, and nobody claims.
    """
    return stream.sendable if gate == PAUSED else stream.backlog


def drain_eta(owed: int, backlog: int, rate: float | None) -> float:
    """Seconds until what is owed is gone, at the net rate so far.

    0 without a backlog (see ``waiting``), infinite while the owed do not become fewer.
    """
    if backlog <= 0:
        return 0.0
    if rate is None or rate >= 0:
        return math.inf
    return owed / -rate


def full_eta(used: int, limit: int, rate: float | None) -> float:
    """Seconds until ``used`` reaches ``limit``; infinite without a limit or without growth, 0 when it is there."""
    if limit <= 0:
        return math.inf
    if used >= limit:
        return 0.0
    if rate is None or rate <= 0:
        return math.inf
    return (limit - used) / rate


class Cohort(NamedTuple):
    """Entries that stand together in a queue and are about equally old."""

    age_s: float
    entries: float


class Breach(NamedTuple):
    """How many entries will pass a limit before they are served, and in how many seconds the first does."""

    entries: int = 0
    first_s: float = math.inf


def cohorts(samples: Sequence[tuple[int, int]], owed: int, now_ms: int) -> list[Cohort]:
    """(received ms, entries found) of equal parts of a queue, in its order → cohorts that add up to ``owed``.

    Who found fewer than are owed looked into windows only, and what comes in bursts may have missed them: the more of
    them are empty, the more is spread evenly.
    """
    known = [(received_ms, found) for received_ms, found in samples if received_ms]
    total = sum(found for _, found in known)
    empty = sum(not found for _, found in known)
    even = 0.0 if total >= owed or not empty else max(total, 1) * empty / (2 * len(known) ** 2)
    weights = [found + even for _, found in known]
    return [
        Cohort(max(0, now_ms - received_ms) / 1000, owed * weight / sum(weights))
        for (received_ms, _), weight in zip(known, weights, strict=True)
        if weight
    ]


def limit_breach(queue: Sequence[Cohort], limit_s: float, rate: float | None) -> Breach:
    """What of a queue, first served first, will be older than ``limit_s`` when its turn comes.

    ``rate``: change of the queue per second. Where it does not shrink, everything passes the limit some day; as long
    as nobody can tell, nothing does.
    """
    if rate is None:
        return Breach()
    served, late, first_s = 0.0, 0.0, math.inf
    for age_s, entries in queue:
        left_s = max(0.0, limit_s - age_s)
        in_time = left_s * -rate - served if rate < 0 and age_s <= limit_s else 0.0
        missed = entries - min(max(in_time, 0.0), entries)
        if missed > 0:
            late, first_s = late + missed, min(first_s, left_s)
        served += entries
    return Breach(math.ceil(late), first_s) if late else Breach()
