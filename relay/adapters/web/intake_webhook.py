"""Segment's webhook destinations (Segment sheet section 1): who sent it, what is in it, and the answer."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from relay.adapters.web.intake_answers import MESSAGES, STATUS, UNVERIFIED_RETRY
from relay.adapters.web.intake_body import basic_user
from relay.adapters.web.intake_options import UNKNOWN_SOURCE, IntakeOptions, SourceOptions
from relay.adapters.web.intake_reading import body_at_hand
from relay.adapters.web.intake_reception import Reception
from relay.core.event import Event
from relay.core.notices import SenderRefused, Why
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.envelope import Envelope, Unreadable, open_envelope
from relay.core.segment.grace import Grace
from relay.core.segment.signature import Cover, cover
from relay.engine.intake import Intake, Receipt
from relay.ports import Clock, Tell

NOT_COVERED = (
    "X-Signature vouches for the first event of an array only: send X-Relay-Token as well, or set segment.trust_batches"
)
NOTHING_SET = "nothing here can verify this sender: set a shared secret or a token, or intake.allow_unsigned"


class Webhook:
    """Hears webhooks of all sources."""

    def __init__(self, options: IntakeOptions, intake: Intake, reception: Reception, clock: Clock, tell: Tell) -> None:
        self._options = options
        self._intake = intake
        self._reception = reception
        self._clock = clock
        self._tell = tell
        self._grace = Grace(clock.now_ms(), int(options.unverified_grace * 1000))

    def hearing(self, name: str) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
        """The handler for source ``name``.

        No coroutine of its own: everything up to the wait for the store happens at once when the body is there, which
        it nearly always is, and each coroutine in between costs every request.
        """
        max_body, answer, monotonic = self._options.max_body, self._reception.answer, self._clock.monotonic

        def hear(request: web.BaseRequest) -> Awaitable[web.Response]:
            started = monotonic()
            body = body_at_hand(request, max_body)
            if body is None or body[:1] == b"[":  # a batch stays parsed while it waits, so it takes room
                return self._hear_out(request, name, started)
            return answer(request, self._heard(request, name, body, started))

        return hear

    async def _hear_out(self, request: web.BaseRequest, name: str, started: float) -> web.Response:
        with self._reception.room.reading() as reading:
            body = await reading.body(request, self._options.max_body, proved=True)
            return await self._reception.answer(request, self._heard(request, name, body, started))

    def _heard(
        self, request: web.BaseRequest, name: str, body: bytes | Unreadable, started: float
    ) -> Awaitable[Receipt] | web.Response:
        """Verify and decode; the rest is to be awaited, unless there is an answer already."""
        source = self._options.sources.get(name)
        label = UNKNOWN_SOURCE if source is None else name
        if isinstance(body, Unreadable):
            return self._reception.refuse(label, body.why, started, message=body.message)
        if source is None:
            return self._unverified(label, Why.UNKNOWN_SOURCE, "", started)
        trust = self._trust(source, request, body)
        if isinstance(trust, tuple):
            return self._unverified(name, *trust, started)
        opened = open_envelope(body, self._options.max_events)
        if isinstance(opened, Unreadable):
            return self._reception.refuse(name, opened.why, started, message=opened.message)
        if trust is Cover.FIRST and len(opened.items) > 1:
            # Never for good: the sender knows the secret, so its events are waiting for a setting.
            return self._unverified(name, Why.BAD_TOKEN, NOT_COVERED, started, final=False)
        self._grace.good(name, self._clock.now_ms())
        if self._reception.paced and (late := self._reception.hold_back(name, len(opened.items), started)):
            return late
        return self._receive(opened, name, started)

    def _receive(self, opened: Envelope, name: str, started: float) -> Awaitable[Receipt]:
        max_depth = self._options.max_depth
        if len(opened.items) > 1:
            decoded = Decoded(opened.items, partial(webhook_event, raw=None, max_depth=max_depth))
            return self._intake.receive(decoded, name, False, started)
        event = webhook_event(opened.items[0], opened.raw, max_depth)
        if type(event) is Event:
            return self._intake.receive_event(event, name, False, started)
        return self._intake.receive([event], name, False, started)

    def _trust(self, source: SourceOptions, request: web.BaseRequest, body: bytes) -> Cover | tuple[Why, str]:
        """What is vouched for; or why nothing is.

        Proof that is given must be right, and one proof is enough. A token vouches for the whole request.
        """
        token = _token(request, source.tokens) if source.tokens else None
        if token is not None and not _is_one_of(token, source.tokens):
            return Why.BAD_TOKEN, ""
        signature = request.headers.get("X-Signature") if source.secrets else None
        if signature is not None:
            covered = cover(signature, body, source.secrets)
            if covered is Cover.NOTHING:
                return Why.BAD_SIGNATURE, ""
            return Cover.ALL if token is not None or source.trust_batches else covered
        if token is not None:
            return Cover.ALL
        if source.secrets or source.tokens:
            return (Why.BAD_SIGNATURE if source.secrets else Why.BAD_TOKEN), ""
        return Cover.ALL if self._options.allow_unsigned else (Why.BAD_SIGNATURE, NOTHING_SET)

    def _unverified(self, label: str, why: Why, message: str, started: float, *, final: bool = True) -> web.Response:
        """503 while there is hope that the secrets are being put right, then, if it may be ``final``, the last word."""
        now_ms = self._clock.now_ms()
        patience = self._grace.failed(label, now_ms)
        patient = patience.patient or not final
        if patience.tell:
            self._tell(SenderRefused(label, why, 503 if patient else STATUS[why], patience.since_ms))
        message = message or MESSAGES[why]
        if patient:
            return self._reception.defer(label, message, UNVERIFIED_RETRY, started)
        return self._reception.refuse(label, why, started, message=message)


def _token(request: web.BaseRequest, tokens: tuple[bytes, ...]) -> str | None:
    """``X-Relay-Token``, else the token in ``Authorization``: some senders have a field for that alone.

    Bearer, Basic with the token as user, or any other scheme (Segment sheet sections 1 and 1.9). What else stands there
    may be meant for a proxy on the way, so it proves nothing either way.
    """
    token = request.headers.get("X-Relay-Token")
    if token is not None:
        return token
    header = request.headers.get("Authorization")
    if header is None:
        return None
    found = basic_user(header) or header.rpartition(" ")[2]
    return found if _is_one_of(found, tokens) else None


def _is_one_of(given: str, expected: tuple[bytes, ...]) -> bool:
    # No short cut after a match: how long it takes must not tell which one was the right one.
    coded = given.encode("utf-8", "surrogateescape")
    found = False
    for secret in expected:
        found |= hmac.compare_digest(coded, secret)
    return found
