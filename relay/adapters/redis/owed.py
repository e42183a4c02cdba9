"""Claim, settle, survey: where delivery takes entries from and gives them their ending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from relay.adapters.redis import attempts, keys, memo, vault
from relay.adapters.redis.codec import Codec, Locked, Undecodable
from relay.adapters.redis.connect import Client, as_written_here
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.state import StoreState
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import (
    ArchiveSurvey,
    Claimed,
    Entry,
    EntryClass,
    Lane,
    Lease,
    Rest,
    Settled,
    Settlement,
    StoreSurvey,
    StreamKey,
    StreamSurvey,
)
from relay.core.trace import parse_id

ENCODED_SHARE = 3
"""``max_bytes`` of a claim bounds raw bytes, the script knows encoded ones: a third at worst on traffic of other shapes
than the dictionary's. Mostly it is a fifth, so that a claim is rather smaller than allowed."""


NOTHING = b"-"


class Window(NamedTuple):
    """What may be claimed of a stream, as stored beside its mark; see ``keys.mark``."""

    first: bytes | None
    last: bytes | None
    standing: bytes | None
    left: bytes | None

    def standing_of(self, owed: int) -> int:
        """How many of the owed nobody may claim."""
        if self.first is None:
            return 0
        if self.first == NOTHING:
            return owed
        outside = int(self.standing or 0) if self.last is None else owed - max(0, int(self.left or 0))
        return max(0, min(outside, owed))


class RedisOwed:
    """See ``ports.Owed``."""

    def __init__(
        self,
        client: Client,
        streams: Sequence[StreamKey],
        codec: Codec,
        options: StoreOptions,
        state: StoreState,
    ) -> None:
        self._client, self._streams, self._codec, self._options = client, tuple(streams), codec, options
        self._state = state
        self._memos = memo.MemoReader()

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        """See ``ports.Owed.claim``."""
        names = [make(self._known(stream)) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
        names.append(keys.dead(stream.destination))
        encoded = max(1, max_bytes // ENCODED_SHARE)
        live_age_ms = 0 if probe else self._options.live_age_ms
        args = (lane.value, limit, encoded, self._options.lease_ms, live_age_ms)
        reply = await self._client.script("claim", names, args)
        if len(reply) == 1:
            return None
        now_ms, first_id, last_id, number, due_ms, first_ms, fresh, doubts = reply[:8]
        lease = Lease(stream, lane, first_id.decode(), last_id.decode(), number, due_ms, first_ms)
        while True:
            try:
                return Claimed(lease, self._entries(reply[8:], doubts), now_ms, bool(fresh & 1), cut=bool(fresh & 2))
            except Locked as locked:
                await self._leave(lease, locked, Rest.UNCLAIM if fresh & 1 else Rest.RELEASE)

    async def _leave(self, lease: Lease, locked: Locked, rest: Rest) -> None:
        """To who has the key: given back as they were, nothing of them is ended. Unless such a key never was."""
        if not await vault.noted(self._client, locked.key_id):
            self._codec.give_up(locked.key_id)
            return
        await self.settle(lease, Settlement(rest=rest))
        raise StoreMisused(f"entries are {locked} in RELAY_ENCRYPTION_KEY of this process; they stay owed")

    def _entries(self, flat: list[bytes], doubts: list[int]) -> tuple[Entry, ...]:
        """Id, e, m, id, e, m, … as entries. A record that cannot be read is handed on empty, to be buried by name.

        ``doubts``: position, first_ms, released, … of the few entries that were letters before.
        """
        decode, read, entries = self._codec.decode, self._memos.read, []
        triples = iter(flat)
        for id_, kept, text in zip(triples, triples, triples, strict=True):
            received_ms, (worth, source, accepted) = read(text)
            try:
                raw = decode(kept)
            except Locked:
                raise
            except Undecodable:
                raw = b""
            entries.append(Entry(id_.decode(), raw, received_ms, source, worth, accepted))
        for at, first_ms, released in zip(doubts[::3], doubts[1::3], doubts[2::3], strict=True):
            entries[at] = entries[at]._replace(first_ms=first_ms, released=bool(released))
        return tuple(entries)

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        """See ``ports.Owed.settle``."""
        stream = self._known(lease.stream)
        names = [make(stream) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
        names += (keys.dead(stream.destination), keys.attempts(stream.destination))
        args: list[bytes | str | int] = [lease.first_id, lease.number, stream.klass.value]
        args += (self._options.lease_ms, settlement.rest.value)
        args += (self._options.attempts, len(settlement.attempts), *map(attempts.write, settlement.attempts))
        args += (len(settlement.delivered), *settlement.delivered)
        args += (len(settlement.unmatched), *settlement.unmatched)
        args += (len(settlement.forgotten), *settlement.forgotten, len(settlement.dead))
        for burial in settlement.dead:
            code = "" if burial.code is None else burial.code
            accepted = memo.join(burial.accepted)
            args += (burial.entry_id, burial.reason.value, self._codec.encode_text(_bytes(burial.message)), code)
            args += (_bytes(burial.request_id), _bytes(accepted), burial.first_ms)
        if self._state.archives:
            names.append(keys.archive(stream.klass))
            args.append(stream.destination)
        reply = await self._client.script("settle", names, args)
        if not reply[0]:
            return Settled(held=False)
        return Settled(True, *reply[1:])

    async def survey(self) -> StoreSurvey:
        """See ``ports.Owed.survey``."""
        destinations = (keys.INTAKE, *dict.fromkeys(stream.destination for stream in self._streams))
        commands: list[tuple[Any, ...]] = [("TIME",), ("INFO", "memory")]
        commands += [("XLEN", keys.dead(name)) for name in destinations]
        for stream in self._streams:
            commands += (
                ("XLEN", keys.owed(stream)),
                ("HMGET", keys.mark(stream), "backlog", "from", "to", "standing", "left"),
                ("HGETALL", keys.leases(stream)),
                ("HGETALL", keys.books(stream)),
                ("XRANGE", keys.owed(stream), "-", "+", "COUNT", 1),
            )
        replies = iter(await self._client.many(commands))
        (seconds, micros), memory = next(replies), next(replies)
        dead = {name: int(next(replies)) for name in destinations}
        looks = []
        for stream in self._streams:
            with as_written_here(f"what is kept of {stream}"):
                looks.append(self._survey_of(stream, *(next(replies) for _ in range(5))))
        return StoreSurvey(
            streams=await self._with_oldest(looks),
            dead=dead,
            used_bytes=int(memory["used_memory"]),
            max_bytes=self._state.limit_bytes(int(memory["maxmemory"])),
            now_ms=int(seconds) * 1000 + int(micros) // 1000,
            disk_free_bytes=self._options.disk_free(),
            archive=await self._archive(),
        )

    async def _archive(self) -> ArchiveSurvey | None:
        """By itself: an archive that cannot be looked at must not hide what is owed.

        Its memory is measured from a few of its nodes. One that nothing is added to is there until it is empty.
        """
        names = [keys.archive(klass) for klass in EntryClass]
        commands: list[tuple[Any, ...]] = []
        for name in names:
            commands += (("XLEN", name), ("MEMORY USAGE", name, "SAMPLES", 5), ("XRANGE", name, "-", "+", "COUNT", 1))
        try:
            if not self._options.archive and not any(await self._client.many([("XLEN", name) for name in names])):
                return None
            replies = await self._client.many(commands)
        except (StoreMisused, StoreUnavailable):
            return None
        lengths, sizes, firsts = replies[::3], replies[1::3], replies[2::3]
        oldest = min((parse_id(page[0][0].decode())[0] for page in firsts if page), default=None)
        return ArchiveSurvey(dict(zip(EntryClass, lengths, strict=True)), sum(size or 0 for size in sizes), oldest)

    async def _with_oldest(self, looks: Sequence[tuple[StreamSurvey, Window]]) -> tuple[StreamSurvey, ...]:
        """Where a stream has a window, the oldest entry that may be claimed is not the first one."""
        ranges = [
            (window.first, window.last or "+") if window.first not in (None, NOTHING) else None for _, window in looks
        ]
        commands = [
            ("XRANGE", keys.owed(look.stream), *ends, "COUNT", 1)
            for (look, _), ends in zip(looks, ranges, strict=True)
            if ends
        ]
        found = iter(await self._client.many(commands) if commands else ())
        return tuple(
            replace(look, oldest_received_ms=self._received(next(found))) if ends else look
            for (look, _), ends in zip(looks, ranges, strict=True)
        )

    def _received(self, page: Any) -> int | None:
        return self._memos.read(page[0][1][b"m"])[0] if page else None

    def _survey_of(
        self, stream: StreamKey, owed: int, mark: Any, leases: Any, books: Any, oldest: Any
    ) -> tuple[StreamSurvey, Window]:
        counters = {name.decode(): int(value) for name, value in books.items()}
        values = {name[2:]: total for name, total in counters.items() if name.startswith("v:") and total}
        left = [int(text.rpartition(b" ")[2]) for first, text in leases.items() if first != b"#"]
        backlog, *rest = mark
        window = Window(*rest)
        standing = window.standing_of(owed)
        received_ms = self._received(oldest)
        look = StreamSurvey(
            stream=stream,
            owed=owed,
            backlog=min(int(backlog or 0), owed - standing),
            leased=sum(left),
            oldest_received_ms=None if standing else received_ms,
            value_micros=values if owed else {},
            books={name: count for name, count in counters.items() if not name.startswith("v:")},
            standing=standing,
            standing_oldest_ms=received_ms if standing else None,
        )
        return look, window

    def _known(self, stream: StreamKey) -> StreamKey:
        if stream not in self._streams:
            raise StoreMisused(f"unknown stream {stream}")
        return stream


def _bytes(text: str) -> bytes:
    """TikTok's own words may hold half a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")
