"""Giving up the oldest engagement entries when the store is full: which stream is next, in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from relay.adapters.redis import keys, memo
from relay.adapters.redis.connect import Client
from relay.adapters.redis.state import StoreState
from relay.core.event import EntryClass, Shed, StreamKey

PIECE = 250
"""Entries that are shed in one call at most: about 3 ms."""
NOBODY_ELSE = 8 * 10**15
ROOM = -1
NONE_LEFT = 0


class RedisOverflow:
    """See ``ports.Overflow``. ``piece``: entries a call sheds at most."""

    def __init__(self, client: Client, streams: Sequence[StreamKey], state: StoreState, piece: int = PIECE) -> None:
        self._client, self._state, self._piece = client, state, piece
        self._streams = [stream for stream in streams if stream.klass is EntryClass.ENGAGEMENT]

    @property
    def pressed(self) -> bool:
        """See ``ports.Overflow.pressed``."""
        return self._state.over

    async def shed(self) -> Shed | None:
        """See ``ports.Overflow.shed``. Each stream is asked to give up what is older than the others' oldest."""
        heads = await self._heads()
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
