"""Append: one script call owes a group of new entries, or finds that they are owed already."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

from relay.adapters.redis import keys, memo
from relay.adapters.redis.codec import Codec
from relay.adapters.redis.connect import Client
from relay.adapters.redis.options import StoreOptions
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import NO_WORTH, NewEntry, Reject, StreamKey
from relay.ports import Clock

BUCKET_MASK = keys.BUCKETS - 1
_split = struct.Struct(">Hq").unpack


class RedisInbox:
    """Where intake writes. ``admit`` raises StoreUnavailable when it is known that the store takes nothing."""

    def __init__(
        self,
        client: Client,
        streams: Sequence[StreamKey],
        clock: Clock,
        codec: Codec,
        options: StoreOptions,
        admit: Callable[[], None],
        digest_key: Callable[[], bytes],
    ) -> None:
        self._client, self._clock, self._codec, self._options = client, clock, codec, options
        self._admit, self._digest_key = admit, digest_key
        self._names = {stream: (keys.owed(stream), keys.books(stream)) for stream in streams}
        self._digests: dict[str, Any] = {}
        self._skew_ms = 0  # store's clock − ours, learnt when they disagree about the epoch
        self._confirm: tuple[str | int, ...] = ("WAIT",)

    def confirm_with(self, *, waitaof: bool, own_file: bool) -> None:
        """How replicas confirm: from their disks where the server knows WAITAOF, else from their memory."""
        self._confirm = ("WAITAOF", int(own_file)) if waitaof else ("WAIT",)

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        """See ``ports.Inbox``."""
        self._admit()
        if not entries and not rejects:
            return []
        for _ in range(3):
            reply = await self._call(*self._arguments(entries, rejects))
            if len(reply) == 2:
                return [answer == ord("1") for answer in reply[1]]
            self._skew_ms = int(reply[0]) - self._clock.now_ms()
        raise StoreUnavailable(StoreTrouble.AWAY, "its clock does not stand still long enough to be agreed with")

    async def _call(self, keys_: list[bytes | str], args: list[bytes | str | int]) -> list[Any]:
        wanted = self._options.replicas
        if not wanted:
            answer: list[Any] = await self._client.script("append", keys_, args)
            return answer
        limit_ms = int(self._client.timeout * 800)  # less than the socket waits: the answer must be theirs
        then = (*self._confirm, wanted, limit_ms)
        answer, confirmed = await self._client.script_then("append", keys_, args, then)
        have = int(confirmed[1] if isinstance(confirmed, list | tuple) else confirmed)
        if have < wanted:
            raise StoreUnavailable(StoreTrouble.REPLICAS, f"{have} of {wanted} replicas confirmed")
        return answer

    def _arguments(
        self, entries: Sequence[NewEntry], rejects: Sequence[Reject]
    ) -> tuple[list[bytes | str], list[bytes | str | int]]:
        """KEYS and ARGV of ``append.lua``. The loop is the hot path of intake: locals, and no object per entry."""
        now_ms = self._clock.now_ms() + self._skew_ms
        order, prefixes = self._streams_of(entries, now_ms)
        names: list[bytes | str] = [name for stream in order for name in self._names[stream]]
        names += (keys.dead(keys.INTAKE), keys.intake_books())
        args: list[bytes | str | int] = [len(order)]
        for stream in order:
            length = keys.EPOCH_MS[stream.klass]
            args += (keys.EPOCHS[stream.klass], now_ms // length, length)
        args.append(len(entries))
        encode, buckets, digest_of, write = self._codec.encode, keys.BUCKET_NAMES, self._digest_of, memo.write
        number_of = {stream: number for number, stream in enumerate(order, 1)}
        for entry in entries:
            stream = entry.stream
            digest = digest_of(stream.destination)
            digest.update(entry.event_id.encode("utf-8", "surrogatepass"))
            bucket, member = _split(digest.digest())
            name = buckets[bucket & BUCKET_MASK]
            names += [prefix + name for prefix in prefixes[stream]]
            args += (
                number_of[stream],
                member,
                encode(entry.raw),
                write(entry.received_ms, entry.worth, entry.source),
            )
        args.append(len(rejects))
        for reject in rejects:
            kept = self._codec.encode(reject.raw[: self._options.reject_bytes])
            args += (kept, write(reject.received_ms, NO_WORTH, reject.source), reject.reason)
        args += (self._options.rejects_bytes, self._options.rejects_age_ms)
        return names, args

    def _streams_of(
        self, entries: Sequence[NewEntry], now_ms: int
    ) -> tuple[list[StreamKey], dict[StreamKey, list[bytes]]]:
        """The streams of a group, and the key prefixes of the epochs looked up for each, the current one first."""
        order = list(dict.fromkeys(entry.stream for entry in entries))
        unknown = [stream for stream in order if stream not in self._names]
        if unknown:
            raise StoreMisused(f"unknown stream {unknown[0]}")
        prefixes = {}
        for stream in order:
            epoch = now_ms // keys.EPOCH_MS[stream.klass]
            backs = range(keys.EPOCHS[stream.klass])
            prefixes[stream] = [keys.seen_prefix(stream.klass, epoch - back) for back in backs]
        return order, prefixes

    def _digest_of(self, destination: str) -> Any:
        """A digest that has read the destination already; 2 bytes choose the bucket, 8 are the member."""
        start = self._digests.get(destination)
        if start is None:
            start = partial(blake2b, digest_size=10, key=self._digest_key())(destination.encode() + b"\0")
            self._digests[destination] = start
        return start.copy()
