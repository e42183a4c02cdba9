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
VALUE_BYTES = 150  # what a parsed value takes of the memory, more or less


class Bounds(NamedTuple):
    """``in_flight``: bytes of all requests together. ``seconds`` a body may take in all.

    ``rate``: bytes a second, as they come over the wire, that a body must keep to on average.
    """

    in_flight: int = 96 * 1024**2
    seconds: float = 120.0
    rate: int = 500


class ReadingRoom:
    """The memory that requests share from their first byte until their answer."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.used = 0

    def reading(self) -> Reading:
        """One request's part of the room; to be entered, and left when it has its answer."""
        return Reading(self)


class Reading:
    """What one request takes of the room."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.used -= self._held
        self._held = 0

    async def body(self, request: web.BaseRequest, limit: int) -> bytes | Unreadable:
        """The decompressed body, given up as soon as it is known to be over ``limit`` bytes or to break a bound.

        Not ``request.read()``: that one lets gzip unfold into pieces as large as the whole limit before it looks at
        them.
        """
        if (request.content_length or 0) > limit:
            return too_large(limit)
        body = body_at_hand(request, limit)
        if body is None:
            body = await self._read(request, limit)
        if isinstance(body, Unreadable) or self._hold(len(body), VALUE_BYTES * values_in(body)):
            return body
        return _crowded()

    async def _read(self, request: web.BaseRequest, limit: int) -> bytes | Unreadable:
        try:
            chunks = await self._chunks(request, limit)
        except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError):
            return Unreadable(Why.BAD_ENCODING, "")
        except TimeoutError:
            return Unreadable(Why.TOO_SLOW, "the body came too slowly: send smaller batches, or again later")
        return chunks if isinstance(chunks, Unreadable) else b"".join(chunks)

    async def _chunks(self, request: web.BaseRequest, limit: int) -> list[bytes] | Unreadable:
        content, bounds = request.content, self._room.bounds
        start = asyncio.get_running_loop().time()
        chunks: list[bytes] = []
        size = 0
        async with asyncio.timeout_at(start + min(PATIENCE_S, bounds.seconds)) as bound:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    return too_large(limit)
                if not self._hold(size):
                    return _crowded()
                earned = PATIENCE_S + content.total_raw_bytes / bounds.rate
                bound.reschedule(start + min(earned, bounds.seconds))
        return chunks

    def _hold(self, size: int, parsed: int = 0) -> bool:
        """Take room for a body of ``size`` bytes and what it is ``parsed`` into; False when others have taken it.

        Alone, a request may take any size: otherwise it could never pass.
        """
        others, most = self._room.used - self._held, self._room.bounds.in_flight
        if others and others + size + parsed > (most if size > SMALL else most * 4 // 3):
            return False
        self._held = size + parsed
        self._room.used = others + self._held
        return True


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


def _crowded() -> Unreadable:
    return Unreadable(Why.OVERLOADED, "too many large requests at once: send again")
