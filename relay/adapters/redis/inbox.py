"""Append: one script call owes a group of new entries, or finds that they are owed already."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

from relay.adapters.redis import keys, memo
from relay.adapters.redis.codec import Codec
from relay.adapters.redis.confirm import Confirmed
from relay.adapters.redis.options import StoreOptions
from relay.core.archive import FILTERED
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import NO_WORTH, EntryClass, NewEntry, Reject, StreamKey
from relay.ports import Clock

BUCKET_MASK = keys.BUCKETS - 1
_split = struct.Struct(">Hq").unpack


class RedisInbox:
    """Where intake writes. ``admit`` raises StoreUnavailable when it is known that the store takes nothing."""

    def __init__(
        self,
        confirmed: Confirmed,
        streams: Sequence[StreamKey],
        clock: Clock,
        codec: Codec,
        options: StoreOptions,
        admit: Callable[[], None],
        digest_key: Callable[[], bytes],
    ) -> None:
        self._confirmed, self._clock, self._codec, self._options = confirmed, clock, codec, options
        self._admit, self._digest_key = admit, digest_key
        self._names = {stream: (keys.owed(stream), keys.books(stream)) for stream in streams}
        if options.archive:  # to the script it is a stream like any other, so ids are remembered as for one
            self._names[FILTERED] = keys.archive(FILTERED.klass), keys.books(FILTERED)
        self._digests: dict[str, Any] = {}
        self._shelves: dict[EntryClass, Shelf] = {}
        self._memos = memo.MemoWriter()
        self._skew_ms = 0  # store's clock − ours, learnt when they disagree about the epoch

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        """See ``ports.Inbox``."""
        self._admit()
        if not entries and not rejects:
            return []
        for _ in range(3):
            reply = await self._confirmed.script("append", *self._arguments(entries, rejects))
            if len(reply) == 2:
                return [answer == ord("1") for answer in reply[1]]
            self._skew_ms = int(reply[0]) - self._clock.now_ms()
        raise StoreUnavailable(StoreTrouble.AWAY, "its clock does not stand still long enough to be agreed with")

    def _arguments(
        self, entries: Sequence[NewEntry], rejects: Sequence[Reject]
    ) -> tuple[list[bytes | str], list[bytes | str | int]]:
        """KEYS and ARGV of ``append.lua``. Loops over the entries: they are the hot path of intake."""
        now_ms = self._clock.now_ms() + self._skew_ms
        shelves: dict[StreamKey, Shelf] = {}
        buckets, written = self._written(entries, shelves, now_ms)
        names: list[bytes | str] = [name for stream in shelves for name in self._names[stream]]
        names += (keys.dead(keys.INTAKE), keys.intake_books(), *buckets)
        args: list[bytes | str | int] = [len(shelves)]
        for stream, shelf in shelves.items():
            args += (keys.EPOCHS[stream.klass], shelf.epoch, keys.EPOCH_MS[stream.klass])
        args.append(len(entries))
        args += written
        args.append(len(rejects))
        for reject in rejects:
            kept = self._codec.encode(reject.raw[: self._options.reject_bytes])
            args += (kept, memo.write(reject.received_ms, NO_WORTH, reject.source), reject.reason)
        args += (self._options.rejects_bytes, self._options.rejects_age_ms)
        return names, args

    def _written(
        self, entries: Sequence[NewEntry], shelves: dict[StreamKey, Shelf], now_ms: int
    ) -> tuple[list[bytes], list[bytes | str | int]]:
        """Keys and arguments of the entries alone; ``shelves`` is filled with their streams, in order of appearance.

        Locals, no object per entry, and no look at the stream as long as it is the one before.
        """
        buckets: list[bytes] = []
        written: list[bytes | str | int] = []
        encode, write = self._codec.encode, self._memos.write
        places: dict[StreamKey, tuple[int, Any, Shelf]] = {}
        before: StreamKey | None = None
        for stream, event_id, raw, received_ms, source, worth in entries:
            if stream is not before:
                before = stream
                place = places.get(stream)
                if place is None:
                    shelves[stream] = shelf = self._shelf(stream, now_ms)
                    place = places[stream] = (len(shelves), self._digest(stream.destination), shelf)
                number, start, shelf = place
                made = shelf.names
            digest = start.copy()
            digest.update(event_id.encode("utf-8", "surrogatepass"))
            bucket, member = _split(digest.digest())
            bucket &= BUCKET_MASK
            buckets += made[bucket] or shelf.fill(bucket)
            written += (number, member, encode(raw), write(received_ms, worth, source))
        return buckets, written

    def _shelf(self, stream: StreamKey, now_ms: int) -> Shelf:
        """The buckets of a stream's class in the epoch we believe in."""
        if stream not in self._names:
            raise StoreMisused(f"unknown stream {stream}")
        epoch = now_ms // keys.EPOCH_MS[stream.klass]
        shelf = self._shelves.get(stream.klass)
        if shelf is None or shelf.epoch != epoch:
            shelf = self._shelves[stream.klass] = Shelf(stream.klass, epoch)
        return shelf

    def forget_digests(self) -> None:
        """The store has another digest key."""
        self._digests.clear()

    def _digest(self, destination: str) -> Any:
        """A digest that has read the destination already; 2 bytes choose the bucket, 8 are the member."""
        start = self._digests.get(destination)
        if start is None:
            start = self._digests[destination] = digest_of(destination, self._digest_key())
        return start


def digest_of(destination: str, key: bytes) -> Any:
    """A digest that waits for the id; ``placed`` reads it."""
    return partial(blake2b, digest_size=10, key=key)(destination.encode() + b"\0")


def placed(destination: str, event_id: str, key: bytes) -> tuple[int, int]:
    """Bucket and member by which an id is remembered; the loop in ``_written`` does the same with more haste."""
    digest = digest_of(destination, key)
    digest.update(event_id.encode("utf-8", "surrogatepass"))
    bucket, member = _split(digest.digest())
    return bucket & BUCKET_MASK, member


class Shelf:
    """Key names of the buckets of one class while one epoch lasts, the current epoch's first; made when needed."""

    def __init__(self, klass: EntryClass, epoch: int) -> None:
        self.epoch = epoch
        self.names: list[tuple[bytes, ...] | None] = [None] * keys.BUCKETS
        self._prefixes = [keys.seen_prefix(klass, epoch - back) for back in range(keys.EPOCHS[klass])]

    def fill(self, bucket: int) -> tuple[bytes, ...]:
        """Make the names of one bucket."""
        end = b"%x" % bucket
        names = self.names[bucket] = tuple([prefix + end for prefix in self._prefixes])
        return names
