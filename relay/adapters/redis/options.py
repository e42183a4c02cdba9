"""What a deployment may choose about its store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Bytes, milliseconds, fractions.

    ``max_bytes`` None means 80 % of the server's own limit; intake stops at ``high`` of it and resumes at ``low``.
    ``attempts`` is about how many calls the log of each destination keeps. ``disk_low`` says in words that the disk
    under the store is nearly full, or '' (embedded only); ``disk_free`` is its free bytes. ``dictionaries`` is a folder
    with dictionaries besides the shipped ones.
    ``letters_…`` and ``reports_…``: what is kept of one destination's dead letters and incidents.
    Where a destination stands by, entries lapse after ``retention_ms``.
    ``failback_grace_ms``: how long after a failback what was received before it may still be on its way into the store
    (twice the time an append may take). ``sheds``: above ``high`` engagement is given up, and intake goes on.
    ``suppressed_…``: for how long, and of how many, it is remembered that a person's events are refused.
    ``encryption_keys``: the first seals, all open; without any nothing is sealed. ``lost_keys``: ids of keys that are
    gone.
    ``archive``: what is delivered or filtered is kept for ``retention_ms``.
    """

    max_bytes: int | None = None
    high: float = 0.95
    low: float = 0.90
    sheds: bool = False
    archive: bool = False
    replicas: int = 0
    lease_ms: int = 30_000
    live_age_ms: int = 30_000
    rejects_bytes: int = 16 * 1024**2
    rejects_age_ms: int = 7 * 86_400_000
    reject_bytes: int = 64 * 1024
    attempts: int = 50_000
    letters_age_ms: int = 90 * 86_400_000
    letters_bytes: int = 256 * 1024**2
    reports_age_ms: int = 400 * 86_400_000
    reports_bytes: int = 64 * 1024**2
    retention_ms: int = 86_400_000
    failback_grace_ms: int = 10_000
    dictionaries: Path | None = None
    suppressed_age_ms: int = 365 * 86_400_000
    suppressed_most: int = 1_000_000
    encryption_keys: tuple[bytes, ...] = ()
    lost_keys: tuple[str, ...] = ()
    disk_low: Callable[[], str] = str
    disk_free: Callable[[], int | None] = lambda: None
