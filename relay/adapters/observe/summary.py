"""One window of the busy notices, summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from relay.core import notices as told
from relay.core.event import StreamKey
from relay.core.forecast import waiting
from relay.core.notices import Notice, Outcome

STREAM_LINES: dict[type, tuple[str, str]] = {
    told.EntriesLapsed: ("info", "entries_lapsed"),
    told.EntriesShed: ("warning", "entries_shed"),
    told.EntriesReplayed: ("info", "entries_replayed"),
}
ARCHIVE_LINES = {told.ArchiveShed: "archive_shed", told.ArchiveMissed: "archive_missed"}
TURNED_AWAY = frozenset({Outcome.REFUSED, Outcome.DEFERRED, Outcome.DEAD})


class Line(NamedTuple):
    """What a log line says, before anybody renders it."""

    level: str
    event: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Delivered:
    """Deliveries of one stream."""

    count: int = 0
    delay_sum: float = 0.0
    longest: float = 0.0
    lanes: Counter[str] = field(default_factory=Counter)


class Summary:
    """Adds notices up, then says it in a handful of lines."""

    def __init__(self) -> None:
        self._outcomes: dict[str, int] = {}
        self._whys: Counter[str] = Counter()
        self._turned_away = False
        self._delivered: dict[StreamKey, Delivered] = {}
        self._remarks: dict[str, Counter[str]] = {}
        self._counts = {kind: Counter[StreamKey]() for kind in STREAM_LINES}
        self._archive = Counter[str]()
        self._cut: dict[str, Counter[str]] = {}
        self._surveyed: told.StoreSurveyed | None = None

    def add(self, notice: Notice) -> None:
        """Take one notice in; kinds that are no summary's business are ignored."""
        if isinstance(notice, told.EventsReceived):
            self.add_received(notice)
        elif isinstance(notice, told.EntriesDelivered):
            self._add_delivered(notice)
        elif isinstance(notice, told.ItemsRemarked):
            self._remarks.setdefault(notice.destination, Counter())[notice.remark] += notice.items
        elif isinstance(notice, told.EntriesLapsed | told.EntriesShed | told.EntriesReplayed):
            self._counts[type(notice)][notice.stream] += notice.count
        elif isinstance(notice, told.ArchiveShed | told.ArchiveMissed):
            self._archive[ARCHIVE_LINES[type(notice)]] += notice.count
        elif isinstance(notice, told.ConnectionCut):
            self._cut.setdefault(notice.port, Counter())[notice.why.value] += 1
        elif isinstance(notice, told.StoreSurveyed):
            self._surveyed = notice

    def add_received(self, notice: told.EventsReceived) -> None:
        """The busiest kind, by itself."""
        outcome = notice.outcome
        if outcome in self._outcomes:
            self._outcomes[outcome] += notice.events
        else:
            self._outcomes[outcome] = notice.events
        if notice.why:
            self._whys[notice.why] += notice.events
            if outcome in TURNED_AWAY:
                self._turned_away = True

    def lines(self, window_s: float) -> Iterator[Line]:
        """The window in words; a quiet window has none."""
        if self._outcomes:
            yield self._received(window_s)
        for stream, tally in self._delivered.items():
            yield Line("info", "entries_delivered", delivered_fields(stream, tally))
        for destination, remarks in self._remarks.items():
            yield Line("info", "items_remarked", {"destination": destination, **dict(remarks.most_common())})
        yield from self._counted()
        if self._surveyed:
            yield from backlog_lines(self._surveyed)

    def _counted(self) -> Iterator[Line]:
        """What is told by a number alone."""
        for port, whys in self._cut.items():
            yield Line("warning", "connections_cut", {"port": port, **dict(whys.most_common())})
        for kind, (level, event) in STREAM_LINES.items():
            for stream, count in self._counts[kind].items():
                fields = {"destination": stream.destination, "class": stream.klass.value, "count": count}
                yield Line(level, event, fields)
        for event, count in self._archive.items():
            yield Line("warning", event, {"count": count})

    def _received(self, window_s: float) -> Line:
        fields: dict[str, Any] = {str(outcome): count for outcome, count in self._outcomes.items()}
        fields["per_second"] = sum(self._outcomes.values()) / window_s
        if self._whys:
            fields["reasons"] = {str(why): count for why, count in self._whys.most_common()}
        return Line("warning" if self._turned_away else "info", "events_received", fields)

    def _add_delivered(self, notice: told.EntriesDelivered) -> None:
        if not notice.delays:
            return
        tally = self._delivered.setdefault(notice.stream, Delivered())
        tally.count += len(notice.delays)
        tally.delay_sum += sum(notice.delays)
        tally.longest = max(tally.longest, *notice.delays)
        tally.lanes[notice.lane] += len(notice.delays)


def delivered_fields(stream: StreamKey, tally: Delivered) -> dict[str, Any]:
    """What a line about deliveries says. Delays in seconds."""
    return {
        "destination": stream.destination,
        "class": stream.klass.value,
        "count": tally.count,
        "mean_delay": tally.delay_sum / tally.count,
        "longest_delay": tally.longest,
        **{str(lane): count for lane, count in tally.lanes.items()},
    }


def backlog_lines(notice: told.StoreSurveyed) -> Iterator[Line]:
    """A line per stream that has a backlog; nothing about the healthy ones."""
    for stream in notice.survey.streams:
        destination = stream.stream.destination
        waits = waiting(stream, notice.gates.get(destination))
        if waits <= 0:
            continue
        oldest = stream.oldest_received_ms
        yield Line(
            "warning",
            "backlog_standing",
            {
                "destination": destination,
                "class": stream.stream.klass.value,
                "backlog": waits,
                "owed": stream.owed,
                "oldest_age": None if oldest is None else (notice.survey.now_ms - oldest) / 1000,
                "gate": notice.gates.get(destination),
                "drain_eta": notice.drain_eta.get(destination),
            },
        )
