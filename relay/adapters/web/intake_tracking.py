"""Segment's Tracking API for SDKs that speak to the relay directly (Segment sheet section 2)."""

from __future__ import annotations

import hmac
from functools import partial

from aiohttp import web

from relay.adapters.web.intake_answers import for_browsers, preflight, success
from relay.adapters.web.intake_body import basic_user, parse_networks, visitor_ip
from relay.adapters.web.intake_cdn import CdnSettings
from relay.adapters.web.intake_options import UNKNOWN_SOURCE, IntakeOptions
from relay.adapters.web.intake_origins import Origins
from relay.adapters.web.intake_reception import Reception
from relay.core.event import DEFAULT_SOURCE
from relay.core.notices import EventsReceived, Outcome, SenderRefused, Why
from relay.core.segment.decode import TYPE_BY_PATH, Arrival, Decoded, sdk_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.core.segment.grace import Grace
from relay.engine.intake import Intake
from relay.ports import Clock, Tell

JITSU = ("/api/s/", "/api/s/s2s/")  # where Jitsu's SDKs send from browsers and from servers
FULL_NAMES = tuple(name for name in TYPE_BY_PATH if len(name) > 1)
KIND_BY_PATH = {f"/v1/{name}": kind for name, kind in TYPE_BY_PATH.items()}
KIND_BY_PATH |= {prefix + name: TYPE_BY_PATH[name] for prefix in JITSU for name in FULL_NAMES}


class Tracking:
    """Hears SDKs; the write key says which source speaks."""

    def __init__(self, options: IntakeOptions, intake: Intake, reception: Reception, clock: Clock, tell: Tell) -> None:
        self._options = options
        self._intake = intake
        self._reception = reception
        self._clock = clock
        self._tell = tell
        self._trusted = parse_networks(options.trusted_proxies)
        self._keys = [(key, name) for name, source in options.sources.items() for key in source.write_keys]
        self._origins = Origins(options.sources)
        self._cdn = CdnSettings(options)
        # SDKs keep what they could not deliver and a 401 is what Segment answers too: no patience, only notices.
        self._grace = Grace(clock.now_ms(), 0)

    async def hear(self, request: web.BaseRequest, kind: str | None) -> web.Response:
        """One request; ``kind`` is the event type that the path names, if it names one."""
        started = self._clock.monotonic()
        with self._reception.room.reading() as reading:
            body = await reading.body(request, self._options.max_body)
            return self._readable(request, await self._hear(request, body, kind, started))

    async def preflight(self, request: web.BaseRequest) -> web.Response:
        """A browser asks whether it may send. Who asks without an origin is no browser."""
        origin = request.headers.get("Origin", "")
        return preflight(origin, allowed=not origin or self._origins.allowed_anywhere(origin))

    async def settings(self, request: web.BaseRequest, write_key: str) -> web.Response:
        """What SDKs ask Segment's CDN for."""
        return self._readable(request, self._cdn.answer(request, write_key))

    async def swallow(self, request: web.BaseRequest) -> web.Response:
        """``/v1/m``, the SDKs' telemetry about themselves: taken, counted and dropped."""
        started = self._clock.monotonic()
        with self._reception.room.reading() as reading:
            body = await reading.body(request, self._options.max_body)
        if isinstance(body, Unreadable):
            refusal = self._reception.refuse(UNKNOWN_SOURCE, body.why, started, message=body.message)
            return self._readable(request, refusal)
        seconds = self._clock.monotonic() - started
        self._tell(EventsReceived(UNKNOWN_SOURCE, Outcome.FILTERED, 1, Why.TELEMETRY, seconds))
        return self._readable(request, success(request))

    async def _hear(
        self, request: web.BaseRequest, body: bytes | Unreadable, kind: str | None, started: float
    ) -> web.Response:
        opened = body if isinstance(body, Unreadable) else open_envelope(body, self._options.max_events)
        if isinstance(opened, Unreadable):
            return self._reception.refuse(UNKNOWN_SOURCE, opened.why, started, message=opened.message)
        source = self._source(request, opened.write_key)
        if source is None:
            return self._unknown_key(len(opened.items), started)
        origin = request.headers.get("Origin")
        if origin is not None and not self._origins.allowed(source, origin):
            # Counted, and no alarm: whoever copies a write key into a page of his own can cause it at any time.
            return self._reception.refuse(source, Why.BAD_ORIGIN, started, count=len(opened.items))
        if self._reception.paced and (late := self._reception.hold_back(source, len(opened.items), started)):
            return late
        arrival = Arrival(self._clock.now_ms(), kind, opened.sent_at, self._ip(request))
        finish = partial(sdk_event, arrival=arrival, max_depth=self._options.max_depth)
        receiving = self._intake.receive(Decoded(opened.items, finish), source, True, started)
        return await self._reception.answer(request, receiving)

    def _source(self, request: web.BaseRequest, body_key: str) -> str | None:
        """Whose write key it is: from the Basic header or the body, as SDKs differ (Segment sheet section 2.4).

        Jitsu's SDKs have a header of their own for it.
        """
        if not self._keys:
            return DEFAULT_SOURCE if self._options.allow_unsigned else None
        found = None
        headers = request.headers
        for given in (basic_user(headers.get("Authorization", "")), body_key, headers.get("X-Write-Key", "")):
            coded = given.encode("utf-8", "surrogatepass")
            for key, name in self._keys:
                if hmac.compare_digest(coded, key):
                    found = name
        return found

    def _ip(self, request: web.BaseRequest) -> str:
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        return visitor_ip(request.remote or "", forwarded, self._trusted)

    def _unknown_key(self, count: int, started: float) -> web.Response:
        patience = self._grace.failed(UNKNOWN_SOURCE, self._clock.now_ms())
        if patience.tell:
            self._tell(SenderRefused(UNKNOWN_SOURCE, Why.BAD_WRITE_KEY, 401, patience.since_ms))
        return self._reception.refuse(UNKNOWN_SOURCE, Why.BAD_WRITE_KEY, started, count=count)

    def _readable(self, request: web.BaseRequest, answer: web.Response) -> web.Response:
        origin = request.headers.get("Origin")
        return for_browsers(answer, origin, allowed=self._origins.allowed_anywhere(origin)) if origin else answer
