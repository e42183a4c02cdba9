"""Reading bodies: bounded in size, in time, and in what all of them together take of the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from relay.core.notices import Why
from relay.core.segment.envelope import Unreadable, values_in

PATIENCE_S = 10.0  # a body may pause so long before its rate is looked at
SMALL = 32 * 1024  # bytes; requests up to here have a third more room: they must not wait for a few large ones
# Ten times what fits into the largest batch that Segment's libraries send (500 KB). Counted before parsing, for that is
# what costs: so many block the loop for a fifth of a second. A body that nobody parses before its sender has proved who
# it is may have more, if it is as long as events make it: those of shops have 17 to 23 bytes a value.
MANY_VALUES = 300_000
BYTES_A_VALUE = 16
VALUE_BYTES = 150  # what a parsed value takes of the memory, more or less
CROWDED = Unreadable(Why.OVERLOADED, "too many large requests at once: send again")
TOO_DENSE = Unreadable(Why.TOO_LARGE, "too many values for one request: send smaller batches (500 events are plenty)")


class Bounds(NamedTuple):
    """``in_flight``: bytes of all requests together, but for one that finds no room.

    ``seconds`` a body may take in all.

    ``rate``: bytes a second, as they come over the wire, that a body must keep to on average.
    """

    in_flight: int = 96 * 1024**2
    seconds: float = 120.0
    rate: int = 500


class ReadingRoom:
    """The memory that requests share from their first byte until their answer."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.shared = 0  # what all requests hold together, but for the one in the large place
        self.large: Reading | None = None  # one request that found no room takes as much as it needs
        self._turn, self._last_turn = asyncio.Lock(), asyncio.Lock()

    @property
    def used(self) -> int:
        """Bytes that all requests hold."""
        return self.shared + (self.large.held if self.large else 0)

    def reading(self) -> Reading:
        """One request's part of the room; to be entered, and left when it has its answer."""
        return Reading(self)

    async def turn(self) -> None:
        """Wait until no other large body is looked at in this turn of the loop: small requests come in between.

        However many bombs are being unpacked, a turn of the loop takes as long as one piece of one of them.
        """
        await _one_a_turn(self._turn)

    async def last_turn(self) -> None:
        """The same for bodies that are given up, which may be a thousand within a second."""
        await _one_a_turn(self._last_turn)


async def _one_a_turn(lock: asyncio.Lock) -> None:
    await lock.acquire()
    asyncio.get_running_loop().call_soon(lock.release)


class Reading:
    """What one request takes of the room."""

    __slots__ = ("_room", "held")

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self.held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._let_go()

    async def body(self, request: web.BaseRequest, limit: int, *, proved: bool = False) -> bytes | Unreadable:
        """The decompressed body, given up as soon as it is known to be over ``limit`` bytes or to break a bound.

        ``proved``: it is parsed only when its sender has proved who it is, so it may have as many values as it is long.

        Not ``request.read()``: that one lets gzip unfold into pieces as large as the whole limit before it looks at
        them.
        """
        if (request.content_length or 0) > limit:
            return too_large(limit)
        body = body_at_hand(request, limit)
        if body is None:
            return await self._read(request, limit, BYTES_A_VALUE if proved else limit)
        if isinstance(body, Unreadable):
            return body
        return body if self._hold(len(body), values_in(body)) else CROWDED

    async def _read(self, request: web.BaseRequest, limit: int, value_bytes: int) -> bytes | Unreadable:
        try:
            chunks = await self._chunks(request, limit, value_bytes)
        except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError):
            return Unreadable(Why.BAD_ENCODING, "")
        except TimeoutError:
            await self._room.last_turn()
            return Unreadable(Why.TOO_SLOW, "the body came too slowly: send smaller batches, or again later")
        if isinstance(chunks, Unreadable):
            return chunks
        body = b"".join(chunks)
        if len(body) > SMALL:
            await self._room.turn()
        return body

    async def _chunks(self, request: web.BaseRequest, limit: int, value_bytes: int) -> list[bytes] | Unreadable:
        content, bounds = request.content, self._room.bounds
        start = asyncio.get_running_loop().time()
        most_values = max(MANY_VALUES, limit // value_bytes)
        chunks: list[bytes] = []
        size = values = 0
        async with asyncio.timeout_at(start + min(PATIENCE_S, bounds.seconds)) as bound:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                values += values_in(chunk)
                if size > limit:
                    return too_large(limit)
                if values > most_values:
                    return TOO_DENSE
                if not self._hold(size):
                    return CROWDED
                earned = PATIENCE_S + content.total_raw_bytes / bounds.rate
                bound.reschedule(start + min(earned, bounds.seconds))
                if size > SMALL:
                    await self._room.turn()  # what unpacks to more is there at once: reading alone would never yield
        if values > max(MANY_VALUES, size // value_bytes):
            return TOO_DENSE
        return chunks if self._hold(size, values) else CROWDED

    def _hold(self, size: int, values: int = 0) -> bool:
        """Take room for a body of ``size`` bytes and, once it is whole, its ``values``; False when there is none.

        Who finds the shared room too full, or would need more than all of it, takes the large place if that is free:
        else a large request could never pass while anybody else holds as much as a byte. Values count only when the
        body is whole: otherwise one that never ends would hold the large place with a few commas.
        """
        room, wanted = self._room, size + VALUE_BYTES * values
        others = room.shared - (0 if room.large is self else self.held)
        if others + wanted <= (room.bounds.in_flight if size > SMALL else room.bounds.in_flight * 4 // 3):
            self._let_go()
            room.shared += wanted
        elif room.large is None or room.large is self:
            self._let_go()
            room.large = self
        else:
            return False
        self.held = wanted
        return True

    def _let_go(self) -> None:
        if self._room.large is self:
            self._room.large = None
        else:
            self._room.shared -= self.held
        self.held = 0


def body_at_hand(request: web.BaseRequest, limit: int) -> bytes | Unreadable | None:
    """The body if all of it came in one piece with the head, as small ones do; None when it has to be read.

    Looked at where aiohttp keeps it, not read: a read makes aiohttp start its parser once more for whatever may have
    waited behind the body (3.14: 4 of 80 µs a request). Behind an end of file nothing waits.
    """
    content = request.content
    pieces: Sequence[bytes] = getattr(content, "_buffer", ())
    if len(pieces) != 1 or not content.is_eof() or content.exception() is not None:
        return None
    body = pieces[0]
    if type(body) is not bytes:  # another version of aiohttp keeps it in another way
        return None
    return body if len(body) <= limit else too_large(limit)


def too_large(limit: int) -> Unreadable:
    """A body over ``limit`` bytes, with a hint."""
    hint = f"the body is over {limit} bytes when decompressed: send smaller batches (500 events are plenty)"
    return Unreadable(Why.TOO_LARGE, hint)
