"""What holds for every connection, whoever it belongs to and whatever it asks: places, patience, answers to nonsense.

aiohttp bounds lines, fields and pipelined requests. Missing there, and here: how many connections there may be, how
long a head may take and how large it may get, answers and logs that repeat nothing of what came in, and an end that
lets the answer to an unread body arrive without reading that body.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from heapq import nsmallest
from typing import Any, NamedTuple, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict, istr

from relay.adapters.web.intake_answers import JSON_HEADERS, SAFE, SUCCESS, Refusal, Success
from relay.adapters.web.parting import LINGER_BYTES, NONSENSE, PARTING, Bin, Queue, last_words
from relay.core.notices import ConnectionCut, Cut, RequestAnswered, RequestRefused, TaskCrashed
from relay.ports import Tell

MAX_HEAD = 64 * 1024  # bytes of a head that is not complete; as much as nginx takes, twice over
READ_SIZE = 64 * 1024  # aiohttp buffers four times that of a body before it stops reading
STALLED_S = 1.0  # where it is crowded, a body may be silent so long
STALLED_RATE = 500  # bytes a second
UNREAD_S = 30.0  # how long a client may leave its answers lying
CRASHED_RETRY = 60
REQUEST_ID = istr("X-Request-Id")  # folded once: every request is asked for it
HARMLESS = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")
# aiohttp's own lines repeat what was sent; what is worth telling is told as notices.
MUTE = logging.getLogger("relay.muted")
MUTE.addHandler(logging.NullHandler())
MUTE.propagate = False
Handling = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Finished = Coroutine[Any, Any, tuple[web.StreamResponse, bool]]


class Limits(NamedTuple):
    """``connections`` at most; seconds that an ``idle`` one is kept open, and that a ``head`` may take."""

    connections: int = 4096
    idle_s: float = 630.0
    head_s: float = 10.0


class Listener(web.Server):
    """The server behind one port; ``port`` names it in notices: intake, admin or metrics."""

    def __init__(self, handler: Handling, port: str, limits: Limits, tell: Tell, request_factory: Any = None) -> None:
        super().__init__(
            handler,
            request_factory=request_factory,
            access_log=None,
            logger=MUTE,
            lingering_time=0,  # Connection does that without unpacking what it throws away
            keepalive_timeout=limits.idle_s,
            read_bufsize=READ_SIZE,
        )
        self.port, self.limits, self.tell = port, limits, tell
        self.leaving = False
        self.late = Queue(self._loop)

    def __call__(self) -> RequestHandler:
        """A connection that is about to open."""
        return Connection(self, loop=self._loop, **self._kwargs)

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def leave(self) -> None:
        """Answer what comes, but ask every client to come back on another connection, that is to another process."""
        self.leaving = True

    async def finish(self, patience_s: float) -> None:
        """Wait until every request that was begun has its answer.

        Before aiohttp's own end, which reads no more of a body that is on its way.
        """
        end = self._loop.time() + patience_s
        # A connection tells nobody when it becomes idle.
        while self._loop.time() < end and not all(connection.idle for connection in self._open_connections()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    def has_room(self) -> bool:
        """Whether one more connection may open. Where it is crowded, those that do nothing make room for it.

        Idle ones first, then those that owe a body and do not send it.
        """
        if self.open < self.limits.connections:
            return True
        everybody, now = self._open_connections(), self._loop.time()
        idle = [connection for connection in everybody if connection.idle]
        unwanted = idle or [connection for connection in everybody if connection.stalled(now)]
        order = Connection.seniority if idle else Connection.diligence
        # Several at once: looking through all of them for every newcomer would be what an attacker wants.
        for connection in nsmallest(max(1, self.limits.connections // 64), unwanted, key=order):
            connection.cut(Cut.MADE_ROOM)
        return bool(unwanted)

    def _open_connections(self) -> list[Connection]:
        return [connection for connection in self._connections if isinstance(connection, Connection)]


class Connection(RequestHandler):
    """One connection."""

    __slots__ = ("_head", "_heard", "_late", "_listener", "_unread")

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(listener, **options)
        self._listener = listener
        self._head = 0  # bytes of a head that is not complete
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._heard = 0.0  # on the loop's clock: up to when it did its part

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._waiter is not None and not self._waiter.done()

    def seniority(self) -> tuple[bool, float]:
        """Sorts idle connections: first those that never asked anything, then by when they last did."""
        return self._request_count > 0, self._next_keepalive_close_time

    def stalled(self, now: float) -> bool:
        """Whether it owes the rest of a body and does not send it, ``now`` being what the loop's clock says.

        Not one whose answer has begun, nor one that was asked to wait: its silence is ours.
        """
        request = self._current_request
        if request is None or self.transport is None or self._reading_paused:
            return False
        if request.content.is_eof() or request.writer.output_size > 0:
            return False
        return now - self._heard >= STALLED_S

    def diligence(self) -> tuple[int, float]:
        """Sorts stalled connections: first those that sent least of their body, then by when they last sent any."""
        request = self._current_request
        return 0 if request is None else request.content.total_raw_bytes, self._heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or turn it away at once."""
        if self._listener.has_room():
            super().connection_made(transport)
            return
        self._force_close = True
        self._listener.tell(ConnectionCut(self._listener.port, Cut.CROWDED))
        self._say(cast("asyncio.Transport", transport), Cut.CROWDED)  # uvloop's is none by inheritance
        transport.close()

    def data_received(self, data: bytes) -> None:
        """Let aiohttp parse; then, if still no request came of it, see that the head ends in time."""
        RequestHandler.data_received(self, data)  # not super(): this is the hot path, and looking it up costs
        now, waiter = self._loop.time(), self._waiter
        # A piece of a body buys the time that it may take: who lets bytes drip is as good as silent.
        bought = now if waiter else max(self._heard, now - STALLED_S) + len(data) / STALLED_RATE
        self._heard = min(now, bought)
        if waiter is None or waiter.done():
            if self._head:
                self._head_is_complete()
            if self._current_request is not None and self._messages:
                self._end_broken_body(self._current_request.content)
            return
        self._head += len(data)
        if self._late is None:
            self._late = self._loop.call_later(self._listener.limits.head_s, self._head_is_late)
        if self._head > MAX_HEAD:
            self.cut(Cut.LARGE_HEAD)

    def pause_writing(self) -> None:
        """The client does not read what it is answered."""
        super().pause_writing()
        self._unread = self._loop.call_later(UNREAD_S, self._give_up)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _give_up(self) -> None:
        self._listener.tell(ConnectionCut(self._listener.port, Cut.UNREAD))
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is to come any more."""
        self._head_is_complete()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def cut(self, why: Cut) -> None:
        """End it, with an answer if somebody has begun to ask."""
        self._listener.tell(ConnectionCut(self._listener.port, why))
        if self.transport is not None and (self._head or self._current_request is not None):
            self._say(self.transport, why)
            if why is not Cut.MADE_ROOM:  # that has to be there at once
                Bin.replace(self, self.transport, self._loop, LINGER_BYTES // 64)
                self.transport = None
        self._head_is_complete()
        self.force_close()

    def _say(self, transport: asyncio.Transport, why: Cut) -> None:
        """The refusal of a connection that never got as far as a request, or not to its end."""
        status, code, text = PARTING[why]
        request_id = uuid.uuid4().hex
        transport.write(last_words(status, code, text, request_id))
        self._listener.tell(RequestRefused(self._listener.port, status, code, request_id))

    def finish_response(self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None) -> Finished:
        """Put on every answer what belongs on every answer. The ready-made success has it already."""
        if type(resp) is Success and REQUEST_ID not in request.headers and not self._listener.leaving:
            return super().finish_response(request, resp, start_time)
        return self._finish(request, self._stamped(request, resp), start_time)

    async def _finish(
        self, request: web.BaseRequest, answer: web.StreamResponse, start: float | None
    ) -> tuple[web.StreamResponse, bool]:
        unread = not request.content.is_eof()
        if unread and not answer.prepared:
            answer.force_close()
        finished = await super().finish_response(request, answer, start)
        if unread and self.transport is not None:
            await Bin.replace(self, self.transport, self._loop, LINGER_BYTES).emptied
        return finished

    def _stamped(self, request: web.BaseRequest, answer: web.StreamResponse) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID, "")
        if answer.prepared:
            return answer
        if type(answer) is Success:
            answer = web.Response(body=SUCCESS, headers=JSON_HEADERS.copy())
        refused = isinstance(answer, Refusal)
        harmless = HARMLESS.fullmatch(given) is not None
        if harmless or refused:
            answer.headers[REQUEST_ID] = given if harmless else uuid.uuid4().hex
        for name, value in SAFE.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Server", "relay")
        if self._listener.leaving:
            answer.force_close()
        if isinstance(answer, Refusal):
            told = RequestRefused(self._listener.port, answer.status, answer.code, answer.headers[REQUEST_ID])
            self._listener.tell(told)
        elif harmless:
            self._listener.tell(RequestAnswered(self._listener.port, answer.status, given))
        return answer

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words, which repeat what was sent
    ) -> web.StreamResponse:
        """What is no HTTP gets a plain 400; a bug of ours a 503, because the sender must keep its events."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionResetError("nobody is there any more, or the answer had begun already")
        if status == web.HTTPBadRequest.status_code:
            code, text, why = next(said for kind, said in NONSENSE.items() if isinstance(exc, kind))
            self._listener.tell(ConnectionCut(self._listener.port, why))
            answer = Refusal(code, text, status, JSON_HEADERS.copy())
        else:
            self._listener.tell(TaskCrashed(self._listener.port, type(exc).__name__ if exc else "timeout"))
            headers = CIMultiDict({**JSON_HEADERS, "Retry-After": str(CRASHED_RETRY)})
            answer = Refusal("internal_error", "something is wrong here: send again later", 503, headers)
        answer.force_close()
        return answer

    def _end_broken_body(self, body: StreamReader) -> None:
        """When a body stops being HTTP, aiohttp queues the error behind it and lets its reader wait for the rest."""
        if not isinstance(self._messages[-1][0], RawRequestMessage) and not body.is_eof():
            body.set_exception(web.RequestPayloadError())

    def _head_is_late(self) -> None:
        self._late = None
        self._listener.late.join(self._cut_late_head)

    def _cut_late_head(self) -> None:
        if self._head and self._late is None:  # it did not come after all, nor is there another one
            self.cut(Cut.SLOW_HEAD)

    def _head_is_complete(self) -> None:
        self._head = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
