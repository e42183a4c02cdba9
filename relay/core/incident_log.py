"""The lines of an incident's log: samples of the books, what each process counted, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DELAY_BOUNDS_S = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800, 604_800)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one interval brought. ``counts`` are deltas of the books since ``since_ms``, zeros left out."""

    token: str
    at_ms: int
    since_ms: int
    counts: Mapping[str, int]
    owed: int
    backlog: int
    oldest_ms: int
    value_micros: Mapping[str, int]
    gate: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Calls to TikTok that were answered with one code. A few request ids, the latest last."""

    calls: int
    verdict: str
    first_ms: int
    last_ms: int
    message: str = ""
    request_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What one process counted by itself in one interval; a process that dies takes at most one such part with it.

    ``entries`` were delivered, ``delays`` of them by ``DELAY_BOUNDS_S`` (one more for the rest), the ``longest`` in
    seconds. ``sold`` by event and currency: items, micro-units. ``buried`` by reason and currency: micro-units.
    """

    token: str
    at_ms: int
    entries: int = 0
    delays: tuple[int, ...] = ()
    longest: float = 0.0
    sold: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    buried: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    answers: Mapping[str, Answers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happening:
    """A moment worth a line in the report.

    ``what``: gate, pause, resume, probe, token, requeue, release, discard, replay, failover, failback, standby, store
    or relay. Of a replay ``before`` is its name, ``after`` what became of it.
    """

    token: str
    at_ms: int
    what: str
    before: str = ""
    after: str = ""
    detail: str = ""
    count: int = 0


LogEntry = Sample | Part | Happening
