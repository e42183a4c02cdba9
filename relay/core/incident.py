"""Incidents: when one opens, when it closes, and what is written down of it. Pure.

An incident is a time in which the gate of a destination was not closed, a backlog stood, or a fail-over was under way.
It lasts until all that came in meanwhile has met its ending; what goes wrong before that belongs to the same incident.

Of an incident are kept its *record*, which one replica at a time replaces (it names the version it read), and its
*log*, which only grows: samples of the books, and what each process saw by itself. Deltas of the books are exact, also
across restarts; whoever writes a line of the log twice writes it under the same token, so that it is read once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from relay.core.delivery.gate import PAUSED, GateState
from relay.core.event import DeadReason
from relay.core.incident_log import Sample
from relay.core.notices import StoreSurveyed

GATE, BACKLOG, FAILOVER = "gate", "backlog", "failover"
SHUT = frozenset({GateState.OPEN.value, GateState.PROBING.value, GateState.HELD.value})
ACTIVE, STANDBY = "active", "standby"
TAKEN_OVER = frozenset({"failover", "failback"})  # modes in which a destination that stood by sends
DEAD = tuple(f"dead:{reason.value}" for reason in DeadReason)


@dataclass(frozen=True, slots=True)
class Patience:
    """Milliseconds: between samples, until a backlog counts as standing, until calm counts as over."""

    every_ms: int = 60_000
    standing_ms: int = 60_000
    calm_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the books of one destination stood: its classes added up. ``books`` are the counters of the ledger."""

    at_ms: int = 0
    owed: int = 0
    value_micros: Mapping[str, int] = field(default_factory=dict)
    books: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a destination. Times are the store's. ``mode``: active, standby, failover or failback."""

    standing: Standing
    gate: str
    backlog: int
    oldest_received_ms: int | None
    mode: str = ACTIVE

    @property
    def failover(self) -> bool:
        """A fail-over is under way, or its end."""
        return self.mode in TAKEN_OVER

    @property
    def stands(self) -> bool:
        """A backlog is waiting to be sent. What an operator paused, or what stands by, waits because it should."""
        return self.backlog > 0 and self.gate != PAUSED and self.mode != STANDBY

    @property
    def at_ms(self) -> int:
        """When."""
        return self.standing.at_ms

    @property
    def oldest_age_ms(self) -> int:
        """Age of the oldest entry owed, 0 when none is."""
        return max(0, self.at_ms - self.oldest_received_ms) if self.oldest_received_ms is not None else 0


def look_at(surveyed: StoreSurveyed, destination: str, mode: str = ACTIVE, replayed: int = 0) -> Look:
    """What a survey says about one destination; so many entries of its backlog are put there by a replay."""
    streams = [stream for stream in surveyed.survey.streams if stream.stream.destination == destination]
    books, value = Counter[str](), Counter[str]()
    for stream in streams:
        books.update(stream.books)
        value.update(stream.value_micros)
    owed = sum(stream.owed for stream in streams)
    return Look(
        Standing(surveyed.survey.now_ms, owed, dict(value), dict(books)),
        surveyed.gates.get(destination, GateState.CLOSED.value),
        max(0, sum(stream.backlog for stream in streams) - replayed),
        min((at for stream in streams if (at := stream.oldest_received_ms) is not None), default=None),
        mode,
    )


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst of a time: most entries owed (and what they were worth then), greatest age."""

    owed: int = 0
    at_ms: int = 0
    value_micros: Mapping[str, int] = field(default_factory=dict)
    oldest_ms: int = 0

    def worse(self, other: Peak) -> Peak:
        """The worse of both."""
        high = other if other.owed > self.owed else self
        return replace(high, oldest_ms=max(self.oldest_ms, other.oldest_ms))


@dataclass(frozen=True, slots=True)
class Incident:
    """The record of one incident. Numbers count up by destination, so that two replicas cannot open it twice.

    ``reason`` is why the gate left closed; ``troubled_ms`` when something was last seen wrong; ``settled_ms`` since
    when all was well before it was closed; ``closed_ms`` 0 while it is open.
    """

    destination: str
    number: int
    version: int = 0
    opened_ms: int = 0
    causes: tuple[str, ...] = ()
    reason: str = ""
    troubled_ms: int = 0
    settled_ms: int = 0
    closed_ms: int = 0
    every_ms: int = 60_000
    opening: Standing = Standing()
    latest: Standing = Standing()
    peak: Peak = Peak()

    @property
    def id(self) -> str:
        """What people call it: ``tiktok-3``."""
        return f"{self.destination}-{self.number}"

    @property
    def ongoing(self) -> bool:
        """Whether it goes on."""
        return not self.closed_ms


def counted(incident: Incident, *names: str) -> int:
    """How far these counters of the ledger moved during the incident, added up."""
    opening, latest = incident.opening.books, incident.latest.books
    return sum(latest.get(name, 0) - opening.get(name, 0) for name in names)


@dataclass(frozen=True, slots=True)
class Vigil:
    """What one process remembers from look to look; a restart begins a new one."""

    backlog_since_ms: int = 0
    calm_since_ms: int = 0
    peak: Peak = Peak()


def watched(vigil: Vigil, look: Look, incident: Incident | None) -> Vigil:
    """The vigil after a look. ``incident``: the one that is open."""
    peak = Peak(look.standing.owed, look.at_ms, look.standing.value_micros, look.oldest_age_ms)
    return Vigil(
        backlog_since_ms=(vigil.backlog_since_ms or look.at_ms) if look.stands else 0,
        calm_since_ms=(vigil.calm_since_ms or look.at_ms) if incident and _calm(look, incident) else 0,
        peak=vigil.peak.worse(peak) if incident else Peak(),
    )


def wrong(vigil: Vigil, look: Look, patience: Patience) -> tuple[str, ...]:
    """What makes this moment an incident; nothing in good times. That an operator paused it is no incident."""
    stands = vigil.backlog_since_ms and look.at_ms - vigil.backlog_since_ms >= patience.standing_ms
    found = ((GATE, look.gate in SHUT), (BACKLOG, bool(stands)), (FAILOVER, look.failover))
    return tuple(cause for cause, is_so in found if is_so)


def _calm(look: Look, incident: Incident) -> bool:
    """Nothing is wrong, and nothing is owed of the time when something was."""
    if look.gate != GateState.CLOSED.value or look.failover:
        return False
    if look.mode == STANDBY:
        return True
    if look.backlog:
        return False
    return look.oldest_received_ms is None or look.oldest_received_ms > incident.troubled_ms


def troubled(incident: Incident, look: Look) -> Incident:
    """Note when something was last seen wrong; what came in until then belongs to the incident."""
    ill = look.gate in SHUT or look.failover or look.stands
    return replace(incident, troubled_ms=max(incident.troubled_ms, look.at_ms)) if ill else incident


def over(vigil: Vigil, look: Look, patience: Patience) -> bool:
    """All has been well for long enough to close."""
    return bool(vigil.calm_since_ms) and look.at_ms - vigil.calm_since_ms >= patience.calm_ms


def due(incident: Incident, look: Look, causes: Sequence[str]) -> bool:
    """Whether a sample is to be taken: another interval began, or there is a new cause.

    A clock that was set back far begins anew; one that is a little behind (another replica's look) does not.
    """
    now, last = (at // incident.every_ms for at in (look.at_ms, incident.latest.at_ms))
    return now > last or now < last - 1 or not set(causes) <= set(incident.causes)


def opened(
    destination: str, number: int, look: Look, causes: Sequence[str], patience: Patience, *, since_ms: int, reason: str
) -> Incident:
    """A new incident. ``since_ms``: when the gate left closed, if it did."""
    return Incident(
        destination,
        number,
        opened_ms=since_ms if 0 < since_ms <= look.at_ms else look.at_ms,
        causes=tuple(causes),
        reason=reason,
        troubled_ms=look.at_ms,
        every_ms=patience.every_ms,
        opening=look.standing,
        latest=look.standing,
        peak=Peak(look.standing.owed, look.at_ms, look.standing.value_micros, look.oldest_age_ms),
    )


def sampled(incident: Incident, vigil: Vigil, look: Look, causes: Sequence[str]) -> tuple[Incident, Sample]:
    """The record after a sample, and the sample: what the books moved by since the last one, however long ago."""
    before, now = incident.latest, look.standing
    names = dict.fromkeys((*before.books, *now.books))
    deltas = {name: now.books.get(name, 0) - before.books.get(name, 0) for name in names}
    sample = Sample(
        token=f"sample-{incident.version + 1}",
        at_ms=look.at_ms,
        since_ms=before.at_ms,
        counts={name: delta for name, delta in deltas.items() if delta},
        owed=now.owed,
        backlog=look.backlog,
        oldest_ms=look.oldest_age_ms,
        value_micros=now.value_micros,
        gate=look.gate,
    )
    more = tuple(cause for cause in causes if cause not in incident.causes)
    grown = replace(incident, latest=now, causes=incident.causes + more, peak=incident.peak.worse(vigil.peak))
    return grown, sample


def closed(incident: Incident, vigil: Vigil, look: Look) -> tuple[Incident, Sample]:
    """The record of an incident that is over, with its last sample."""
    last, sample = sampled(incident, vigil, look, ())
    return replace(last, settled_ms=vigil.calm_since_ms, closed_ms=look.at_ms), sample
