"""Segment's Tracking API for SDKs that speak to the relay directly (Segment sheet section 2)."""

from __future__ import annotations

import hmac
from functools import partial

from aiohttp import web

from relay.adapters.web.intake_answers import for_browsers, success
from relay.adapters.web.intake_body import basic_user, parse_networks, visitor_ip
from relay.adapters.web.intake_options import DEFAULT_SOURCE, UNKNOWN_SOURCE, IntakeOptions
from relay.adapters.web.intake_reception import Reception
from relay.core.notices import EventsReceived, Outcome, SenderRefused, Why
from relay.core.segment.decode import Arrival, Decoded, sdk_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.core.segment.grace import Grace
from relay.engine.intake import Intake
from relay.ports import Clock, Tell


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
        # SDKs keep what they could not deliver and a 401 is what Segment answers too: no patience, only notices.
        self._grace = Grace(clock.now_ms(), 0)

    async def hear(self, request: web.BaseRequest, kind: str | None) -> web.Response:
        """One request; ``kind`` is the event type that the path names, if it names one."""
        started = self._clock.monotonic()
        with self._reception.room.reading() as reading:
            body = await reading.body(request, self._options.max_body)
            return _readable(request, await self._hear(request, body, kind, started))

    async def swallow(self, request: web.BaseRequest) -> web.Response:
        """``/v1/m``, the SDKs' telemetry about themselves: taken, counted and dropped."""
        started = self._clock.monotonic()
        with self._reception.room.reading() as reading:
            body = await reading.body(request, self._options.max_body)
        if isinstance(body, Unreadable):
            return _readable(request, self._reception.refuse(UNKNOWN_SOURCE, body.why, started, message=body.message))
        seconds = self._clock.monotonic() - started
        self._tell(EventsReceived(UNKNOWN_SOURCE, Outcome.FILTERED, 1, Why.TELEMETRY, seconds))
        return _readable(request, success(request))

    async def _hear(
        self, request: web.BaseRequest, body: bytes | Unreadable, kind: str | None, started: float
    ) -> web.Response:
        opened = body if isinstance(body, Unreadable) else open_envelope(body, self._options.max_events)
        if isinstance(opened, Unreadable):
            return self._reception.refuse(UNKNOWN_SOURCE, opened.why, started, message=opened.message)
        source = self._source(request, opened.write_key)
        if source is None:
            return self._unknown_key(len(opened.items), started)
        if self._reception.paced and (late := self._reception.hold_back(source, len(opened.items), started)):
            return late
        arrival = Arrival(self._clock.now_ms(), kind, opened.sent_at, self._ip(request))
        finish = partial(sdk_event, arrival=arrival, max_depth=self._options.max_depth)
        receiving = self._intake.receive(Decoded(opened.items, finish), source, True, started)
        return await self._reception.answer(request, receiving)

    def _source(self, request: web.BaseRequest, body_key: str) -> str | None:
        """Whose write key it is: from the Basic header or the body, as SDKs differ (Segment sheet section 2.4)."""
        if not self._keys:
            return DEFAULT_SOURCE if self._options.allow_unsigned else None
        found = None
        for given in (basic_user(request.headers.get("Authorization", "")), body_key):
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


def _readable(request: web.BaseRequest, answer: web.Response) -> web.Response:
    origin = request.headers.get("Origin")
    return for_browsers(answer, origin) if origin else answer
