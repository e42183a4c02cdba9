"""Reading bodies: bounded in size, in time, and in what all of them together take of the memory.

Small bodies that come in one piece with their head never get here, see ``body_at_hand``.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from relay.core.notices import Why
from relay.core.segment.envelope import Unreadable, values_in

PATIENCE_S = 10.0  # a body may pause so long before its rate is looked at
SMALL = 32 * 1024  # bytes that count for nothing: a crowd of small requests must not wait for a few large ones
VALUE_BYTES = 100  # what a parsed value takes of the memory, at most


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
        try:
            chunks = await self._chunks(request, limit)
        except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError):
            return Unreadable(Why.BAD_ENCODING, "")
        except TimeoutError:
            return Unreadable(Why.TOO_SLOW, "the body came too slowly: send smaller batches, or again later")
        if isinstance(chunks, Unreadable):
            return chunks
        body = b"".join(chunks)
        if len(body) > SMALL and not self._hold(len(body) - SMALL + VALUE_BYTES * values_in(body)):
            return _crowded()
        return body

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
                if size > SMALL and not self._hold(size - SMALL):
                    return _crowded()
                earned = PATIENCE_S + content.total_raw_bytes / bounds.rate
                bound.reschedule(start + min(earned, bounds.seconds))
        return chunks

    def _hold(self, size: int) -> bool:
        """Take ``size`` bytes in all; False when others have taken the room. Alone, a request may take any size."""
        others = self._room.used - self._held
        if others and others + size > self._room.bounds.in_flight:
            return False
        self._room.used = others + size
        self._held = size
        return True


def too_large(limit: int) -> Unreadable:
    """A body over ``limit`` bytes, with a hint."""
    hint = f"the body is over {limit} bytes when decompressed: send smaller batches (500 events are plenty)"
    return Unreadable(Why.TOO_LARGE, hint)


def _crowded() -> Unreadable:
    return Unreadable(Why.OVERLOADED, "too many large requests at once: send again")
