"""Broken promises. Expected outcomes are values, not exceptions; these are for everything else."""

from __future__ import annotations

from enum import StrEnum


class RelayError(Exception):
    """Root of every exception the relay raises on purpose."""


class StoreTrouble(StrEnum):
    """Why the store cannot take or give entries right now; each is answered 503 and retried."""

    AWAY = "redis_unreachable"
    LOADING = "redis_loading"
    FULL = "redis_full"
    OVER_LIMIT = "journal_full"
    DISK_LOW = "disk_low"
    READ_ONLY = "redis_read_only"
    REPLICAS = "too_few_replicas"
    OVERLOADED = "queue_full"
    STOPPING = "stopping"
    SUPPRESSED_FULL = "suppression_list_full"


class StoreUnavailable(RelayError):
    """The store answered no, or not at all. Nothing is known to have been written.

    ``retry_after`` is in whole seconds, for the ``Retry-After`` header.
    """

    def __init__(self, trouble: StoreTrouble, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(f"{trouble.value}: {detail}" if detail else trouble.value)
        self.trouble = trouble
        self.detail = detail
        self.retry_after = retry_after


class StoreMisused(RelayError):
    """A script refused its arguments before its first write: a bug of the caller, never of the weather."""


class StoreMismatch(RelayError):
    """The store was created with other settings (schema, partitions); the message names the way out."""


class ModeBusy(RelayError):
    """A change of a destination's mode did not come through: others changed it at the same time. Safe to repeat."""


class ReplayRefused(RelayError):
    """A replay cannot begin, or be turned, as things are; the message says why."""


class PortUnavailable(RelayError):
    """A port cannot be bound; the message says which and why."""


class ConfigError(RelayError):
    """Start-up is refused. ``problems`` lists every one at once, each with its key and a hint."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
