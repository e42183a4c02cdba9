"""When will it be done, when will it be full: straight lines through the last minute. Seconds, entries, bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


def drain_eta(owed: int, backlog: int, rate: float | None) -> float:
    """Seconds until what is owed is gone, at the net rate so far.

    0 without a backlog (what is live is merely on its way), infinite while the owed do not become fewer.
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
