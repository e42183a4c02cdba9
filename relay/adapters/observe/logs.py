"""Logs as one reading of the notices.

What happens thousands of times a second is summed up once per window; what an operator must see (a gate that moves, a
burial, a refused sender) is a line of its own, and beyond ``BUDGET`` alike lines per window one line with the count.
Who asks for debug lines gets all of them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from relay.adapters.observe.scrub import harmless, scrubbed
from relay.adapters.observe.summary import Line, Summary
from relay.core import notices as told
from relay.core.notices import Notice
from relay.ports import Clock

WINDOW_S = 10.0
BUDGET = 5  # lines of one kind about one subject, per window
DEBUG, INFO, WARNING, ERROR = RANKS = ("debug", "info", "warning", "error")
LEVELS: Mapping[type, str] = {
    told.SenderRefused: WARNING,
    told.RequestRefused: INFO,
    told.RequestAnswered: DEBUG,
    told.WorthIgnored: DEBUG,
    told.EntriesBuried: WARNING,
    told.EntriesUnmatched: INFO,
    told.EntriesReturned: DEBUG,
    told.CallAnswered: DEBUG,
    told.GateMoved: WARNING,
    told.PaceChanged: DEBUG,
    told.CallsPaused: INFO,
    told.LeaseLost: WARNING,
    told.DeadLettersMoved: INFO,
    told.DestinationPaused: INFO,
    told.GateWoken: INFO,
    told.MappingReloaded: INFO,
    told.MappingRefused: WARNING,
    told.StoreLost: ERROR,
    told.StoreWarned: WARNING,
    told.StoreRestored: INFO,
    told.EmbeddedChanged: INFO,
    told.ServiceStarted: INFO,
    told.ServiceStopping: INFO,
    told.ServiceStopped: INFO,
    told.TaskCrashed: ERROR,
    told.TellingFailed: ERROR,
    told.IncidentOpened: WARNING,
    told.IncidentClosed: INFO,
    told.EntriesForgotten: INFO,
    told.PeopleSuppressed: INFO,
    told.RecordsErased: INFO,
    told.RecordsTrimmed: WARNING,
    told.ReplayStarted: WARNING,
    told.ReplayTurned: INFO,
    told.ReplayEnded: INFO,
    told.FailoverStarted: WARNING,
    told.FailbackStarted: INFO,
    told.FailbackFinished: INFO,
}
SUMMED_UP = frozenset(
    {
        told.EventsReceived,
        told.EntriesDelivered,
        told.ItemsRemarked,
        told.StoreSurveyed,
        told.LoopLagged,
        told.EntriesLapsed,
        told.EntriesShed,
        told.LettersWeighed,
        told.ArchiveShed,
        told.ArchiveMissed,
        told.EntriesReplayed,
        told.ConnectionCut,
        told.DoorSurveyed,
    }
)
BAD_TURNS = frozenset({"died", "ballast_given_up"})


class Logs:
    """A ``Tell`` that writes JSON lines, or lines for people."""

    def __init__(self, stream: TextIO, clock: Clock, *, level: str = INFO, form: str = "json") -> None:
        self._clock = clock
        self._log = logger(stream, clock, level, form)
        self._written = frozenset(RANKS[RANKS.index(level) :])
        self._summary = Summary()
        self._budget: dict[tuple[str, ...], int] = {}
        self._window_ends = clock.monotonic() + WINDOW_S

    def __call__(self, notice: Notice) -> None:
        """Read one notice."""
        kind = type(notice)
        if kind is told.EventsReceived:  # once per request: no detour
            self._summary.add_received(notice)  # type: ignore[arg-type]
            return
        self._summary.add(notice)
        if kind not in SUMMED_UP:
            self._line(notice)
        elif kind is told.LoopLagged and self._clock.monotonic() >= self._window_ends:
            self.flush()

    def flush(self) -> None:
        """Write the window's summary and begin another."""
        for line in self._summary.lines(WINDOW_S):
            self._write(line)
        for subject, count in self._budget.items():
            if count > BUDGET:
                fields = {"kind": subject[0], "about": "/".join(subject[1:]), "lines": count - BUDGET}
                self._write(Line(WARNING, "lines_withheld", fields))
        self._summary = Summary()
        self._budget.clear()
        self._window_ends = self._clock.monotonic() + WINDOW_S

    def _line(self, notice: Notice) -> None:
        if isinstance(notice, told.ServiceStopped):
            self.flush()
        if level_of(notice) not in self._written:
            return
        line = line_of(notice)
        if line.level == DEBUG:
            self._write(line)
            return
        subject = (
            line.event,
            *(str(line.fields[key]) for key in ("destination", "reason", "code") if key in line.fields),
        )
        self._budget[subject] = self._budget.get(subject, 0) + 1
        if self._budget[subject] <= BUDGET:
            self._write(line)

    def _write(self, line: Line) -> None:
        getattr(self._log, line.level)(line.event, **line.fields)


def line_of(notice: Notice) -> Line:
    """A notice as a line: its name in snake case, its fields, a level."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(notice).__name__).lower()
    fields = {key: value for key, value in spread(notice).items() if value not in ("", None, {})}
    return Line(level_of(notice), name, fields)


def level_of(notice: Notice) -> str:
    """The level of its kind, except where good and bad news share one."""
    match notice:
        case told.GateMoved(after="closed"):
            return INFO
        case told.EmbeddedChanged(change=change) if change in BAD_TURNS:
            return ERROR
        case told.ServiceStopped(clean=False) | told.ServiceStarted(sandbox=True):
            return WARNING
        case told.CallAnswered(verdict=verdict) if verdict != "delivered":
            return WARNING
        case _:
            return LEVELS[type(notice)]


def spread(notice: Notice) -> dict[str, Any]:
    """Fields of a notice, flat: a stream becomes destination and class, messages lose what may be personal."""
    found: dict[str, Any] = {}
    names = notice._fields if isinstance(notice, tuple) else [field.name for field in dataclasses.fields(notice)]
    for name in names:
        value = getattr(notice, name)
        if name == "stream":
            found["destination"], found["class"] = value.destination, value.klass.value
        elif name in {"message", "detail", "error"}:
            found[name] = scrubbed(value)
        elif name == "problems":
            found[name] = [scrubbed(problem) for problem in value]
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def logger(stream: TextIO, clock: Clock, level: str, form: str) -> Any:
    """A structlog logger of its own: nothing global is configured, so two services in one process do not meddle."""

    def stamped(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        at = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        return {"timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **fields}

    def for_people(named: Any, name: str, fields: MutableMapping[str, Any]) -> str:
        encoding = stream.encoding or "utf-8"  # a terminal in the C locale must not break on what somebody wrote
        return str(console(named, name, fields)).encode(encoding, "backslashreplace").decode(encoding)

    console = structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18)
    processors = [structlog.processors.add_log_level, stamped, tame, for_people if form == "console" else as_json]
    return structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )


def tame(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every string on one line, every number one that JSON has."""
    return {key: tamed(value) for key, value in fields.items()}


def tamed(value: Any) -> Any:
    """One value, or the values inside it."""
    if isinstance(value, str):
        return harmless(str(value))  # str(): an enum prints as its value
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {harmless(str(key)): tamed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tamed(inner) for inner in value]
    return value


def as_json(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> str:
    """ASCII only, whatever the stream's encoding is."""
    return json.dumps(fields, default=str)
