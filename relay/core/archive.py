"""What is kept of what was delivered or filtered (``journal.archive``), and the job that sends some of it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from relay.core.event import NO_WORTH, EntryClass, StreamKey, Worth

ARCHIVE = "*"
"""No destination has this name; under it the archive remembers the ids of what was filtered."""
FILTERED = StreamKey(ARCHIVE, EntryClass.ENGAGEMENT)
"""Where intake puts what nobody wants: without a subscription it has no rank."""


class Archived(NamedTuple):
    """An event in the archive. ``id`` is its stream id there: it orders by the time of the ending.

    ``destination`` is whose entry it was; '' when it was filtered. Not ``delivered``: no subscription matched it.
    ``first_ms``: the earliest time TikTok may have got it, 0 when it cannot have it. ``entry_id`` is what it was owed
    as: the log of calls knows it by that. ``locked``: it is sealed with a key that is not here, so ``raw`` is empty.
    """

    id: str
    klass: EntryClass
    raw: bytes
    received_ms: int
    source: str
    worth: Worth = NO_WORTH
    destination: str = ""
    first_ms: int = 0
    delivered: bool = False
    entry_id: str = ""
    locked: bool = False

    @property
    def ended_ms(self) -> int:
        """When it was delivered, filtered or found unmatched, by the store's clock."""
        return int(self.id.partition("-")[0])


class Target(NamedTuple):
    """A stream to which an archived event goes. ``event_id`` is '' where it was accepted before: it is known there."""

    stream: StreamKey
    event_id: str = ""


class Requeue(NamedTuple):
    """An archived event on its way back. ``keep``: leave it in the archive, because others want it, too.

    What is kept needs an ``event_id`` for every target: only that keeps it from going there twice.
    """

    event: Archived
    targets: tuple[Target, ...]
    keep: bool = False


class Step(NamedTuple):
    """How far a job has come: where it goes on, what is added to its counts, and what it waits for ('': nothing)."""

    cursor: str
    counts: Mapping[str, int] = {}
    waiting: str = ""


class Moved(NamedTuple):
    """What a step really owed again, by stream; ``duplicates`` were accepted there in the meantime."""

    owed: Mapping[StreamKey, int]
    duplicates: int = 0


class ReplayState(StrEnum):
    """Where a replay is. The last two are endings."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ReplayAsk:
    """Which events to send again: received from ``since_ms`` on and before ``until_ms``; '' is any.

    ``event`` is the name of a track call, or the type of another one. ``letters``: dead letters as well.
    ``rate``: events a second at most.
    """

    since_ms: int
    until_ms: int
    destination: str = ""
    event: str = ""
    letters: bool = False
    rate: int = 500


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """The record of a replay; a store has one, until the next begins.

    Who works on it is ``owner``; ``held``: its lease has not fallen due. ``began_ms`` and ``ended_ms`` (0: not yet)
    are the store's times; ``expected`` is about how many it will move. ``waiting`` (for what), ``cursor``, ``counts``
    (``moved``, ``duplicates``, and what else was met) and ``value_micros`` (what was moved, by currency) are written by
    steps only.
    """

    id: str
    ask: ReplayAsk
    state: ReplayState = ReplayState.RUNNING
    began_ms: int = 0
    ended_ms: int = 0
    expected: int = 0
    owner: str = ""
    held: bool = False
    waiting: str = ""
    version: int = 0
    cursor: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    value_micros: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Nothing will be moved any more."""
        return self.state in (ReplayState.DONE, ReplayState.CANCELLED)


def begun(job: ReplayJob | None, wanted: ReplayJob) -> ReplayJob | None:
    """The record of a new job; None while there is another one."""
    if job is not None and not job.ended:
        return None
    return replace(wanted, version=job.version if job else 0)


def turned(job: ReplayJob, state: ReplayState, now_ms: int = 0) -> ReplayJob | None:
    """What an operator, or whoever worked on it, makes of a job; None where there is nothing to change."""
    if job.ended or job.state is state:
        return None
    ended_ms = now_ms if state in (ReplayState.DONE, ReplayState.CANCELLED) else 0
    return replace(job, state=state, owner="", ended_ms=ended_ms)


def taken(job: ReplayJob, owner: str) -> ReplayJob | None:
    """The record after ``owner`` took the job; None while it has nothing to do, or another one works on it."""
    if job.state is not ReplayState.RUNNING or (job.held and job.owner not in ("", owner)):
        return None
    return replace(job, owner=owner)
