"""Metrics as one reading of the notices.

Every series of a configured destination and source exists from the start, at zero: an alert on something that never
happened yet must have something to compare with. Labels come from enums and the configuration; what the network says
(a source in a path, a code in an answer) is bounded, the rest becomes ``other``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from relay.adapters.observe.families import Families
from relay.adapters.observe.survey_gauges import SurveyGauges
from relay.core import notices as told
from relay.core.delivery.gate import GateState
from relay.core.errors import StoreTrouble
from relay.core.event import DeadReason, EntryClass, Lane
from relay.core.mapping.repair.rules import Rule
from relay.core.notices import Notice, Outcome
from relay.ports import Clock

CURRENCIES = ("USD", "EUR", "GBP", "JPY", "BRL", "IDR", "MXN", "AUD", "CAD", "SAR")
OTHER = "other"
MOST_CODES = 100  # TikTok lists about 70; a proxy in between may invent more
RELOADED, REFUSED = "reloaded", "refused"  # what came of a mapping file that was read again
REJECTED = "rejected"  # reason of the intake's own dead letters
SILENT = frozenset({StoreTrouble.AWAY, StoreTrouble.LOADING})
FORGOTTEN_AFTER_S = 300  # a sender that stopped trying is no longer being refused
DEAD = Outcome.DEAD
RULES = frozenset(Rule)
HEARD = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.FILTERED, DEAD})


@dataclass(frozen=True, slots=True)
class Labels:
    """The label values known before anything happened."""

    destinations: tuple[str, ...]
    sources: tuple[str, ...] = ()
    currencies: tuple[str, ...] = CURRENCIES
    version: str = ""
    role: str = "all"


class Metrics:
    """A ``Tell`` that keeps Prometheus metrics, and renders them."""

    def __init__(self, labels: Labels, clock: Clock, *, disk_floor_bytes: int = 0) -> None:
        self._registry = CollectorRegistry()
        self._families = Families(self._registry)
        self._labels = labels
        self._clock = clock
        self._sources = frozenset(labels.sources)
        self._codes: set[str] = set()
        self._refused: dict[str, tuple[int, int]] = {}  # source → since, last told (ms)
        self._received = self._families.received.counts
        self._gauges = SurveyGauges(self._families, labels.currencies)
        self._readings = self._table()
        self._families.disk_floor.set(disk_floor_bytes)
        self._families.build.labels(labels.version, labels.role).set(1)
        self._start_at_zero()

    def __call__(self, notice: Notice) -> None:
        """Read one notice."""
        self._readings[type(notice)](notice)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _table(self) -> dict[type, Callable[[Any], None]]:
        return {
            told.EventsReceived: self._events_received,
            told.SenderRefused: self._sender_refused,
            told.EntriesDelivered: self._entries_delivered,
            told.EntriesBuried: self._entries_buried,
            told.ItemsRemarked: self._items_remarked,
            told.EntriesUnmatched: self._entries_unmatched,
            told.EntriesReturned: self._entries_returned,
            told.CallAnswered: self._call_answered,
            told.DeadLettersMoved: self._dead_letters_moved,
            told.MappingReloaded: lambda notice: self._mapping_read(notice.destination, RELOADED),
            told.MappingRefused: lambda notice: self._mapping_read(notice.destination, REFUSED),
            told.StoreLost: self._store_lost,
            told.StoreSurveyed: self._store_surveyed,
            told.LoopLagged: self._loop_lagged,
            **self._simple_readings(),
        }

    def _simple_readings(self) -> dict[type, Callable[[Any], None]]:
        """One metric each, or none."""
        families = self._families
        return {
            told.RequestRefused: _nothing,
            told.RequestAnswered: _nothing,
            told.ConnectionCut: lambda notice: families.connections_cut.labels(notice.port, notice.why).inc(),
            told.DoorSurveyed: self._door_surveyed,
            told.WorthIgnored: lambda notice: families.worth_ignored.labels(self._source(notice.source)).inc(),
            told.GateMoved: lambda notice: self._gauges.gate(notice.destination, notice.after),
            told.PaceChanged: lambda notice: families.concurrency.labels(notice.destination).set(notice.limit),
            told.CallsPaused: _nothing,  # the codes of the calls show it
            told.LeaseLost: lambda notice: families.leases_lost.labels(*notice.stream).inc(),
            told.DestinationPaused: _nothing,  # the survey's gate state shows it
            told.GateWoken: _nothing,
            told.StoreRestored: lambda _notice: families.redis_up.set(1),
            told.StoreWarned: _nothing,
            told.EmbeddedChanged: lambda notice: families.embedded.labels(notice.change).inc(),
            told.ServiceStarted: _nothing,
            told.ServiceStopping: _nothing,
            told.ServiceStopped: _nothing,
            told.TaskCrashed: lambda notice: families.crashed.labels(notice.task).inc(),
            told.TellingFailed: lambda notice: families.telling_failed.labels(notice.reader).inc(),
            told.IncidentOpened: lambda notice: families.incident_open.labels(notice.destination).set(1),
            told.IncidentClosed: lambda notice: families.incident_open.labels(notice.destination).set(0),
            told.EntriesShed: lambda notice: families.settled.labels(*notice.stream, "shed").inc(notice.count),
            told.EntriesLapsed: lambda notice: families.settled.labels(*notice.stream, "lapsed").inc(notice.count),
            told.EntriesForgotten: lambda notice: families.settled.labels(*notice.stream, "forgotten").inc(
                notice.count
            ),
            told.PeopleSuppressed: _nothing,
            told.RecordsErased: _nothing,  # the books count them
            told.LettersWeighed: lambda notice: families.letters_limit.labels(notice.destination).set(notice.fullness),
            told.RecordsTrimmed: lambda one: families.trimmed.labels(one.destination, one.what).inc(one.count),
            told.ArchiveShed: lambda notice: families.archive_shed.inc(notice.count),
            told.ArchiveMissed: lambda notice: families.archive_missed.inc(notice.count),
            told.EntriesReplayed: lambda notice: families.replayed.labels(*notice.stream).inc(notice.count),
            told.ReplayStarted: _nothing,
            told.ReplayTurned: _nothing,
            told.ReplayEnded: _nothing,
            told.FailoverStarted: _nothing,  # the survey's mode shows these
            told.FailbackStarted: _nothing,
            told.FailbackFinished: _nothing,
        }

    def _source(self, source: str) -> str:
        return source if source in self._sources else OTHER

    def _events_received(self, notice: told.EventsReceived) -> None:
        # Once per request on the hottest path there is: plain dictionaries, and nothing else for what is accepted.
        outcome = notice.outcome
        key = (notice.source, outcome)
        if key in self._received:
            self._received[key] += notice.events
        else:
            self._families.received.add(notice.events, OTHER, outcome)
        if notice.seconds is not None:
            self._families.intake_seconds.observe(notice.seconds)
        if notice.why or outcome is DEAD:
            self._turned_away(notice)
        if self._refused and outcome in HEARD and notice.source in self._refused:
            del self._refused[notice.source]
            self._families.sender_refused.labels(self._source(notice.source)).set(0)

    def _turned_away(self, notice: told.EventsReceived) -> None:
        self._families.turned_away.add(notice.events, self._source(notice.source), notice.outcome, notice.why)
        if notice.outcome is DEAD:
            self._families.dead_letters.labels("-", REJECTED).inc(notice.events)

    def _sender_refused(self, notice: told.SenderRefused) -> None:
        if len(self._refused) > len(self._sources) + MOST_CODES and notice.source not in self._refused:
            return  # made-up sources: the ``other`` series stands already
        self._refused[notice.source] = (notice.since_ms, self._clock.now_ms())
        self._show_refusals()

    def _show_refusals(self) -> None:
        """How long each sender has been refused; one that has not tried for minutes is let go."""
        now = self._clock.now_ms()
        shown = dict.fromkeys(map(self._source, self._refused), 0.0)
        for source, (since, last) in list(self._refused.items()):
            if now - last > FORGOTTEN_AFTER_S * 1000:
                del self._refused[source]
                continue
            label = self._source(source)
            shown[label] = max(shown[label], (now - since) / 1000)
        for label, seconds in shown.items():
            self._families.sender_refused.labels(label).set(seconds)

    def _entries_delivered(self, notice: told.EntriesDelivered) -> None:
        destination, klass = notice.stream
        count = len(notice.delays)
        self._families.delivered.labels(destination, klass, notice.lane).inc(count)
        self._families.settled.labels(destination, klass, "delivered").inc(count)
        self._families.delay.observe_all(notice.delays, destination, klass)

    def _entries_buried(self, notice: told.EntriesBuried) -> None:
        self._families.dead_letters.labels(notice.stream.destination, notice.reason).inc(notice.count)
        self._families.settled.labels(*notice.stream, "dead").inc(notice.count)

    def _items_remarked(self, notice: told.ItemsRemarked) -> None:
        family = self._families.repaired if notice.remark in RULES else self._families.doubted
        family.labels(notice.destination, notice.remark).inc(notice.items)

    def _entries_unmatched(self, notice: told.EntriesUnmatched) -> None:
        self._families.settled.labels(*notice.stream, "unmatched").inc(notice.count)

    def _entries_returned(self, notice: told.EntriesReturned) -> None:
        ambiguous = "true" if notice.ambiguous else "false"
        self._families.returned.labels(*notice.stream, ambiguous).inc(notice.count)

    def _call_answered(self, notice: told.CallAnswered) -> None:
        if len(self._codes) < MOST_CODES:
            self._codes.add(notice.code)
        code = notice.code if notice.code in self._codes else OTHER
        self._families.requests.labels(notice.destination, notice.verdict, code).inc()
        self._families.request_seconds.observe_all((notice.seconds,), notice.destination)

    def _dead_letters_moved(self, notice: told.DeadLettersMoved) -> None:
        self._families.letters_moved.labels(notice.destination, notice.action).inc(notice.count)

    def _mapping_read(self, destination: str, result: str) -> None:
        self._families.mapping_reloads.labels(destination, result).inc()
        self._families.mapping_refused.labels(destination).set(result == REFUSED)

    def _store_lost(self, notice: told.StoreLost) -> None:
        if notice.trouble in SILENT:  # a full store still answers, and delivery goes on
            self._families.redis_up.set(0)

    def _store_surveyed(self, notice: told.StoreSurveyed) -> None:
        self._families.redis_up.set(1)
        self._families.clock_skew.set((notice.survey.now_ms - self._clock.now_ms()) / 1000)
        self._gauges.show(notice)

    def _loop_lagged(self, notice: told.LoopLagged) -> None:
        self._families.loop_lag.set(notice.seconds)
        if self._refused:  # this notice comes every second, store or no store
            self._show_refusals()

    def _door_surveyed(self, notice: told.DoorSurveyed) -> None:
        self._families.connections.set(notice.connections)
        self._families.in_flight.set(notice.in_flight_bytes)
        self._families.queued.set(notice.queued_bytes)

    def _start_at_zero(self) -> None:
        for why in told.Cut:
            self._families.connections_cut.labels("intake", why)
        for source in (*self._labels.sources, OTHER):
            self._families.sender_refused.labels(source).set(0)
            for outcome in Outcome:
                self._families.received.add(0, source, outcome)
        for destination in self._labels.destinations:
            self._start_destination(destination)
        self._families.dead_letters.labels("-", REJECTED)
        self._families.letters_kept.labels("-")
        for klass in EntryClass:
            self._families.archived.labels(klass)

    def _start_destination(self, destination: str) -> None:
        families = self._families
        for klass in EntryClass:
            families.delay.ensure(destination, klass)
            families.replayed.labels(destination, klass)
            families.leases_lost.labels(destination, klass)
            for lane in Lane:
                families.delivered.labels(destination, klass, lane)
            for ending in ("delivered", "dead", "unmatched", "lapsed", "forgotten"):
                families.settled.labels(destination, klass, ending)
        families.settled.labels(destination, EntryClass.ENGAGEMENT, "shed")
        for reason in DeadReason:
            families.dead_letters.labels(destination, reason)
        for result in (RELOADED, REFUSED):
            families.mapping_reloads.labels(destination, result)
        for what in ("dead_letters", "reports"):
            families.trimmed.labels(destination, what)
        families.letters_limit.labels(destination)
        families.mapping_refused.labels(destination)
        families.incident_open.labels(destination)
        families.request_seconds.ensure(destination)
        families.requests.labels(destination, "delivered", "0")
        self._gauges.start(destination)
        self._gauges.gate(destination, GateState.CLOSED)


def _nothing(_notice: Notice) -> None:
    """Nothing to count."""
