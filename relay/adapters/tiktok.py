"""Sender over one aiohttp session: posts a call to ``/event/track/``, and reads the answer without judging it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from relay.core.tiktok.reply import Call, Reply

API = "/open_api/v1.3"
TRACK = "/event/track/"  # without the trailing slash the host answers a plain-text 404 (TikTok sheet section 1)
TIMEOUT_S = 8.0
ANSWER_BYTES = 1 << 20
"""More than this is not TikTok: it is read as an answer without a code."""
RETRY_AFTER_DIGITS = 6


@dataclass(frozen=True, slots=True)
class TikTokSender:
    """Sends with the token of the moment, so that a rotated one is used by the next call.

    ``url`` is the host, with or without ``/open_api/v1.3``. The session is the caller's; it may be shared, but a
    destination that hangs then uses up its connections, so each destination should have its own.
    """

    session: aiohttp.ClientSession
    url: str
    access_token: Callable[[], str]
    timeout_s: float = TIMEOUT_S

    async def send(self, call: Call) -> Reply:
        """Post one batch. Trouble of the network is a value: ``Reply.error``."""
        started = time.monotonic()  # durations of the outside world are measured where they happen
        token = self.access_token().strip()
        if not token.isprintable():
            return Reply(None, None, "the access token has characters no header can carry", error="token", sent=False)
        try:
            async with self.session.post(
                track_url(self.url),
                data=call.body,
                headers={"Access-Token": token, "Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
                allow_redirects=False,  # a redirect would carry the token to another host
            ) as response:
                body = await _read(response.content)
                return _reply(response, body, time.monotonic() - started)
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
            name, sent = trouble(error)
            return Reply(None, None, type(error).__name__, error=name, sent=sent, seconds=time.monotonic() - started)


def track_url(base: str) -> str:
    """The address of the one route that is used."""
    base = base.rstrip("/")
    return f"{base}{TRACK}" if base.endswith(API) else f"{base}{API}{TRACK}"


def trouble(error: Exception) -> tuple[str, bool]:
    """An error's name in ``Reply.error``, and whether anything may have reached TikTok."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns", False
        case aiohttp.ClientSSLError() | ssl.SSLError():
            # A failed handshake comes before any request; a TLS fault in mid-stream is no ClientConnectorError.
            return "tls", not isinstance(error, aiohttp.ClientConnectorError)
        case aiohttp.ClientConnectorError():
            return "refused", False
        case aiohttp.ConnectionTimeoutError():
            return "timeout", False
        case TimeoutError():
            return "timeout", True
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError():
            return "reset", True
        case aiohttp.InvalidURL():
            return "other", False
        case _:
            return "other", True


async def _read(content: aiohttp.StreamReader) -> bytes:
    """At most ``ANSWER_BYTES`` of the answer."""
    parts, left = [], ANSWER_BYTES
    while left > 0 and (part := await content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _reply(response: aiohttp.ClientResponse, body: bytes, seconds: float) -> Reply:
    """The integer ``code`` of the JSON body decides; without one there is only the HTTP status."""
    answer = _json(body)
    code, message, request_id = answer.get("code"), answer.get("message"), answer.get("request_id")
    return Reply(
        status=response.status,
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=message if isinstance(message, str) else "",
        failed_items=failed_items(answer.get("data")),
        request_id=request_id if isinstance(request_id, str) else "",
        log_id=response.headers.get("X-TT-LOGID", ""),
        retry_after=_retry_after(response.headers.get("Retry-After", "")),
        seconds=seconds,
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def failed_items(data: object) -> tuple[int, ...] | None:
    """``failed_events[].order_in_batch`` (TikTok sheet section 5.3); None unless every element has a usable one."""
    failed = data.get("failed_events") if isinstance(data, dict) else None
    if not isinstance(failed, list):
        return None
    orders = [one.get("order_in_batch") if isinstance(one, dict) else None for one in failed]
    usable = [order for order in orders if isinstance(order, int) and not isinstance(order, bool)]
    return tuple(usable) if len(usable) == len(failed) else None


def _retry_after(header: str) -> float | None:
    """Whole seconds; a date is left alone (nobody has seen TikTok send either)."""
    header = header.strip()
    return float(header) if header.isascii() and header.isdigit() and len(header) <= RETRY_AFTER_DIGITS else None


@dataclass(frozen=True, slots=True)
class Probe:
    """What TikTok said to a call without events. ``good`` is None when that says nothing about the token."""

    good: bool | None
    detail: str


TOKEN_FAULTS = {
    40001: "the token may not send to this event source",
    40102: "the token has expired",
    40104: "no token was sent",
    40105: "the token is wrong or was revoked",
}


async def probe_credentials(sender: TikTokSender, event_source: str, event_source_id: str) -> Probe:
    """Ask about a token without sending a conversion: ``data: []`` (TikTok sheet section 1).

    What a good token gets is not known; these four codes are the usable signal, anything else is no complaint.
    """
    body = orjson.dumps({"event_source": event_source, "event_source_id": event_source_id, "data": []})
    reply = await sender.send(Call("check", body, 0))
    if reply.error:
        return Probe(None, f"TikTok was not reached: {reply.error}")
    if reply.code is None:
        return Probe(None, f"HTTP {reply.status} without a TikTok code: is the address right?")
    if reply.code in TOKEN_FAULTS:
        return Probe(False, f"{reply.code}: {TOKEN_FAULTS[reply.code]}")
    return Probe(True, f"{reply.code}: no complaint about the token")
