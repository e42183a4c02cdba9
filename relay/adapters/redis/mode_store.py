"""The shared record of each destination's mode, what may be claimed because of it, and what lapses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from relay.adapters.redis import keys, memo
from relay.adapters.redis.connect import Client, as_written_here
from relay.adapters.redis.options import StoreOptions
from relay.core.delivery.mode import REACH_MS, Mode, ModeRecord
from relay.core.event import EntryClass, Lapsed, StreamKey

PAGE = 500
"""Entries looked at in one call: about 2 ms."""
PIECE = 250
"""Entries that lapse in one call at most: about 3 ms."""
MOST = 200_000
"""So many entries are counted, in about a second; the rest is estimated."""
SAMPLE = 100
EVERYTHING, STANDS_BY = "0-0", "-"
"""Where a window begins that leaves nothing out, and one with nothing in it."""


class Window(NamedTuple):
    """Where a window begins, how many entries were counted from there on, and the last of them (see mode.lua)."""

    first: str
    counted: int
    last: str


class Seen(NamedTuple):
    """What was seen of a stream: where its window begins so far, its length and last id before the last look; then.

    The first entry that belongs to the new window, how many from there on were counted, the last one looked at; and
    whether there are more, which nobody counts.
    """

    former: str = ""
    length: int = 0
    tail: str = ""
    first: str = ""
    counted: int = 0
    last: str = ""
    more: bool = False


class RedisModes:
    """See ``ports.ModeStore``."""

    def __init__(self, client: Client, options: StoreOptions) -> None:
        self._client, self._options = client, options

    async def load(self, destination: str) -> ModeRecord | None:
        """See ``ports.ModeStore.load``."""
        stored: dict[bytes, bytes] = await self._client.run("HGETALL", keys.mode(destination))
        if not stored:
            return None
        with as_written_here(keys.mode(destination)):
            return _record(stored)

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        """See ``ports.ModeStore.save``."""
        streams = [StreamKey(destination, klass) for klass in EntryClass]
        names = [keys.mode(destination)]
        grace_ms = self._options.failback_grace_ms
        args: list[str | int] = [expected_version, record.mode.value, record.since_ms, int(record.closed), grace_ms]
        windows: Sequence[tuple[str, str | int, str]] = [("", "", "")] * len(streams)
        if record.mode is Mode.FAILOVER:
            windows = await self._windows(streams, record.since_ms)
        for stream, window in zip(streams, windows, strict=True):
            names += (keys.owed(stream), keys.mark(stream))
            args += window
        return bool(await self._client.script("mode", names, args))

    async def lapse(self, stream: StreamKey) -> Lapsed:
        """See ``ports.ModeStore.lapse``."""
        names = [make(stream) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
        count, more, _ = await self._client.script("drop", names, ("lapsed", self._options.retention_ms, PIECE))
        return Lapsed(count, bool(more))

    async def _windows(self, streams: Sequence[StreamKey], since_ms: int) -> list[Window]:
        """Look through the streams one by one, then catch up with each.

        Looking takes a second or more, in which thousands of entries may arrive; catching up takes milliseconds, so the
        script, which counts what arrived after the last entry seen, finds few.
        """
        seen = [await self._look(stream, since_ms, Seen()) for stream in streams]
        return [
            _window(await self._look(stream, since_ms, before)) for stream, before in zip(streams, seen, strict=True)
        ]

    async def _look(self, stream: StreamKey, since_ms: int, seen: Seen) -> Seen:
        """Look for the first entry received at ``since_ms`` or later, from where it may be at the earliest; or go on.

        Nothing that was looked at changes until the record is stored: what stands by can only lapse or be shed, and
        what is appended meanwhile has greater ids.
        """
        stored: bytes | None = await self._client.run("HGET", keys.mark(stream), "from")
        former = stored.decode() if stored else STANDS_BY
        if former == EVERYTHING:
            return Seen(former)
        lead_ms, length, tail = await self._ends(stream)
        seen = seen._replace(former=former, length=length, tail=tail)
        if seen.more:
            return seen
        start = f"({seen.last}" if seen.last else f"{max(0, since_ms - REACH_MS - lead_ms)}-0"
        return await self._scan(stream, start, since_ms, seen)

    async def _scan(self, stream: StreamKey, position: str, since_ms: int, seen: Seen) -> Seen:
        """To the first entry received at ``since_ms`` or later, however far; then count, but not for ever.

        A failover must not wait for a figure.
        """
        first, counted, last, looked = seen.first, seen.counted, seen.last, PAGE
        end, enough = "+" if seen.former == STANDS_BY else f"({seen.former}", counted + MOST
        while looked == PAGE and counted < enough:
            args = (position, end, 0 if first else since_ms, PAGE)
            looked, at, found, here = await self._client.script("locate", [keys.owed(stream)], args)
            first, counted, last = first or found.decode(), counted + here, at.decode() or last
            position = f"({last}"
        return seen._replace(first=first, counted=counted, last=last, more=looked == PAGE)

    async def _ends(self, stream: StreamKey) -> tuple[int, int, str]:
        """How far receivers' clocks have been ahead of the store's, as both ends show; length, and last id."""
        name = keys.owed(stream)
        first, last, length = await self._client.many(
            [
                ("XRANGE", name, "-", "+", "COUNT", SAMPLE),
                ("XREVRANGE", name, "+", "-", "COUNT", SAMPLE),
                ("XLEN", name),
            ]
        )
        leads = [memo.received_ms(fields.get(b"m", b"")) - _ms(id_.decode()) for id_, fields in (*first, *last)]
        return max(0, 0, *leads), length, last[0][0].decode() if last else ""


def _record(stored: Mapping[bytes, bytes]) -> ModeRecord:
    numbers = {name: int(stored.get(name.encode(), 0)) for name in ("version", "since_ms", "until_ms", "closed")}
    return ModeRecord(
        mode=Mode(stored[b"mode"].decode()),
        version=numbers["version"],
        since_ms=numbers["since_ms"],
        until_ms=numbers["until_ms"],
        closed=bool(numbers["closed"]),
    )


def _window(seen: Seen) -> Window:
    """What follows from all that was seen of a stream."""
    former, first, counted, last = seen.former, seen.first, seen.counted, seen.last
    if former == EVERYTHING:
        return Window(former, 0, "former")
    if seen.more:
        last = seen.tail if former == STANDS_BY else former
        counted = min(seen.length, counted + _rest(seen, last))
    if former != STANDS_BY:
        return Window(first or former, counted, "former")
    return Window(first or _next(last or seen.tail or "0-0"), counted, last or seen.tail)


def _rest(seen: Seen, until: str) -> int:
    """About how many there are behind what was counted, if they came at the same rate.

    Claims correct the figure as soon as nothing is left.
    """
    counted_ms = max(1, _ms(seen.last) - _ms(seen.first))
    return seen.counted * max(0, _ms(until) - _ms(seen.last)) // counted_ms


def _ms(id_: str) -> int:
    return int(id_.partition("-")[0])


def _next(id_: str) -> str:
    """The smallest id after this one."""
    ms, _, seq = id_.partition("-")
    return f"{ms}-{int(seq) + 1}"
