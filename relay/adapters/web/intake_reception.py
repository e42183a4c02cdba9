"""What both doors share: turning receipts into answers, and telling about every request that got no further."""

from __future__ import annotations

from collections.abc import Awaitable
from math import ceil

from aiohttp import web

from relay.adapters.web.intake_answers import problem, success
from relay.adapters.web.intake_options import UNKNOWN_SOURCE, IntakeOptions
from relay.adapters.web.intake_reading import ReadingRoom
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.notices import EventsReceived, Outcome, Why
from relay.core.segment.allowance import Allowance
from relay.engine.intake import Receipt
from relay.ports import Clock, Tell

BUSY = frozenset({Why.OVERLOADED, Why.TOO_SLOW})
BUSY_RETRY = 1  # seconds
MISUSED_RETRY = 60  # seconds; a bug of ours: the events stay with the sender until it is mended


class Reception:
    """Turns receipts and troubles into answers."""

    def __init__(self, options: IntakeOptions, room: ReadingRoom, clock: Clock, tell: Tell) -> None:
        self.room = room
        self._clock = clock
        self._tell = tell
        self._allowances = {
            name: Allowance(source.rate, source.burst) for name, source in options.sources.items() if source.rate
        }
        self.paced = bool(self._allowances)  # asked before anything else: nearly always nobody is

    async def answer(self, request: web.BaseRequest, heard: Awaitable[Receipt] | web.Response) -> web.Response:
        """Wait until the events of ``request`` are durable, and say so; the engine tells what became of them.

        A request that got no further than the door was answered there.
        """
        if isinstance(heard, web.Response):
            return heard
        try:
            receipt = await heard
        except StoreUnavailable as error:
            overloaded = error.trouble is StoreTrouble.OVERLOADED
            return problem(
                Why.OVERLOADED if overloaded else Why.STORE,
                f"nothing was lost, but the store cannot take events now ({error.trouble.value}): send again",
                retry_after=error.retry_after,
            )
        except StoreMisused:
            return problem(Why.STORE, "the store refused this request: send again later", retry_after=MISUSED_RETRY)
        return problem(receipt.refused) if receipt.refused else success(request)

    def hold_back(self, source: str, events: int, started: float) -> web.Response | None:
        """429 when ``source`` sends more events than it may; Segment and all SDKs come again (sheet section 1.5)."""
        allowance = self._allowances.get(source)
        wait = allowance.take(events, self._clock.monotonic()) if allowance else 0.0
        if not wait:
            return None
        self._tell(EventsReceived(source, Outcome.DEFERRED, events, Why.TOO_FAST, self._clock.monotonic() - started))
        return problem(Why.TOO_FAST, retry_after=ceil(wait))

    def refuse(self, source: str, why: Why, started: float, *, message: str = "", count: int = 1) -> web.Response:
        """Answer 4xx: the sender will not come again with this; or 503 where it may be otherwise next time."""
        again = BUSY_RETRY if why in BUSY else 0
        outcome = Outcome.DEFERRED if again else Outcome.REFUSED
        self._tell(EventsReceived(source, outcome, count, why, self._clock.monotonic() - started))
        return problem(why, message, retry_after=again)

    async def not_found(self, _: web.BaseRequest) -> web.StreamResponse:
        """A path that nobody serves: told, because a mistyped URL at Segment loses every event."""
        return self.refuse(UNKNOWN_SOURCE, Why.NOT_FOUND, self._clock.monotonic())

    async def other_method(self, _: web.BaseRequest, allowed: str) -> web.StreamResponse:
        """A path that is served, but not for this method."""
        answer = self.refuse(UNKNOWN_SOURCE, Why.METHOD, self._clock.monotonic())
        answer.headers["Allow"] = allowed
        return answer

    def defer(self, source: str, message: str, retry_after: int, started: float) -> web.Response:
        """Answer 503 to somebody who could not be verified yet."""
        seconds = self._clock.monotonic() - started
        self._tell(EventsReceived(source, Outcome.DEFERRED, 1, Why.UNVERIFIED, seconds))
        return problem(Why.UNVERIFIED, message, retry_after=retry_after)
