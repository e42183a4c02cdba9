"""``POST /api/destinations/{name}/failover`` with ``{"since": …}``, and ``…/failback``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from aiohttp import web

from relay.adapters.web.admin_answers import Declined, answer, check_destination, iso, parsed
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import ModeBusy
from relay.core.event import JsonObject
from relay.engine.standby import Turn
from relay.ports import Clock

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
AHEAD_MS = 60_000  # a moment so little in the future is somebody's clock, not a mistake
EXAMPLES = 'an ISO 8601 time ("2026-01-20T14:05:00Z") or a duration ("40m")'


class StandbyRoutes:
    """Turns destinations that stand by. Both switches may be repeated."""

    def __init__(
        self,
        destinations: Sequence[str],
        clock: Clock,
        fail_over: Callable[[str, int], Awaitable[Turn]],
        fail_back: Callable[[str], Awaitable[Turn]],
    ) -> None:
        self._destinations, self._clock = destinations, clock
        self._fail_over, self._fail_back = fail_over, fail_back

    def routes(self) -> list[web.RouteDef]:
        """What to add to the application."""
        path = "/api/destinations/{name}"
        return [web.post(f"{path}/failover", self.failover), web.post(f"{path}/failback", self.failback)]

    async def failover(self, request: web.Request) -> web.Response:
        """Send what was received since a moment, and all that comes."""
        name = self._name(request)
        since_ms = moment(parsed(await request.read()).get("since"), self._clock.now_ms())
        return await self._turned(name, "failover", self._fail_over(name, since_ms))

    async def failback(self, request: web.Request) -> web.Response:
        """Finish what was taken over, then stand by."""
        name = self._name(request)
        return await self._turned(name, "failback", self._fail_back(name))

    def _name(self, request: web.Request) -> str:
        name = request.match_info["name"]
        check_destination(name, self._destinations)
        return name

    async def _turned(self, name: str, action: str, turning: Awaitable[Turn]) -> web.Response:
        try:
            turn = await turning
        except ModeBusy as busy:
            raise Declined(409, "mode_busy", str(busy)) from None
        if turn.record.mode is Mode.ACTIVE:
            text = f'{name} is active, so it sends everything it is owed; only one with mode = "standby" can {action}.'
            raise Declined(409, "not_standby", text)
        known = {"success": True, "destination": name, "action": action, "changed": turn.changed}
        return answer(known | mode_part(turn.record))


def mode_part(record: ModeRecord) -> JsonObject:
    """A mode for people and scripts; times are null where they mean nothing, ``since`` also where it is everything."""
    return {"mode": record.mode.value, "since": iso(record.since_ms), "until": iso(record.until_ms)}


def moment(given: object, now_ms: int) -> int:
    """``since`` in milliseconds since the epoch; a time without a zone is UTC."""
    if not isinstance(given, str) or not given.strip():
        raise Declined(400, "bad_since", f'Say from when on: {{"since": …}} with {EXAMPLES}.')
    at_ms = parsed_moment(given.strip(), now_ms)
    if at_ms is None:
        raise Declined(400, "bad_since", f"since is no moment: give {EXAMPLES}.")
    if not 0 <= at_ms <= now_ms + AHEAD_MS:
        raise Declined(400, "bad_since", "since is in the future, or before all time.")
    return min(at_ms, now_ms)


def parsed_moment(text: str, now_ms: int) -> int | None:
    """A duration before now, or a time; None when it is neither."""
    if found := re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", text):
        return now_ms - round(float(found[1]) * UNITS_MS[found[2]])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
