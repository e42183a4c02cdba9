"""From entries' items to calls: which go together, how many, and the bytes on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from relay.core.event import NO_WORTH, Worth

MAX_ITEMS = 500
HARD_MAX_ITEMS = 1000
"""TikTok refuses a longer call whole (TikTok sheet section 1)."""
MAX_BYTES = 900_000
"""No limit is documented; clients that reported trouble were above 1 MB (TikTok sheet section 2.1)."""


class Sendable(Protocol):
    """What delivery needs to know of an item; the mapping builds it."""

    @property
    def subscription(self) -> str:
        """Which subscription made it; names it in dead letters."""
        ...

    @property
    def event_source(self) -> str:
        """``web``, ``app``, ``offline`` or ``crm``: top level of the call."""
        ...

    @property
    def test_event_code(self) -> str:
        """Top level of the call; '' for none. Test items travel in calls of their own."""
        ...

    @property
    def error(self) -> str | None:
        """Why no valid item could be made; such an item is never sent."""
        ...

    @property
    def body(self) -> bytes:
        """Compact JSON of the item, b'' with an error."""
        ...

    @property
    def event_time(self) -> int | None:
        """Unix seconds."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was repaired in it and what is odd about it, by the names of rules and cautions; nearly always empty."""
        ...

    @property
    def event(self) -> str:
        """TikTok's name of the event, for the books of what was delivered."""
        ...

    @property
    def worth(self) -> Worth:
        """The value TikTok is told."""
        ...


class Packed(NamedTuple):
    """What is kept of an item until its call: the parsed form is ten times as large, and thousands wait at a time."""

    subscription: str
    event_source: str
    test_event_code: str
    body: bytes
    remarks: tuple[str, ...] = ()
    event: str = ""
    worth: Worth = NO_WORTH


def pack(item: Sendable) -> Packed:
    """Keep what the call needs."""
    source, code = item.event_source, item.test_event_code
    return Packed(item.subscription, source, code, item.body, item.remarks, item.event, item.worth)


class Parcel(NamedTuple):
    """Items of one entry that share a call."""

    entry_id: str
    items: tuple[Packed, ...]


class Batch(NamedTuple):
    """One call to be made: parcels of one event source and one test event code."""

    event_source: str
    test_event_code: str
    parcels: Sequence[Parcel]

    @property
    def items(self) -> int:
        """How many items the call has."""
        return sum(len(parcel.items) for parcel in self.parcels)


class Limits(NamedTuple):
    """How large a call may be. ``items`` is a wish, ``hard`` is TikTok's word; bytes of all items together."""

    items: int = MAX_ITEMS
    hard: int = HARD_MAX_ITEMS
    bytes: int = MAX_BYTES


def parcels_of(entry_id: str, items: Sequence[Sendable], test_event_code: str, limits: Limits) -> Iterator[Parcel]:
    """An entry's items as parcels: together, unless they differ in their call or are more than a call can hold."""
    groups: dict[tuple[str, str], list[Packed]] = {}
    for item in items:
        groups.setdefault((item.event_source, item.test_event_code or test_event_code), []).append(pack(item))
    for group in groups.values():
        for start in range(0, len(group), limits.hard):
            yield Parcel(entry_id, tuple(group[start : start + limits.hard]))


def batches(parcels: Sequence[Parcel], test_event_code: str, limits: Limits) -> list[Batch]:
    """Parcels as calls, in order within each call's group."""
    groups: dict[tuple[str, str], list[Parcel]] = {}
    for parcel in parcels:
        item = parcel.items[0]
        groups.setdefault((item.event_source, item.test_event_code or test_event_code), []).append(parcel)
    return [Batch(source, code, part) for (source, code), group in groups.items() for part in cut(group, limits)]


def cut(parcels: Sequence[Parcel], limits: Limits) -> Iterator[list[Parcel]]:
    """Full calls, first come first served."""
    part: list[Parcel] = []
    count = size = 0
    for parcel in parcels:  # hot loop: once per entry
        items = parcel.items
        weight = sum([len(item.body) + 1 for item in items])
        # The first parcel always fits, however large: otherwise it could never leave.
        if part and (count + len(items) > limits.items or size + weight > limits.bytes):
            yield part
            part, count, size = [], 0, 0
        part.append(parcel)
        count += len(items)
        size += weight
    if part:
        yield part


def body_of(batch: Batch, event_source_id: str) -> bytes:
    """The request body: items were serialised once, when they were made."""
    head = {"event_source": batch.event_source, "event_source_id": event_source_id}
    if batch.test_event_code:
        head["test_event_code"] = batch.test_event_code
    start = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join((start[:-1], b',"data":[', b",".join([i.body for p in batch.parcels for i in p.items]), b"]}"))
