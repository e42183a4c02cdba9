"""Whether a destination sends what it is owed, or stands by behind somebody else who does.

Pure: each function returns the next record, or None where there is nothing to change. The store makes it hold: its
scripts read what follows from the record with every claim and every lapse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

REACH_MS = 60_000
"""An id tells the store's time of an append, a receipt a receiver's: that clock may have been ahead by what the entries
at both ends of the stream show, and this much. Start-up refuses clocks that differ by more than 5 s."""


class Mode(StrEnum):
    """What a destination does with what it is owed."""

    ACTIVE = "active"  # everything is sent
    STANDBY = "standby"  # nothing is sent; what is too old lapses
    FAILOVER = "failover"  # what was received from a moment on is sent, the rest stands by
    FAILBACK = "failback"  # what was taken over is finished, the rest stands by


@dataclass(frozen=True, slots=True)
class ModeRecord:
    """What is stored of a mode; every write names the version it read (``ModeStore.save``).

    ``until_ms`` is the store's time of the failback; ``closed``: nothing more is added to what was taken over.
    """

    mode: Mode = Mode.ACTIVE
    version: int = 0
    since_ms: int = 0
    until_ms: int = 0
    closed: bool = False


def declared(stored: ModeRecord | None, configured: Mode) -> ModeRecord | None:
    """What a process that starts makes of the stored mode.

    The configuration says how a destination begins; what an operator did later outlives restarts. Only a changed
    configuration turns it: to active at once, from active by finishing first what was owed as active.
    """
    if stored is None:
        return ModeRecord(configured)
    if configured is Mode.ACTIVE and stored.mode is not Mode.ACTIVE:
        return ModeRecord(version=stored.version)
    if configured is Mode.STANDBY and stored.mode is Mode.ACTIVE:
        return ModeRecord(Mode.FAILBACK, stored.version)
    return None


def failed_over(record: ModeRecord, since_ms: int) -> ModeRecord | None:
    """Take over what was received from ``since_ms`` on. A failover only ever reaches further back.

    During a failback it goes on from where that one began: what is unfinished must not be forgotten.
    """
    if record.mode is Mode.STANDBY:
        return ModeRecord(Mode.FAILOVER, record.version, since_ms)
    if record.mode is Mode.FAILBACK:
        return ModeRecord(Mode.FAILOVER, record.version, min(since_ms, record.since_ms))
    if record.mode is Mode.FAILOVER and since_ms < record.since_ms:
        return replace(record, since_ms=since_ms)
    return None


def failed_back(record: ModeRecord) -> ModeRecord | None:
    """Finish what was taken over, then stand by."""
    return replace(record, mode=Mode.FAILBACK) if record.mode is Mode.FAILOVER else None


def next_step(record: ModeRecord) -> ModeRecord | None:
    """The next step of a failback, which the store takes only when it is due: close, then stand by."""
    if record.mode is not Mode.FAILBACK:
        return None
    return ModeRecord(Mode.STANDBY, record.version) if record.closed else replace(record, closed=True)
