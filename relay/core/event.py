"""The nouns that travel: event, entry, lease, settlement. Times are integer milliseconds since the epoch, UTC.

What is made once for every event that comes in or goes out is a named tuple: half the time of a frozen dataclass.
Long because the ports speak these words and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

JsonObject = dict[str, Any]


class EntryClass(StrEnum):
    """How an entry ranks: a conversion earns money, an engagement helps bidding."""

    CONVERSION = "conversion"
    ENGAGEMENT = "engagement"


class Lane(StrEnum):
    """Which side of the mark an entry stands on."""

    LIVE = "live"
    BACKLOG = "backlog"


class DeadReason(StrEnum):
    """Why an entry ended without being delivered. Adds up to ``dead`` in the books."""

    REFUSED = "refused"  # TikTok said no to this very item
    UNMAPPABLE = "unmappable"  # no valid item can be made of it
    EXPIRED = "expired"  # event_time older than max_age
    OVERLAP = "overlap"  # somebody else may have sent it, and TikTok's 48 h are over
    AMBIGUOUS = "ambiguous"  # we may have sent it, and TikTok's 48 h are over


class StreamKey(NamedTuple):
    """One owed stream."""

    destination: str
    klass: EntryClass


class Event(NamedTuple):
    """One Segment call after decoding: what the sender said, with identity and time settled.

    ``raw`` is the JSON text that is stored (UTF-8, ASCII-escaped where needed); ``body`` its decoded form.
    """

    id: str
    body: JsonObject
    raw: bytes


class Worth(NamedTuple):
    """Value of an event for the books, never for TikTok: integer micro-units and an ISO 4217 code ('' = unknown)."""

    micros: int = 0
    currency: str = ""


NO_WORTH = Worth()

INTAKE = "-"
"""The destination of the intake's own dead letters: what lies there need not be an event."""
DEFAULT_SOURCE = "segment"  # who speaks where a sender has no name of its own


class NewEntry(NamedTuple):
    """An event that one destination wants, on its way into the store."""

    stream: StreamKey
    event_id: str
    raw: bytes
    received_ms: int
    source: str
    worth: Worth = NO_WORTH


@dataclass(frozen=True, slots=True)
class Reject:
    """Something accepted by HTTP that is no event: it goes to the intake's own dead letters (destination ``-``)."""

    source: str
    reason: str
    raw: bytes
    received_ms: int


class Entry(NamedTuple):
    """An owed entry as claimed. ``id`` is its stream id; ``accepted`` names subscriptions TikTok already took.

    Only a former dead letter brings along ``first_ms``, the earliest time TikTok may have got it (0 = it cannot have
    it), and ``released``: an operator accepted that TikTok may count it twice.
    """

    id: str
    raw: bytes
    received_ms: int
    source: str
    worth: Worth = NO_WORTH
    accepted: tuple[str, ...] = ()
    first_ms: int = 0
    released: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to settle one contiguous id range until ``due_ms``. ``number`` fences off former holders.

    ``first_ms`` is when this range was first claimed without a reply since that proves nothing was stored.
    """

    stream: StreamKey
    lane: Lane
    first_id: str
    last_id: str
    number: int
    due_ms: int
    first_ms: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim returned: a lease, its entries (never empty) and the store's own clock.

    ``fresh``: nobody held the range before, or who did proved that TikTok has nothing of it. No comparison of times can
    tell: a range may be claimed twice within one millisecond. ``cut``: these live entries end before something old (out
    of a file, say), so that there may be more behind it.
    """

    lease: Lease
    entries: tuple[Entry, ...]
    now_ms: int
    fresh: bool
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Burial:
    """The ending of one entry as a dead letter. ``accepted`` names the subscriptions TikTok took before.

    ``first_ms``: the earliest time TikTok may have got what is not in ``accepted``; 0 = it cannot have it.
    """

    entry_id: str
    reason: DeadReason
    message: str
    code: int | None = None
    request_id: str = ""
    accepted: tuple[str, ...] = ()
    first_ms: int = 0


class Rest(StrEnum):
    """What becomes of the entries of a lease that a settlement does not end."""

    KEEP = "keep"  # still working on them: renew the lease
    RELEASE = "release"  # claimable again, time of first claim kept (TikTok may have them)
    UNCLAIM = "unclaim"  # claimable again as if never claimed (TikTok proved it has none, or nothing was sent)


class Attempt(NamedTuple):
    """One call to TikTok in the log of calls: which entries it carried, when, and what came back.

    The entries are those from ``first_id`` to ``last_id`` of the stream of ``klass``; not ``whole``: only some of them
    (a part of a refused call, or others between them could not be sent). ``number`` is the lease's. ``label`` as in
    ``Judgement``.
    """

    klass: EntryClass
    first_id: str
    last_id: str
    whole: bool
    items: int
    at_ms: int
    verdict: str
    label: str
    request_id: str
    log_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """Endings for entries of one lease, and what happens to the rest of it. ``forgotten``: their person asked for it.

    ``attempts``: calls made since the last settlement. They are written down even when the lease is lost meanwhile, and
    a log that cannot be written fails nothing.
    """

    delivered: Sequence[str] = ()
    dead: Sequence[Burial] = ()
    unmatched: Sequence[str] = ()
    rest: Rest = Rest.KEEP
    attempts: Sequence[Attempt] = ()
    forgotten: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement really did. ``held`` is False when lease or number no longer matched: nothing changed.

    ``unarchived`` of those delivered or unmatched should have gone to the archive, and could not.
    """

    held: bool
    delivered: int = 0
    unmatched: int = 0
    dead: int = 0
    unarchived: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What one piece of lapsing ended; ``more``: there may be more to end at once."""

    count: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Shed:
    """What one piece of shedding gave up: the oldest entries of one stream, or of the archive (``archive.ARCHIVE``)."""

    stream: StreamKey
    count: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one piece of trimming gave up. ``fullness``: of the limit that is nearest, before; over 1 something goes."""

    count: int
    fullness: float
    more: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as listed. ``id`` is its stream id in ``dead:<destination>``.

    ``first_ms`` as in ``Burial``; ``released`` as in ``Entry``, kept when a released entry is buried after all.
    """

    id: str
    destination: str
    klass: EntryClass | None
    reason: str
    message: str
    code: int | None
    request_id: str
    died_ms: int
    received_ms: int
    first_ms: int
    source: str
    worth: Worth
    accepted: tuple[str, ...]
    raw: bytes
    released: bool = False
    entry_id: str = ""  # what it was owed as: the log of calls knows it by that; '' where an older version buried it
    locked: bool = False  # sealed with a key that is not here, so that ``raw`` is empty


@dataclass(frozen=True, slots=True)
class StreamSurvey:
    """State of one owed stream at one moment. ``books`` holds the ledger counters of design promise 2.

    ``standing``: how many of the owed stand by, that nobody may claim; ``oldest_received_ms`` is of the others.
    """

    stream: StreamKey
    owed: int
    backlog: int
    leased: int
    oldest_received_ms: int | None
    value_micros: Mapping[str, int] = field(default_factory=dict)
    books: Mapping[str, int] = field(default_factory=dict)
    standing: int = 0
    standing_oldest_ms: int | None = None

    @property
    def sendable(self) -> int:
        """Owed entries that may be claimed, or are."""
        return self.owed - self.standing

    @property
    def unbalanced(self) -> int:
        """Accepted + requeued − endings − owed; 0 when the books balance."""
        got = self.books.get("accepted", 0) + self.books.get("requeued", 0)
        ended = sum(self.books.get(name, 0) for name in ENDINGS) + self.owed
        return got - ended


ENDINGS = (
    "delivered",
    *(f"dead:{reason.value}" for reason in DeadReason),
    "lapsed",
    "shed",
    "forgotten",
    "unmatched",
)


class ArchiveSurvey(NamedTuple):
    """How much is archived: events by class, bytes about, and when the oldest of them ended (None: nothing did)."""

    events: Mapping[EntryClass, int]
    used_bytes: int = 0
    oldest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoreSurvey:
    """State of the whole store. Bytes; ``max_bytes`` 0: no limit is known.

    ``archive`` None: nothing is archived, and nothing is added.
    """

    streams: tuple[StreamSurvey, ...]
    dead: Mapping[str, int]  # destination → dead letters kept
    used_bytes: int
    max_bytes: int
    now_ms: int
    disk_free_bytes: int | None = None
    archive: ArchiveSurvey | None = None
