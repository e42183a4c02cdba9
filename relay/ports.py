"""What the engine needs from the outside, in its own words. At most five methods each; adapters conform by shape.

Long because every port stands here, so that the engine's whole outside can be read in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from relay.core.archive import Archived, Moved, ReplayJob, Requeue, Step
from relay.core.delivery.gate import GateRecord
from relay.core.delivery.mode import ModeRecord
from relay.core.erasure import Place, Swept
from relay.core.event import (
    Attempt,
    Claimed,
    DeadLetter,
    EntryClass,
    Lane,
    Lapsed,
    Lease,
    NewEntry,
    Reject,
    Settled,
    Settlement,
    Shed,
    StoreSurvey,
    StreamKey,
    Trimmed,
)
from relay.core.incident import Incident
from relay.core.incident_log import LogEntry
from relay.core.notices import Notice
from relay.core.tiktok.reply import Call, Reply
from relay.core.trace import AgeSample, Page, Standing


class Inbox(Protocol):
    """Where intake writes."""

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        """Store all of it durably in one atomic call; per entry True (owed now) or False (a duplicate).

        At most 512 entries and 1 MiB of raw events a call (a single larger event is allowed).
        Raises StoreUnavailable (nothing is known to be written; safe to repeat) or StoreMisused.
        """
        ...


class Owed(Protocol):
    """Where delivery takes entries from and gives them their ending."""

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        """Lease the oldest claimable entries of one lane; None when there are none. Falls due by itself.

        ``probe``: nothing is live but what comes after this claim.
        """
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        """Apply endings, fenced by lease and number. Safe to repeat."""
        ...

    async def survey(self) -> StoreSurvey:
        """One consistent-enough look at all streams, books, values and the store's memory."""
        ...


class DeadLetters(Protocol):
    """The operator's access to what could not be delivered. Destination ``-`` is the intake's own."""

    async def list(self, destination: str, *, after: str = "", limit: int = 100, reason: str = "") -> list[DeadLetter]:
        """Oldest first, strictly after stream id ``after``."""
        ...

    async def get(self, destination: str, letter_id: str) -> DeadLetter | None:
        """One letter, or None."""
        ...

    async def requeue(self, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        """Move letters back to owed; returns how many really moved.

        Each keeps the time TikTok may first have got it. ``released``: TikTok's counting it twice is accepted, so that
        no clock but that of ``expired`` buries it again.
        """
        ...

    async def discard(self, destination: str, ids: Sequence[str]) -> int:
        """Delete letters for good; returns how many there were."""
        ...


class GateStore(Protocol):
    """The shared record of each gate, and whether an operator paused the destination."""

    async def load(self, destination: str) -> GateRecord:
        """The record; a fresh closed one with version 0 when none is stored."""
        ...

    async def save(self, destination: str, record: GateRecord, expected_version: int) -> bool:
        """Store ``record`` with version ``expected_version + 1``; False when another version is stored."""
        ...

    async def paused(self, destination: str) -> bool:
        """Whether an operator paused this destination."""
        ...

    async def set_paused(self, destination: str, *, paused: bool) -> None:
        """Pause or resume; survives restarts."""
        ...


class Tracks(Protocol):
    """What the store can say about single entries, for whoever asks. Nothing here changes anything."""

    async def search(self, stream: StreamKey, needle: bytes, *, after: str = "", limit: int = 200) -> Page:
        """Look through the next entries of a stream, strictly after an id: those whose text contains ``needle``."""
        ...

    async def accepted(self, destination: str, event_id: str) -> Mapping[EntryClass, tuple[int, int]]:
        """The classes under which this id was accepted, and when: from and to, in ms, as exactly as is remembered."""
        ...

    async def standing(self, stream: StreamKey, entry_id: str) -> Standing:
        """Lane and lease of an entry."""
        ...

    async def calls(self, destination: str, *, after: str = "", limit: int = 500) -> tuple[str, list[Attempt]]:
        """A page of the log, oldest first, strictly after an id: its last id ('' at the end), and the calls."""
        ...

    async def ages(self, stream: StreamKey) -> Sequence[AgeSample]:
        """How receipt is spread over an owed stream, oldest entries first; an estimate where there are many."""
        ...


class ModeStore(Protocol):
    """Who sends and who stands by. The store sees to it: no claim and no lapse goes by what a replica believes."""

    async def load(self, destination: str) -> ModeRecord | None:
        """The record; None when none was ever stored."""
        ...

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        """Store ``record`` with version ``expected_version + 1``, and what may be claimed from then on.

        active: everything. standby: nothing; after a failback only when nothing of it is owed any more. failover:
        every entry received at ``since_ms`` or later (see ``REACH_MS`` for what clocks may do), and
        all that were appended after the first of them. failback: as before; once closed, nothing appended afterwards.
        False, and nothing changed, when another version is stored or it is too early. Sets ``until_ms`` itself.
        """
        ...

    async def lapse(self, stream: StreamKey) -> Lapsed:
        """End a bounded number of entries that stand by and were received and owed longer ago than the retention.

        Never one that is leased or may be claimed, and none of an active destination.
        """
        ...


class Roster(Protocol):
    """Who delivers at the moment: they share one budget of calls."""

    async def announce(self, replica: str) -> int:
        """Say that it delivers; how many do, itself included. One that is silent for ten seconds is gone."""
        ...

    async def leave(self, replica: str) -> None:
        """Say that it delivers no more."""
        ...


class Changes(NamedTuple):
    """Lines of the list of suppressed people: up to which one, marks and whether they are on it, are there more."""

    last_id: str
    marks: Sequence[tuple[bytes, bool]]
    more: bool


NOW: Mapping[str, int] = MappingProxyType({})
"""Nobody was asked for earlier than now."""


class Listed(NamedTuple):
    """How many identities a write put on the list of suppressed people or took off it, and how many are on it now."""

    changed: int
    listed: int


class Suppressions(Protocol):
    """The list of people whose events are refused. It holds marks: nobody can read from it who they are."""

    def mark(self, identity: str) -> bytes:
        """The mark of an identity (``core.segment.people``)."""
        ...

    async def write(self, identities: Sequence[str], *, on: bool, asked_ms: Mapping[str, int] = NOW) -> Listed:
        """Put them on the list, or take them off. StoreUnavailable (``SUPPRESSED_FULL``) when it holds no more.

        ``asked_ms`` says when each was asked for, in epoch milliseconds; absent: now. Who was taken off since is not
        put on again. Who is on the list already changes nothing, unless asked for a day later: the mark is new then.
        """
        ...

    async def since(self, after: str) -> Changes:
        """The next lines, strictly after an id, oldest first."""
        ...


class Erasure(Protocol):
    """What is kept of people, to be searched through and erased."""

    async def places(self) -> Sequence[Place]:
        """Everything that may name somebody, in the order in which to search."""
        ...

    async def sweep(
        self, place: Place, wanted: Callable[[bytes], bool], *, after: str = "", limit: int = 200, dry: bool = False
    ) -> Swept:
        """Look through the next records, strictly after an id, and erase those whose text is ``wanted``.

        Owed ones end as ``forgotten`` in the books, unless they are leased: those stay. Letters are counted as
        ``erased``. ``dry``: erase nothing.
        """
        ...


class Bounds(Protocol):
    """Limits of age and bytes on what is kept for people; what is beyond is given up, the oldest first."""

    async def trim_letters(self, destination: str) -> Trimmed:
        """Give up a bounded number of dead letters; each is counted as ``trimmed`` in the books."""
        ...

    async def trim_reports(self, destination: str) -> Trimmed:
        """Give up incidents that are over; never the latest."""
        ...


class Archive(Protocol):
    """What is kept of what was delivered, unmatched or filtered, by class, in the order of these endings."""

    async def page(self, klass: EntryClass, *, after: str = "", limit: int = 200) -> Sequence[Archived]:
        """The next events, strictly after an id."""
        ...

    async def trim(self) -> int:
        """Let go of a bounded number of those that ended longer ago than the retention; how many."""
        ...


class Replays(Protocol):
    """The record of the one replay there is, and its steps."""

    async def load(self) -> ReplayJob | None:
        """The record of the one under way, or of the last one."""
        ...

    async def save(self, job: ReplayJob, expected_version: int, *, new: bool = False) -> bool:
        """Store ``job`` with version ``expected_version + 1``; False when another version is stored.

        ``new``: in place of the one before, all of it; else state, owner and end only. A job with an owner is ``held``
        from then on, until its lease falls due.
        """
        ...

    async def move(self, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        """One step of the job of this version: owe archived events again, write down how far it is, renew its lease.

        At most some hundred events, all of one class. Each leaves the archive for all its targets in one atomic call
        with the step, and keeps the time TikTok may first have got it; it is counted as requeued. One that is to be
        kept stays archived under another id, as one that TikTok may have from now on. One that is not in the archive
        any more is left out. A target with an ``event_id`` gets it unless it is remembered there, and then counts a
        duplicate.
        None, and nothing changed: the job is not running, or in other hands. After StoreUnavailable only ``load`` tells
        whether the step was taken.
        """
        ...


class Overflow(Protocol):
    """What may be given up when the store is full."""

    @property
    def pressed(self) -> bool:
        """Whether the store was above its high watermark and has not been seen below the low one since."""
        ...

    async def shed(self) -> Shed | None:
        """Give up a bounded number of archived events, those that ended first, or of engagement entries.

        Entries only when the archive is empty and the store is one that sheds: those received first, of whichever
        destination, never a conversion, and never an entry in a lease, due or not. No more than it takes to come below
        the low watermark, about, however many replicas do so. None: it is below, or there is nothing left to give up.
        """
        ...


class Sender(Protocol):
    """One call to TikTok. Never raises for the network's sake: what went wrong is in the reply."""

    async def send(self, call: Call) -> Reply:
        """Post one batch and read the answer."""
        ...


class Clock(Protocol):
    """Time as an argument; a test's clock moves when the test says so."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Chance(Protocol):
    """Dice as an argument."""

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        ...


class Tell(Protocol):
    """Where notices go."""

    def __call__(self, notice: Notice, /) -> None:
        """Must not block and must not raise."""
        ...


class Incidents(Protocol):
    """What is kept of incidents; each destination's are numbered from 1, and only the latest may be open."""

    async def log(self, destination: str, number: int) -> list[LogEntry]:
        """What was written down during one, in the order of writing, each token once."""
        ...

    async def list(self, destination: str) -> list[Incident]:
        """Their records, the latest first; some tens of them are kept."""
        ...

    async def save(self, incident: Incident, expected_version: int, log: Sequence[LogEntry]) -> bool:
        """Store the record with version ``expected_version + 1`` and append to its log, both or nothing.

        False when another version is stored. Version 0 is that of an incident nobody has opened yet.
        """
        ...

    async def append(self, destination: str, number: int, log: Sequence[LogEntry]) -> bool:
        """Add to the log of an incident alone; False when there is none of that number (any more)."""
        ...
