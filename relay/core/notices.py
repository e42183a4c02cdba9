"""Something worth telling. Logs and metrics are two readings of this closed set; nothing else logs or counts.

No personal data and no secret may enter a notice: ids of events are allowed, their contents are not.
Labels come from enums or from the configuration, never from messages.

Long because the set is closed: every kind of notice stands here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from relay.core.delivery.mode import ModeRecord
from relay.core.event import DeadReason, Lane, StoreSurvey, StreamKey
from relay.core.forecast import Breach


class Outcome(StrEnum):
    """What became of a received event at the door (label of ``relay_events_received_total``)."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    DEAD = "dead"  # one bad event inside a good batch
    REFUSED = "refused"  # the request was answered 4xx
    DEFERRED = "deferred"  # the request was answered 503 or 429: the sender still has it


class Why(StrEnum):
    """Why an event was filtered or a request refused. Also the stable ``code`` of an error answer."""

    NONE = ""
    # filtered, answered 200
    NO_SUBSCRIPTION = "no_subscription"
    INTEGRATION_OFF = "integration_off"
    CONSENT_REFUSED = "consent_refused"
    EVENT_TESTER = "event_tester"
    DELETE_CALL = "delete_call"
    SUPPRESSED = "suppressed"
    TELEMETRY = "telemetry"
    # refused, answered 4xx
    BAD_JSON = "bad_json"
    BAD_SHAPE = "bad_shape"
    NOT_AN_EVENT = "not_an_event"
    EMPTY_BATCH = "empty_batch"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    TOO_MANY_EVENTS = "too_many_events"
    BAD_ENCODING = "bad_encoding"
    BAD_SIGNATURE = "bad_signature"
    BAD_TOKEN = "bad_token"  # noqa: S105 - a code, not a secret
    BAD_WRITE_KEY = "bad_write_key"
    BAD_ORIGIN = "bad_origin"
    UNKNOWN_SOURCE = "unknown_source"
    NOT_FOUND = "not_found"
    METHOD = "method_not_allowed"
    # deferred, answered 503 or 429
    UNVERIFIED = "unverified"
    STORE = "store_unavailable"
    OVERLOADED = "overloaded"
    TOO_SLOW = "too_slow"
    TOO_FAST = "rate_limited"


class Cut(StrEnum):
    """Why a connection was ended before its time (label of ``relay_connections_cut_total``)."""

    CROWDED = "crowded"  # all places are taken by connections at work
    MADE_ROOM = "made_room"  # it did nothing, and somebody else wanted its place
    SLOW_HEAD = "slow_head"
    LARGE_HEAD = "large_head"
    BAD_HTTP = "bad_http"
    UNREAD = "unread"  # it sent and sent, and did not read the answers


class EventsReceived(NamedTuple):
    """A request was answered; so many ``events`` of it met this outcome. ``seconds`` is set on one notice a request.

    A named tuple because every request makes one.
    """

    source: str
    outcome: Outcome
    events: int
    why: Why = Why.NONE
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SenderRefused:
    """A sender failed verification. Told once per source and minute."""

    source: str
    why: Why
    status: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request to ``port`` (intake, admin, metrics) was answered with an error.

    ``request_id`` is what the answer carries in X-Request-Id: the sender's own, if it was harmless, else a new one.
    """

    port: str
    status: int
    code: str
    request_id: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """A request to ``port`` that had an id of its sender's was answered, and not with an error."""

    port: str
    status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class ConnectionCut:
    """A connection to ``port`` was ended before its time."""

    port: str
    why: Cut


@dataclass(frozen=True, slots=True)
class DoorSurveyed:
    """Who is at the intake port now: open connections, and bytes of the requests that are being read or answered."""

    connections: int
    in_flight_bytes: int
    queued_bytes: int


@dataclass(frozen=True, slots=True)
class WorthIgnored:
    """A value or currency too odd for the books; the event itself goes on."""

    source: str


@dataclass(frozen=True, slots=True)
class EntriesDelivered:
    """TikTok accepted entries. ``delays`` are seconds from receipt to acceptance, one each.

    ``sold``: TikTok's event name and currency → items and their value in micro-units, as TikTok was told.
    """

    stream: StreamKey
    lane: Lane
    delays: tuple[float, ...]
    sold: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntriesBuried:
    """Entries became dead letters for one reason."""

    stream: StreamKey
    reason: DeadReason
    count: int
    code: int | None = None
    message: str = ""
    sample: str = ""  # one entry id
    worth: Mapping[str, int] = field(default_factory=dict)  # currency → micro-units


@dataclass(frozen=True, slots=True)
class ItemsRemarked:
    """TikTok took items that had been repaired, or that are odd. ``remark`` names the rule or the caution."""

    destination: str
    remark: str
    items: int


@dataclass(frozen=True, slots=True)
class EntriesUnmatched:
    """No subscription matches these entries any more (the mapping changed while they waited)."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class EntriesReturned:
    """Entries stay owed after a failed call, or were given back unsent."""

    stream: StreamKey
    count: int
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """One call to TikTok ended. ``code`` is TikTok's JSON code, ``http_502`` style without one, or an error name."""

    destination: str
    verdict: str
    code: str
    items: int
    seconds: float
    request_id: str = ""
    log_id: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class GateMoved:
    """The gate of a destination changed its state."""

    destination: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaceChanged:
    """The governor changed how many calls may be in flight."""

    destination: str
    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class CallsPaused:
    """Throttled: this replica is silent for a while. ``limit``: which one is presumed, by what did not help so far."""

    destination: str
    seconds: float
    limit: str


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """A settlement came too late: somebody else holds the entries now. Nothing was changed."""

    stream: StreamKey
    first_id: str


@dataclass(frozen=True, slots=True)
class DeadLettersMoved:
    """An operator requeued, released or discarded dead letters. Who it was, an admin token cannot tell.

    *Released*: owed again although TikTok may count it twice. ``chosen`` says by what they were chosen, ``value`` what
    they are worth, by currency ('' = unknown).
    """

    destination: str
    action: str  # requeue | release | discard
    count: int
    chosen: str = ""
    value: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DestinationPaused:
    """An operator paused or resumed a destination."""

    destination: str
    paused: bool


@dataclass(frozen=True, slots=True)
class GateWoken:
    """A gate that is not closed is probed at once: an operator asked, or the access token is another one."""

    destination: str
    why: str  # operator | token


@dataclass(frozen=True, slots=True)
class MappingReloaded:
    """A mapping file was read again: from here on it shapes what comes in and everything that is still owed."""

    destination: str
    subscriptions: int


@dataclass(frozen=True, slots=True)
class MappingRefused:
    """A mapping file that changed cannot be used; the mapping before it stays in force.

    ``count`` problems were found, the first of them are ``problems``: paths and words of the mapping.
    """

    destination: str
    count: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreLost:
    """The store stopped answering; intake says 503 from here on."""

    trouble: str
    detail: str


@dataclass(frozen=True, slots=True)
class StoreWarned:
    """Something about the store deserves attention, though it works; told at start. ``text`` is made of our words."""

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class StoreRestored:
    """The store answers again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class EmbeddedChanged:
    """The embedded Valkey started, was adopted, died, or was stopped."""

    change: str  # started | adopted | died | stopped | ballast_given_up | ballast_restored
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoreSurveyed:
    """The regular look at everything owed (about once a second).

    ``drain_eta`` is in seconds per destination (0 where nothing waits, infinite while it does not shrink), ``full_eta``
    in seconds until the journal is full (infinite while it does not grow or has no limit). ``breaches``: what will be
    too old to be sent by itself before its turn comes.
    """

    survey: StoreSurvey
    gates: Mapping[str, str]
    paces: Mapping[str, int]
    drain_eta: Mapping[str, float] = field(default_factory=dict)
    full_eta: float = math.inf
    breaches: Mapping[str, Breach] = field(default_factory=dict)
    modes: Mapping[str, ModeRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoopLagged:
    """How late the event loop came back from a sleep, in seconds; told with each survey."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    """The relay is up. ``durability`` says in plain words what a 200 survives."""

    version: str
    role: str
    sandbox: bool
    intake_url: str
    admin_url: str
    durability: str
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceStopping:
    """A stop was asked for; hearing ends, what is in flight is finished."""

    reason: str


@dataclass(frozen=True, slots=True)
class ServiceStopped:
    """The relay is down; ``clean`` says whether everything in flight was finished in time."""

    clean: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class TaskCrashed:
    """A task of ours ended by an exception; the process goes down and the leases fall due.

    Or what answers a port did, named like the port: that request was answered 503, and the process goes on.
    """

    task: str
    error: str


@dataclass(frozen=True, slots=True)
class TellingFailed:
    """A reader of notices broke on one; told to the other readers. Always a bug of the reader."""

    reader: str
    notice: str
    error: str


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    """An incident is open. ``found``: it was open already when this process learnt of it."""

    destination: str
    incident: str
    causes: tuple[str, ...]
    reason: str = ""
    found: bool = False


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    """An incident is over: the gate is closed and what came in meanwhile is settled. Counts of entries."""

    destination: str
    incident: str
    seconds: float
    arrived: int
    delivered: int
    dead: int


@dataclass(frozen=True, slots=True)
class EntriesLapsed:
    """Entries stood by for longer than ``journal.retention`` and nobody asked for them: ended, as was agreed."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class EntriesShed:
    """The store was over its high watermark: its oldest engagement was given up, as ``journal.on_full`` says."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class EntriesForgotten:
    """Entries of people on the list of the suppressed, or erased by an operator: ended without being sent."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class RecordsErased:
    """Dead letters or archived events were erased because they named a person. ``destination`` is '' in the archive."""

    destination: str
    what: str  # dead_letters | archive
    count: int


@dataclass(frozen=True, slots=True)
class PeopleSuppressed:
    """Identities were put on the list of the suppressed, or taken off it. Whose they are is not told."""

    count: int
    on: bool


@dataclass(frozen=True, slots=True)
class LettersWeighed:
    """How much of their limit of age or bytes, whichever is nearer, the dead letters of a destination have reached."""

    destination: str
    fullness: float


@dataclass(frozen=True, slots=True)
class RecordsTrimmed:
    """The oldest dead letters or reports were given up, because they were beyond their limit of age or bytes."""

    destination: str
    what: str  # dead_letters | reports
    count: int


@dataclass(frozen=True, slots=True)
class ArchiveShed:
    """The store was over its high watermark: the oldest of the archive was given up before anything that is owed."""

    count: int


@dataclass(frozen=True, slots=True)
class ArchiveMissed:
    """Events that were delivered or filtered are not in the archive: it could not be written. Nothing else failed."""

    count: int


@dataclass(frozen=True, slots=True)
class ReplayStarted:
    """An operator lets archived events (and dead letters) received from ``since_ms`` until ``until_ms`` be sent again.

    ``expected``: about how many entries that will be.
    """

    replay: str
    since_ms: int
    until_ms: int
    rate: int
    expected: int
    destination: str = ""
    event: str = ""
    dead_letters: bool = False


@dataclass(frozen=True, slots=True)
class ReplayTurned:
    """A replay was paused or resumed by an operator, or goes on in this process after another one left it."""

    replay: str
    change: str  # paused | resumed | taken_over
    destination: str = ""


@dataclass(frozen=True, slots=True)
class ReplayEnded:
    """A replay is over: entries owed again, how many of them were dead letters, and what stays where it was, by reason.

    ``value``: what the archived ones are worth, by currency ('' = unknown).
    """

    replay: str
    outcome: str  # done | cancelled
    moved: int
    letters: int
    seconds: float
    left: Mapping[str, int] = field(default_factory=dict)
    value: Mapping[str, float] = field(default_factory=dict)
    destination: str = ""


@dataclass(frozen=True, slots=True)
class EntriesReplayed:
    """Archived events are owed again."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class FailoverStarted:
    """A destination that stood by sends now: everything received at ``since_ms`` or later."""

    destination: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class FailbackStarted:
    """A destination finishes what it took over; what is received from now on stands by."""

    destination: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class FailbackFinished:
    """What a destination took over has been settled; it stands by again. Times as in ``ModeRecord``."""

    destination: str
    since_ms: int
    until_ms: int


Notice = (
    EventsReceived
    | SenderRefused
    | RequestRefused
    | RequestAnswered
    | ConnectionCut
    | DoorSurveyed
    | WorthIgnored
    | EntriesDelivered
    | EntriesBuried
    | ItemsRemarked
    | EntriesUnmatched
    | EntriesReturned
    | CallAnswered
    | GateMoved
    | PaceChanged
    | CallsPaused
    | LeaseLost
    | DeadLettersMoved
    | DestinationPaused
    | GateWoken
    | MappingReloaded
    | MappingRefused
    | StoreLost
    | StoreWarned
    | StoreRestored
    | EmbeddedChanged
    | StoreSurveyed
    | LoopLagged
    | ServiceStarted
    | ServiceStopping
    | ServiceStopped
    | TaskCrashed
    | TellingFailed
    | IncidentOpened
    | IncidentClosed
    | EntriesLapsed
    | EntriesShed
    | EntriesForgotten
    | RecordsErased
    | PeopleSuppressed
    | LettersWeighed
    | RecordsTrimmed
    | ArchiveShed
    | ArchiveMissed
    | ReplayStarted
    | ReplayTurned
    | ReplayEnded
    | EntriesReplayed
    | FailoverStarted
    | FailbackStarted
    | FailbackFinished
)
