"""The last words to a connection, and seeing to it that they arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from aiohttp.http_exceptions import ContentEncodingError, LineTooLong

from relay.adapters.web.intake_answers import JSON_HEADERS
from relay.core.notices import Cut

# What is left of a refused request is thrown away for so long, and so much of it, so that the answer arrives.
LINGER_S = 1.0
LINGER_BYTES = 8 * 1024**2  # of a body; of a head, an eighth of a megabyte

NONSENSE: dict[type[BaseException], tuple[str, str, Cut]] = {
    ContentEncodingError: ("bad_encoding", "bodies may be compressed with gzip or deflate", Cut.BAD_HTTP),
    LineTooLong: ("head_too_large", "the head of the request is too large", Cut.LARGE_HEAD),
    BaseException: ("bad_request", "this is no HTTP request", Cut.BAD_HTTP),
}
CROWDED = (503, "too_many_connections", "too many connections: come again")
CROWDED_RETRY = 5  # seconds
PARTING = {
    Cut.SLOW_HEAD: (408, "too_slow", "the head of the request did not come in time"),
    Cut.LARGE_HEAD: (400, "head_too_large", "the head of the request is too large"),
    Cut.MADE_ROOM: CROWDED,
    Cut.CROWDED: CROWDED,
}


def last_words(status: int, code: str, message: str, request_id: str) -> bytes:
    """A whole answer, for a connection that never got as far as a request, or not to its end."""
    body = f'{{"success": false, "code": "{code}", "message": "{message}", "error": "{message}"}}'.encode()
    fields = {**JSON_HEADERS, "Content-Length": len(body), "Connection": "close", "X-Request-Id": request_id}
    if status == CROWDED[0]:
        fields["Retry-After"] = str(CROWDED_RETRY)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Refused\r\n{head}\r\n".encode() + body


class Queue:
    """Those whose end has come: one in each turn of the loop, so that everybody else has a turn between a thousand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting = deque[Callable[[], None]]()

    def join(self, end: Callable[[], None]) -> None:
        """Call ``end`` after those that wait already."""
        self._waiting.append(end)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        end = self._waiting.popleft()
        if self._waiting:
            self._loop.call_soon(self._next)
        end()


class Bin(asyncio.Protocol):
    """Takes the place of a connection that has had its last answer: what still comes is not looked at.

    Closing a socket with unread bytes in it resets it, and the answer is lost on its way; so it is closed when the
    client has read the answer, and after ``LINGER_S`` in any case.
    """

    def __init__(
        self, connection: asyncio.BaseProtocol, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, room: int
    ) -> None:
        self._connection, self._transport, self._room = connection, transport, room
        self.emptied: asyncio.Future[None] = loop.create_future()
        self._end = loop.call_later(LINGER_S, self._close)

    @classmethod
    def replace(
        cls, connection: asyncio.BaseProtocol, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, room: int
    ) -> Bin:
        """Put one with ``room`` for so many bytes in the place of ``connection``."""
        instead = cls(connection, transport, loop, room)
        transport.set_protocol(instead)
        if not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()
        return instead

    def data_received(self, data: bytes) -> None:
        """Forget it."""
        self._room -= len(data)
        if self._room < 0:
            self._close()

    def eof_received(self) -> None:
        """The client has what it wanted, or gave up."""
        self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._close()
        self._connection.connection_lost(exc)

    def _close(self) -> None:
        self._end.cancel()
        self._transport.close()
        if not self.emptied.done():
            self.emptied.set_result(None)
