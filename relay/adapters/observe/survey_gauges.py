"""The gauges that one look at the store sets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from relay.adapters.observe.families import Families
from relay.core.delivery.gate import PAUSED, GateState
from relay.core.delivery.mode import Mode
from relay.core.event import ENDINGS, ArchiveSurvey, EntryClass, Lane, StoreSurvey, StreamSurvey
from relay.core.notices import StoreSurveyed

STATES = (*(state.value for state in GateState), PAUSED)
LINES = ("accepted", "requeued", "duplicates", *ENDINGS)  # of the books
STANDBY = "standby"  # shown as a lane beside those that are claimed
NO_CURRENCY = "OTHER"  # unknown, or not among the listed ones
MICROS = 1_000_000


class SurveyGauges:
    """Writes surveys into gauges. Every gauge it ever wrote is written again, so none keeps a value that is gone."""

    def __init__(self, families: Families, currencies: Sequence[str]) -> None:
        self._families = families
        self._currencies = tuple(currencies)

    def start(self, destination: str) -> None:
        """Let every series of a destination exist."""
        families = self._families
        for klass in EntryClass:
            for lane in (*Lane, STANDBY):
                families.backlog.labels(destination, klass, lane)
            families.oldest.labels(destination, klass)
            for line in LINES:
                families.books.labels(destination, klass, line)
        self._value({destination: {}})
        families.limit_breach.labels(destination)
        families.limit_breach_seconds.labels(destination).set(math.inf)
        for gauge in (families.concurrency, families.drain_eta, families.letters_kept, families.unbalanced):
            gauge.labels(destination)
        for mode in Mode:
            families.mode.labels(destination, mode)

    def gate(self, destination: str, state: str) -> None:
        """Show the one state a gate is in."""
        for name in STATES:
            self._families.gate.labels(destination, name).set(1 if name == state else 0)

    def show(self, notice: StoreSurveyed) -> None:
        """Write one survey."""
        families = self._families
        self._store(notice.survey, notice.full_eta)
        self._streams(notice.survey.streams, notice.survey.now_ms)
        for destination, state in notice.gates.items():
            self.gate(destination, state)
        for destination, limit in notice.paces.items():
            families.concurrency.labels(destination).set(limit)
        for destination, seconds in notice.drain_eta.items():
            families.drain_eta.labels(destination).set(seconds)
        for destination, breach in notice.breaches.items():
            families.limit_breach.labels(destination).set(breach.entries)
            families.limit_breach_seconds.labels(destination).set(breach.first_s)
        for destination, record in notice.modes.items():
            for mode in Mode:
                families.mode.labels(destination, mode).set(mode is record.mode)
        for destination, count in notice.survey.dead.items():
            families.letters_kept.labels(destination).set(count)

    def _store(self, survey: StoreSurvey, full_eta: float) -> None:
        self._families.journal.set(survey.used_bytes)
        self._families.journal_limit.set(survey.max_bytes)
        self._families.full_eta.set(full_eta)
        archive = survey.archive or ArchiveSurvey(dict.fromkeys(EntryClass, 0))
        self._families.archive_bytes.set(archive.used_bytes)
        for klass, events in archive.events.items():
            self._families.archived.labels(klass).set(events)
        if survey.disk_free_bytes is not None:
            self._families.disk_free.set(survey.disk_free_bytes)

    def _streams(self, streams: Iterable[StreamSurvey], now_ms: int) -> None:
        families = self._families
        value: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        unbalanced: dict[str, int] = defaultdict(int)
        for stream in streams:
            destination, klass = stream.stream
            families.backlog.labels(destination, klass, Lane.BACKLOG).set(stream.backlog)
            families.backlog.labels(destination, klass, Lane.LIVE).set(stream.sendable - stream.backlog)
            families.backlog.labels(destination, klass, STANDBY).set(stream.standing)
            families.oldest.labels(destination, klass).set(age_seconds(stream, now_ms))
            for line in LINES:
                families.books.labels(destination, klass, line).set(stream.books.get(line, 0))
            unbalanced[destination] += abs(stream.unbalanced)  # a surplus must not hide a deficit
            for currency, micros in stream.value_micros.items():
                value[destination][self._listed(currency)] += micros
            value[destination].setdefault(NO_CURRENCY, 0)
        self._value(value)
        for destination, count in unbalanced.items():
            families.unbalanced.labels(destination).set(count)

    def _listed(self, currency: str) -> str:
        return currency if currency in self._currencies else NO_CURRENCY

    def _value(self, value: dict[str, dict[str, int]]) -> None:
        for destination, held in value.items():
            for currency in (*self._currencies, NO_CURRENCY):
                self._families.value.labels(destination, currency).set(held.get(currency, 0) / MICROS)


def age_seconds(stream: StreamSurvey, now_ms: int) -> float:
    """Age of the oldest entry owed that does not stand by; 0 when there is none."""
    if stream.oldest_received_ms is None:
        return 0.0
    return max(0.0, (now_ms - stream.oldest_received_ms) / 1000)
