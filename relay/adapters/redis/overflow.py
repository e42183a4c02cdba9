"""What is given up when the store is full, in pieces: the oldest of the archive, then the oldest engagement owed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from relay.adapters.redis import keys, memo
from relay.adapters.redis.connect import Client
from relay.adapters.redis.state import StoreState
from relay.core.archive import ARCHIVE
from relay.core.errors import StoreMisused
from relay.core.event import EntryClass, Shed, StreamKey
from relay.core.trace import parse_id

PIECE = 250
"""Entries that are shed in one call at most: about 3 ms."""
ARCHIVE_PIECE = 500
"""Entries that leave the archive in one call at most: they are dropped by the node, in less than a millisecond."""
NOBODY_ELSE = 8 * 10**15
ROOM = -1
NONE_LEFT = 0


class RedisOverflow:
    """See ``ports.Overflow``. ``sheds``: engagement, too; ``piece``: entries a call sheds at most."""

    def __init__(
        self, client: Client, streams: Sequence[StreamKey], state: StoreState, piece: int = PIECE, *, sheds: bool = True
    ) -> None:
        self._client, self._state, self._sheds, self._piece = client, state, sheds, piece
        self._streams = [stream for stream in streams if stream.klass is EntryClass.ENGAGEMENT]

    @property
    def pressed(self) -> bool:
        """See ``ports.Overflow.pressed``."""
        return self._state.over

    async def shed(self) -> Shed | None:
        """See ``ports.Overflow.shed``. Each stream is asked to give up what is older than the others' oldest."""
        with suppress(StoreMisused):  # a damaged archive gives nothing, and must not keep entries from giving way
            if (archive := await self._oldest_archive()) is not None:
                count = await self._give_up(archive)
                return Shed(StreamKey(ARCHIVE, archive), count) if count else None
        heads = await self._heads() if self._sheds else {}
        while heads:
            stream = min(heads, key=lambda one: heads[one])
            until_ms = min((at for one, at in heads.items() if one != stream), default=NOBODY_ELSE)
            count, next_ms = await self._drop(stream, max(until_ms, heads[stream]))
            if count:
                return Shed(stream, count)
            if next_ms == ROOM:
                return None
            if next_ms == NONE_LEFT:
                del heads[stream]
            else:  # its first ones are leased, and what comes after them is not the oldest
                heads[stream] = next_ms
        self._state.nothing_to_shed = True
        return None

    async def _oldest_archive(self) -> EntryClass | None:
        """The class whose first archived event ended first; None when there is none in any."""
        commands = [("XRANGE", keys.archive(klass), "-", "+", "COUNT", 1) for klass in EntryClass]
        firsts = zip(await self._client.many(commands), EntryClass, strict=True)
        found = [(parse_id(page[0][0].decode()), klass) for page, klass in firsts if page]
        return min(found)[1] if found else None

    async def _give_up(self, klass: EntryClass) -> int:
        """The oldest, unless there is room; the server is asked here, so that replicas do not all make room."""
        name = keys.archive(klass)
        memory, length = await self._client.many([("INFO", "memory"), ("XLEN", name)])
        if int(memory["used_memory"]) <= self._state.room_bytes:
            return 0
        return int(await self._client.run("XTRIM", name, "MAXLEN", "=", max(0, length - ARCHIVE_PIECE)))

    async def _heads(self) -> dict[StreamKey, int]:
        """When the first entry of each stream was received."""
        firsts = await self._client.many([("XRANGE", keys.owed(one), "-", "+", "COUNT", 1) for one in self._streams])
        found = zip(self._streams, firsts, strict=True)
        return {stream: memo.received_ms(page[0][1].get(b"m", b"")) for stream, page in found if page}

    async def _drop(self, stream: StreamKey, until_ms: int) -> tuple[int, int]:
        names = [make(stream) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
        args = ("shed", until_ms, self._piece, self._state.room_bytes)
        count, _, next_ms = await self._client.script("drop", names, args)
        return count, next_ms
