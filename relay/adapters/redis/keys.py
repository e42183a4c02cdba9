"""Every key the relay writes. All keys of one partition share the hash tag ``{p}``, so a cluster keeps them together.

Partition 0 is the only one in use; the number is in every key so that a second one needs no renaming.
"""

from __future__ import annotations

from relay.core.event import EntryClass, StreamKey

PARTITION = 0
PARTITIONS = 1
SCHEMA = 1

INTAKE = "-"
"""The destination under which the intake keeps what it accepted by HTTP and could not read."""

DAY_MS = 86_400_000
EPOCH_MS = {EntryClass.ENGAGEMENT: DAY_MS, EntryClass.CONVERSION: 10 * DAY_MS}
EPOCHS = {EntryClass.ENGAGEMENT: 3, EntryClass.CONVERSION: 4}
"""How long an id is remembered: three days for engagement, forty for conversions (a late Segment Replay must not
double a purchase). The oldest epoch is looked up until it has passed entirely."""

BUCKETS = 16_384


def prefix(partition: int = PARTITION) -> str:
    """What every key of a partition starts with."""
    return f"relay:{{{partition}}}:"


def meta() -> str:
    """Hash: schema, partitions, digest key; written when the store is created."""
    return prefix(0) + "meta"


def streams() -> str:
    """Set: ``destination:class`` of every stream that anybody ever worked with here."""
    return prefix(0) + "streams"


def owed(stream: StreamKey) -> str:
    """Stream of entries: fields ``e`` (encoded event) and ``m`` (what the store must know of it)."""
    return f"{prefix()}owed:{stream.destination}:{stream.klass.value}"


def leases(stream: StreamKey) -> str:
    """Hash: first id → ``last id, due, number, first claim, entries left``; field ``#`` is the last number given."""
    return f"{prefix()}leases:{stream.destination}:{stream.klass.value}"


def mark(stream: StreamKey) -> str:
    """Hash: ``id`` of the last backlog entry, ``backlog`` entries up to it that are still owed; and the window.

    What may be claimed, unless all may: ``from`` the first id (``-``: nothing) ``to`` the last one (absent: no end),
    ``standing`` entries before it, ``left`` entries in it since it has an end.
    """
    return f"{prefix()}mark:{stream.destination}:{stream.klass.value}"


def books(stream: StreamKey) -> str:
    """Hash of the ledger: counters of design promise 2, ``duplicates``, and ``v:<CUR>`` owed values.

    Letters kept no more: ``discarded`` by an operator, ``trimmed`` by a limit, ``erased`` with a person's data.
    """
    return f"{prefix()}books:{stream.destination}:{stream.klass.value}"


def archive(klass: EntryClass) -> str:
    """Stream of what was delivered or filtered.

    Fields ``e`` and ``m`` as in ``owed``, ``d`` the destination (absent: filtered), ``f`` the earliest time TikTok may
    have got it, ``u`` when no subscription matched it at delivery, ``i`` what it was owed as.
    """
    return f"{prefix()}archive:{klass.value}"


def replay() -> str:
    """Hash: the record of the replay under way, or of the last one; ``n:<name>`` counts, ``v:<CUR>`` values moved."""
    return prefix() + "replay"


def intake_books() -> str:
    """Hash: ``bytes`` that the intake's own dead letters take, and how many were ``trimmed``."""
    return f"{prefix()}books:{INTAKE}"


def dead(destination: str) -> str:
    """Stream of dead letters."""
    return f"{prefix()}dead:{destination}"


def attempts(destination: str) -> str:
    """Stream of the last calls made for a destination (``attempts.py``), capped by length."""
    return f"{prefix()}attempts:{destination}"


def gate(destination: str) -> str:
    """Hash: the gate's record, and ``paused``."""
    return f"{prefix()}gate:{destination}"


def incidents(destination: str) -> str:
    """Hash: number of an incident → ``version record``."""
    return f"{prefix()}incidents:{destination}"


def incident_log(destination: str, number: int) -> str:
    """Stream: what was written down during one incident, field ``d``."""
    return f"{prefix()}incident:{destination}:{number}"


def mode(destination: str) -> str:
    """Hash: the record of a destination's mode."""
    return f"{prefix()}mode:{destination}"


def roster() -> str:
    """Sorted set: replica that delivers → when it last said so, in ms."""
    return prefix() + "roster"


def suppressed() -> str:
    """Stream of marks of people: ``m`` refused, ``x`` not any more; one line a mark, trimmed by age."""
    return prefix(0) + "suppressed"


def suppressed_index() -> str:
    """Hash: mark of who is refused → id of its line in ``suppressed``. It is what the limit counts."""
    return prefix(0) + "suppressed:who"


def lifted_index() -> str:
    """Hash: mark of who was taken off the list → id of that line: older requests about them are void."""
    return prefix(0) + "suppressed:lifted"


def seen_prefix(klass: EntryClass, epoch: int) -> bytes:
    """Start of the key of one bucket of one epoch; a bucket's name completes it. Short: there are 16,384 of them."""
    return f"{prefix()}s:{klass.value[0]}:{epoch:x}:".encode()
