"""Every answer of the intake port (Segment sheet sections 0, 1.5 and 2.4).

One success suits all senders: exactly 200, JSON, ``{"success": true}``; some SDKs take 202 or an empty body for a
failure. Errors carry ``code`` and ``message``, because old Python SDKs repeat any 4xx without them.
"""

from __future__ import annotations

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from relay.core.notices import Why

SUCCESS = b'{"success": true}'
SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
JSON_HEADERS = CIMultiDict({"Content-Type": "application/json", **SAFE})
UNVERIFIED_RETRY = 60  # seconds
# What browser SDKs send: Segment's (sheet section 2.4), then RudderStack's and Jitsu's.
BROWSER_HEADERS = "authorization, content-type, x-retry-count, anonymousid, x-write-key, x-enable-debug"

STATUS = {
    Why.BAD_JSON: 400,
    Why.BAD_SHAPE: 400,
    Why.NOT_AN_EVENT: 400,
    Why.EMPTY_BATCH: 400,
    Why.TOO_DEEP: 400,
    Why.BAD_ENCODING: 400,
    Why.BAD_SIGNATURE: 401,
    Why.BAD_TOKEN: 401,
    Why.BAD_WRITE_KEY: 401,
    Why.BAD_ORIGIN: 401,
    Why.UNKNOWN_SOURCE: 404,
    Why.NOT_FOUND: 404,
    Why.METHOD: 405,
    Why.TOO_LARGE: 413,
    Why.TOO_MANY_EVENTS: 413,
    Why.TOO_FAST: 429,
    Why.UNVERIFIED: 503,
    Why.TOO_SLOW: 503,
    Why.STORE: 503,
    Why.OVERLOADED: 503,
}
MESSAGES = {
    Why.BAD_SHAPE: "every item must be an object",
    Why.NOT_AN_EVENT: "no type and no event name: the webhook's mapping must send the whole event, not parts",
    Why.TOO_DEEP: "the event is nested too deeply",
    Why.BAD_ENCODING: "the body cannot be read: its chunks or its compression are broken",
    Why.BAD_SIGNATURE: "X-Signature is missing or does not fit the body: compare the shared secrets on both sides",
    Why.BAD_TOKEN: "X-Relay-Token is missing or wrong: set it as a header in the webhook's mapping",
    Why.BAD_WRITE_KEY: "the write key is missing or unknown",
    Why.BAD_ORIGIN: "pages of this origin may not send with this write key: see allowed_origins",
    Why.UNKNOWN_SOURCE: "no source of this name is configured",
    Why.NOT_FOUND: "no such path: events go to /webhook/segment or /v1/…",
    Why.METHOD: "this method is not served here: events are sent by POST (webhooks also by PUT or PATCH)",
    Why.TOO_FAST: "this source sends more events than it may: send again later",
}


class Success(web.Response):
    """200 as bytes that are put together once a second; it keeps nothing of a request, so one object serves all.

    Putting a fresh answer together costs aiohttp about as much as all the rest of an empty handler (18 of 38 µs), and
    this answer never differs. Only for requests that keep an HTTP/1.1 connection open; see ``success``.
    """

    keep_alive = True

    def __init__(self) -> None:
        super().__init__(body=SUCCESS, headers=JSON_HEADERS)
        self._date = ""
        self._wire = b""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send head and body in one piece."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client went away")
        date = rfc822_formatted_time()
        if date != self._date:
            self._date = date
            fields = {**JSON_HEADERS, "Content-Length": len(SUCCESS), "Date": date}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            self._wire = f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + SUCCESS
        transport.write(self._wire)
        if request.protocol.writing_paused:
            await request.protocol._drain_helper()  # noqa: SLF001 - as aiohttp's own answers do: nobody reads them
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


SUCCESS_ON_KEPT_CONNECTION = Success()


class Refusal(web.Response):
    """An error answer of any port; ``code`` is the stable name of its reason."""

    def __init__(self, code: str, message: str, status: int, headers: CIMultiDict[str], **more: object) -> None:
        body = {"success": False, "code": code, "message": message, "error": message, **more}
        super().__init__(body=orjson.dumps(body), status=status, headers=headers)
        self.code = code


def success(request: web.BaseRequest) -> web.Response:
    """200: everything in the request is durable."""
    # Browsers need headers of their own (for_browsers), so they get an answer of their own.
    if request.keep_alive and request.version == HttpVersion11 and "Origin" not in request.headers:
        return SUCCESS_ON_KEPT_CONNECTION
    return web.Response(body=SUCCESS, headers=JSON_HEADERS.copy())


def ready(what: object, status: int = 200) -> web.Response:
    """An answer to a health question."""
    return web.Response(body=orjson.dumps(what), status=status, headers=JSON_HEADERS.copy())


def problem(why: Why, message: str = "", *, retry_after: int = 0) -> web.Response:
    """An error; ``retry_after`` in whole seconds. ``message`` never repeats anything that was sent."""
    message = message or MESSAGES[why]
    headers = JSON_HEADERS.copy()
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return Refusal(why.value, message, STATUS[why], headers)


def preflight(origin: str, *, allowed: bool = True) -> web.Response:
    """What a browser asks before it posts with a Basic header (analytics.js since 1.84)."""
    headers = CIMultiDict({"Vary": "Origin"})
    if allowed:
        headers["Access-Control-Allow-Origin"] = origin or "*"
        headers["Access-Control-Allow-Headers"] = BROWSER_HEADERS
        headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        headers["Access-Control-Max-Age"] = "7200"
    return web.Response(headers=headers)


def for_browsers(answer: web.Response, origin: str, *, allowed: bool = True) -> web.Response:
    """Let a page of ``origin`` read the answer and its Retry-After, if it is ``allowed``."""
    answer.headers["Vary"] = "Origin"
    if allowed:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return answer
