"""What one process sees of its destinations, kept until an incident wants it written down: a reader of notices."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.core import notices as told
from relay.core.incident_log import DELAY_BOUNDS_S, Answers, Happening, LogEntry, Part
from relay.core.notices import Notice
from relay.core.report.words import span, stamp
from relay.ports import Clock

OTHER = "other"
MOST_EVENTS = 60
MOST_CODES = 40
REQUEST_IDS = 5  # of one code, in one interval
MESSAGE = 200
MOST_HAPPENINGS = 200  # while Redis is away nothing can happen to a gate, so this is more than enough
WOKEN = {"operator": "probe", "token": "token"}
NAMED = re.compile(r"[\w .:/&+-]{1,64}")
# Names come from a mapping, and a mapping may take them from a message: what is no plain name is not repeated.

Replaying = told.ReplayStarted | told.ReplayTurned | told.ReplayEnded


class Tally:
    """The account of one destination since it was last written down."""

    def __init__(self) -> None:
        self._happened: deque[Happening] = deque(maxlen=MOST_HAPPENINGS)
        self._answers: dict[str, Answers] = {}
        self._begin_deliveries()

    def _begin_deliveries(self) -> None:
        self._entries, self._longest = 0, 0.0
        self._delays = [0] * (len(DELAY_BOUNDS_S) + 1)
        self._sold: dict[tuple[str, str], Counter[str]] = {}
        self._buried: dict[str, Counter[str]] = {}

    def delivered(self, delays: Sequence[float], sold: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Entries were accepted. Hot: once per entry."""
        counts = self._delays
        for delay in delays:
            counts[bisect_left(DELAY_BOUNDS_S, delay)] += 1
        self._entries += len(delays)
        self._longest = max(self._longest, *delays) if delays else self._longest
        for (event, currency), (items, micros) in sold.items():
            self._row(event, currency).update(items=items, micros=micros)

    def _row(self, event: str, currency: str) -> Counter[str]:
        key = (event if NAMED.fullmatch(event) else OTHER, currency)
        if key not in self._sold and len(self._sold) >= MOST_EVENTS:
            key = (OTHER, currency)
        return self._sold.setdefault(key, Counter())

    def buried(self, reason: str, worth: Mapping[str, int]) -> None:
        """Entries became dead letters."""
        self._buried.setdefault(reason, Counter()).update(worth)

    def answered(self, notice: told.CallAnswered, at_ms: int, message: str) -> None:
        """A call ended. Of one that went well nothing but the number is kept."""
        code = notice.code if notice.code in self._answers or len(self._answers) < MOST_CODES else OTHER
        known = self._answers.get(code)
        fine = notice.verdict == "delivered"
        ids = () if fine or not notice.request_id else (notice.request_id[:MESSAGE],)
        self._answers[code] = Answers(
            calls=(known.calls if known else 0) + 1,
            verdict=notice.verdict,
            first_ms=known.first_ms if known else at_ms,
            last_ms=at_ms,
            message="" if fine else (message or (known.message if known else "")),
            request_ids=((known.request_ids if known else ()) + ids)[-REQUEST_IDS:],
        )

    def happened(self, happening: Happening) -> None:
        """Something for the timeline."""
        self._happened.append(happening)

    def begin(self, since_ms: int) -> None:
        """No incident is open: what was delivered is no part of one; what led to the next one is not that old."""
        self._begin_deliveries()
        self._happened = deque((one for one in self._happened if one.at_ms >= since_ms), MOST_HAPPENINGS)
        self._answers = {code: one for code, one in self._answers.items() if one.last_ms >= since_ms}

    def take(self, token: Callable[[], str], at_ms: int) -> list[LogEntry]:
        """Hand over everything; empty when there was nothing."""
        log: list[LogEntry] = list(self._happened)
        if self._entries or self._sold or self._buried or self._answers:
            log.append(self._part(token(), at_ms))
        self._happened.clear()
        self._answers = {}
        self._begin_deliveries()
        return log

    @property
    def eventful(self) -> bool:
        """Whether something for the timeline waits."""
        return bool(self._happened)

    def _part(self, token: str, at_ms: int) -> Part:
        sold: dict[str, dict[str, tuple[int, int]]] = {}
        for (event, currency), row in self._sold.items():
            sold.setdefault(event, {})[currency] = (row["items"], row["micros"])
        return Part(
            token,
            at_ms,
            self._entries,
            tuple(self._delays),
            round(self._longest, 3),
            sold,
            {reason: dict(worth) for reason, worth in self._buried.items()},
            self._answers,
        )


class Recorder:
    """A ``Tell``. ``scrub`` takes what may be personal out of TikTok's words."""

    def __init__(
        self, destinations: Sequence[str], clock: Clock, replica: str, *, scrub: Callable[[str], str] = str
    ) -> None:
        self.surveyed: told.StoreSurveyed | None = None
        self.tallies = {name: Tally() for name in destinations}
        self.keeping: set[str] = set()  # destinations with an open incident
        self.recent_ms = 60_000  # how far back what led to an incident is told
        self._clock, self._replica, self._scrub = clock, replica, scrub
        self._tokens = 0
        self._readings: dict[type, Callable[[Any], None]] = {
            told.EntriesDelivered: self._delivered,
            told.EntriesBuried: self._buried,
            told.CallAnswered: self._answered,
            told.GateMoved: self._gate_moved,
            told.DestinationPaused: self._paused,
            told.DeadLettersMoved: self._letters_moved,
            told.StoreLost: lambda notice: self._everywhere("store", after="lost", detail=notice.trouble),
            told.StoreRestored: lambda _notice: self._everywhere("store", after="restored"),
            told.ServiceStarted: lambda _notice: self._everywhere("relay", after="started"),
            told.StoreSurveyed: self._surveyed,
            told.GateWoken: lambda notice: self.happened(notice.destination, WOKEN[notice.why]),
            told.ReplayStarted: self._replay_started,
            told.ReplayTurned: lambda notice: self._replay(notice, notice.change),
            told.ReplayEnded: lambda notice: self._replay(notice, notice.outcome, count=notice.moved),
            told.FailoverStarted: lambda notice: self.happened(notice.destination, "failover"),
            told.FailbackStarted: lambda notice: self.happened(notice.destination, "failback"),
            told.FailbackFinished: lambda notice: self.happened(notice.destination, "standby"),
        }

    def __call__(self, notice: Notice) -> None:
        """Read one notice; most kinds are nothing to an incident."""
        read = self._readings.get(type(notice))
        if read is not None:
            read(notice)

    def token(self) -> str:
        """A name for a line of a log that nobody gives again."""
        self._tokens += 1
        return f"{self._replica}-{self._tokens}"

    def happened(self, destination: str, what: str, **more: Any) -> None:
        """Note a moment for the timeline of a destination (see ``incident.Happening``)."""
        tally = self.tallies.get(destination)
        if tally is not None:
            tally.happened(Happening(self.token(), self._clock.now_ms(), what, **more))

    def _everywhere(self, what: str, **more: Any) -> None:
        for name in self.tallies:
            self.happened(name, what, **more)

    def _delivered(self, notice: told.EntriesDelivered) -> None:
        self.tallies[notice.stream.destination].delivered(notice.delays, notice.sold)

    def _buried(self, notice: told.EntriesBuried) -> None:
        self.tallies[notice.stream.destination].buried(notice.reason.value, notice.worth)

    def _answered(self, notice: told.CallAnswered) -> None:
        message = "" if notice.verdict == "delivered" else self._scrub(notice.message)[:MESSAGE]
        self.tallies[notice.destination].answered(notice, self._clock.now_ms(), message)

    def _gate_moved(self, notice: told.GateMoved) -> None:
        self.happened(
            notice.destination, "gate", before=notice.before, after=notice.after, detail=notice.reason[:MESSAGE]
        )

    def _paused(self, notice: told.DestinationPaused) -> None:
        self.happened(notice.destination, "pause" if notice.paused else "resume")

    def _letters_moved(self, notice: told.DeadLettersMoved) -> None:
        self.happened(notice.destination, notice.action, count=notice.count)

    def _replay_started(self, notice: told.ReplayStarted) -> None:
        window = span(stamp(notice.since_ms), stamp(notice.until_ms)) + " UTC"
        event = f", {notice.event if NAMED.fullmatch(notice.event) else 'one event'} only" if notice.event else ""
        letters = ", dead letters as well" if notice.dead_letters else ""
        whose = "" if notice.destination else ", for all destinations"
        self._replay(notice, "started", detail=window + event + letters + whose, count=notice.expected)

    def _replay(self, notice: Replaying, after: str, **more: Any) -> None:
        names = (notice.destination,) if notice.destination else self.tallies
        for name in names:
            self.happened(name, "replay", before=notice.replay, after=after, **more)

    def _surveyed(self, notice: told.StoreSurveyed) -> None:
        """From here on is what the next look may begin with: the books up to now are in this survey."""
        self.surveyed = notice
        for name, tally in self.tallies.items():
            if name not in self.keeping:
                tally.begin(self._clock.now_ms() - self.recent_ms)
