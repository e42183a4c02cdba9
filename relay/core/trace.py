"""Where one event is and what happens to it next, in words. Pure: ``engine.trace`` looks it up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from relay.core.archive import Archived
from relay.core.delivery.clocks import DEDUPE_MS
from relay.core.delivery.gate import GateRecord, GateState
from relay.core.event import Attempt, DeadLetter, DeadReason, Entry, EntryClass, Lane
from relay.core.notices import Why

MAY_DOUBLE = frozenset({DeadReason.OVERLAP, DeadReason.AMBIGUOUS})  # TikTok may have these and would count them again


class Page(NamedTuple):
    """A part of an owed stream that was looked through: how many entries, up to which id, and those that may be it.

    ``found``: each with its position in the page.
    """

    searched: int
    last_id: str
    found: tuple[tuple[int, Entry], ...]


class AgeSample(NamedTuple):
    """One of some equal parts of an owed stream: when its first entry was received, and how many a window of it holds.

    All windows of a look are equally wide; together they are the whole of a short stream.
    """

    received_ms: int
    entries: int


class Standing(NamedTuple):
    """How an owed entry stands. ``due_ms``, ``claimed_ms``: its lease's, 0 when no lease covers it.

    A lease that is due stays until somebody claims it again.
    """

    lane: Lane
    now_ms: int
    due_ms: int = 0
    claimed_ms: int = 0

    @property
    def leased(self) -> bool:
        """Whether a relay has it in hand."""
        return self.due_ms > self.now_ms


class Place(StrEnum):
    """Where an event is, as far as one destination is concerned."""

    OWED = "owed"
    DEAD = "dead_letter"
    ARCHIVED = "archived"  # it has ended, and the archive says how
    ENDED = "ended"  # it was accepted, and is neither owed nor a dead letter any more: delivered, as a rule
    FILTERED = "filtered"
    REJECTED = "rejected"  # the intake could not read it
    UNSEEN = "not_seen"
    UNSURE = "unsure"  # the search ended before it was complete


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known about one event for one destination ('' or ``-``: before any destination).

    ``calls``: the last of the ``calls_made`` that are in the log. ``behind``: owed entries of its class before it.
    ``limit_ms``: when one of the clocks stops it, None when none is known to. ``accepted_ms``: in which span of time
    its id was accepted, while that is remembered.
    """

    destination: str
    place: Place
    said: str
    next: str
    klass: EntryClass | None = None
    entry: Entry | None = None
    standing: Standing | None = None
    behind: int | None = None
    limit_ms: int | None = None
    letter: DeadLetter | None = None
    archived: Archived | None = None
    accepted_ms: tuple[int, int] | None = None
    calls: tuple[Attempt, ...] = ()
    calls_made: int = 0


@dataclass(frozen=True, slots=True)
class Searched:
    """How much was looked through, in entries, archived events and seconds; not ``complete``: time ran out first."""

    owed: int
    letters: int
    seconds: float
    complete: bool
    archived: int = 0

    @property
    def seconds_per_million(self) -> float | None:
        """How long a million takes; None while there is too little to tell."""
        count = self.owed + self.letters + self.archived
        return self.seconds / count * 1e6 if count >= 100 else None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known about one message id. ``seen``: it was met here in some way."""

    message_id: str
    fates: tuple[Fate, ...]
    searched: Searched

    @property
    def seen(self) -> bool:
        """Whether anything is known of it."""
        return any(fate.place not in (Place.UNSEEN, Place.UNSURE) for fate in self.fates)


class Weather(NamedTuple):
    """What decides when a destination is sent to."""

    gate: GateRecord
    paused: bool
    now_ms: int


def limit_of(entry: Entry, claimed_ms: int, event_time_s: int | None, max_age_s: int, *, shared: bool) -> int | None:
    """When the first of the three clocks stops an entry, in ms (see ``Clocks``); ``claimed_ms`` is 0 without doubt."""
    limits = [] if event_time_s is None else [(event_time_s + max_age_s) * 1000]
    if not entry.released:
        limits += [first_ms + DEDUPE_MS for first_ms in (entry.first_ms, claimed_ms) if first_ms]
        if shared:
            limits.append(entry.received_ms + DEDUPE_MS)
    return min(limits, default=None)


def owed_words(klass: EntryClass, standing: Standing, behind: int | None) -> str:
    """Where an owed entry stands."""
    counted = "" if behind is None else f"; {behind:,} of its class are before it"
    text = f"owed, {standing.lane.value} {klass.value}{counted}"
    if standing.leased:
        return f"{text}; a relay has it in hand, at the latest until {clock(standing.due_ms)}"
    if standing.claimed_ms:
        return f"{text}; it was in hand at {clock(standing.claimed_ms)}, and TikTok may have got it then"
    return text


def owed_next(destination: str, standing: Standing, weather: Weather, limit_ms: int | None) -> str:
    """What happens next to an owed entry."""
    if limit_ms is not None and limit_ms <= weather.now_ms:
        return f"it is past its limit ({clock(limit_ms)}): its next claim makes it a dead letter for a person to decide"
    limit = f"; it will pass its limit at {clock(limit_ms)}" if limit_ms is not None else ""
    return f"{_gate_words(destination, standing, weather)}{limit}"


def _gate_words(destination: str, standing: Standing, weather: Weather) -> str:
    gate = weather.gate
    wait = seconds(gate.until_ms - weather.now_ms)
    if weather.paused:
        return f"paused by an operator; `relay resume {destination}` lets it go"
    match gate.state:
        case GateState.HELD:
            fix = "a new token or `relay probe` may end that"
            return (
                f"the gate is held ({gate.reason}) since {clock(gate.since_ms)}: {fix}; the next slow probe is {wait}"
            )
        case GateState.OPEN:
            return f"the gate is open ({gate.reason}) since {clock(gate.since_ms)}; the next probe is {wait}"
        case GateState.PROBING:
            return "the gate is probing: it goes out when the probes before it pass"
        case GateState.CLOSED if standing.leased:
            return "it is being sent"
        case GateState.CLOSED:
            return "the gate is closed: it goes out when those before it have"


NEXT_OF_LETTER: Mapping[str, str] = {
    DeadReason.REFUSED: "nothing by itself; when the cause is mended, `{requeue}` sends it again",
    DeadReason.UNMAPPABLE: "nothing by itself; when the mapping is mended, `{requeue}` maps it anew",
    DeadReason.EXPIRED: "nothing by itself; with a longer `max_age` (28 d at most) `{requeue}` sends it again",
    DeadReason.OVERLAP: "waits for `{requeue} --accept-doubling`, or for `{discard}`",
    DeadReason.AMBIGUOUS: "waits for `{requeue} --accept-doubling`, or for `{discard}`",
}


def letter_words(letter: DeadLetter) -> str:
    """What a dead letter is."""
    code = "" if letter.code is None else f" {letter.code}:"
    doubt = f"; TikTok may have it since {clock(letter.first_ms)}" if letter.first_ms else ""
    return (
        f"a dead letter since {clock(letter.died_ms)}: {letter.reason},{code} {letter.message or 'no message'}{doubt}"
    )


def letter_next(letter: DeadLetter) -> str:
    """What a person can do about it."""
    words = NEXT_OF_LETTER.get(letter.reason, "nothing by itself")
    where = f"{letter.destination} {letter.id}"
    requeue, discard = (f"relay dead-letters {verb} {where}" for verb in ("requeue", "discard"))
    return words.format(requeue=requeue, discard=discard)


def ended_words(accepted_ms: tuple[int, int], others: Mapping[str, int]) -> str:
    """An id that was accepted and is nowhere any more. ``others``: endings of its class that leave no trace either."""
    span = f"between {clock(accepted_ms[0])} and {clock(accepted_ms[1])}"
    text = f"it was accepted {span} and has ended; the calls log cannot name it"
    if any(others.values()):
        counts = ", ".join(f"{count:,} {name}" for name, count in others.items() if count)
        return f"{text}. Delivered, unless it is one of these of its class: {counts}"
    return f"{text}. Delivered: every other ending would have left a dead letter"


def archived_words(event: Archived) -> str:
    """What the archive knows of an ending."""
    ended = clock(event.ended_ms)
    if event.delivered:
        return f"delivered at {ended}, and archived; TikTok may have it since {clock(event.first_ms)}"
    if event.destination:
        return f"ended at {ended} without being sent: no subscription matched it any more; it is archived"
    why = Why.NO_SUBSCRIPTION.value
    return f"filtered at {clock(event.received_ms)} ({why}): no destination wanted it; it is archived"


def filtered_words(why: Why, at_ms: int) -> str:
    """What was sorted out at the door."""
    return f"filtered at {clock(at_ms)} ({why.value}): no destination wanted it, and nothing was kept"


def unseen_words(takers: str = "") -> str:
    """An id nobody remembers; ``takers`` are destinations that know it."""
    if takers:
        return f"not accepted for this destination, though for {takers}: no subscription here wanted it"
    return "never accepted here (ids are remembered for 2 to 3 days of engagement, 30 to 40 of conversions)"


def unsure_words(classes: Sequence[EntryClass], searched: Searched) -> str:
    """A search that ended too early."""
    known = f"it was accepted ({', '.join(classes)})" if classes else "it was not accepted lately"
    counts = f"{searched.owed:,} owed entries and {searched.letters:,} dead letters"
    return f"{known}; whether it is still owed or a dead letter is not known: time ran out after {counts}"


UNSEEN_NEXT = "nothing; if its sender got a 200, `relay preview` shows whether a subscription wants such an event"
ARCHIVED_NEXT = "nothing; `relay replay --since …` sends it again, where a clock or the mapping does not stop it"
ENDED_NEXT = "nothing: TikTok's Events Manager is the place to look"


def of_entry(attempts: Iterable[Attempt], klass: EntryClass, entry_id: str) -> Iterator[Attempt]:
    """The calls that carried an entry, or may have (those that are not ``whole``)."""
    position = parse_id(entry_id)
    for attempt in attempts:
        if attempt.klass is klass and parse_id(attempt.first_id) <= position <= parse_id(attempt.last_id):
            yield attempt


def parse_id(text: str) -> tuple[int, int]:
    """A stream id as numbers, for comparing."""
    ms, _, number = text.partition("-")
    return int(ms), int(number)


def clock(at_ms: int) -> str:
    """A moment, to the second, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(ms: int) -> str:
    """How long until something is due."""
    return f"due in {-(-ms // 1000):,} s" if ms > 0 else "due now"
