"""Incidents over HTTP: a list of all, and the whole document of one."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from relay.adapters.web.admin_answers import Declined, answer
from relay.core.incident import Incident
from relay.core.report.figures import document, head
from relay.ports import Clock, Incidents

LATEST = "latest"


class IncidentRoutes:
    """Handlers over the Incidents port."""

    def __init__(self, incidents: Incidents, destinations: Sequence[str], clock: Clock) -> None:
        self._incidents, self._destinations, self._clock = incidents, tuple(destinations), clock

    def routes(self) -> list[web.RouteDef]:
        """What to register."""
        return [web.get("/api/incidents", self._list), web.get("/api/incidents/{id}", self._show)]

    async def _list(self, _request: web.Request) -> web.Response:
        now = self._clock.now_ms()
        return answer({"incidents": [head(one, now) for one in await self._all()]})

    async def _show(self, request: web.Request) -> web.Response:
        incident = await self._found(request.match_info["id"])
        log = await self._incidents.log(incident.destination, incident.number)
        return answer(document(incident, log, self._clock.now_ms()))

    async def _all(self) -> list[Incident]:
        """Of all destinations, the latest first."""
        found = [one for name in self._destinations for one in await self._incidents.list(name)]
        return sorted(found, key=lambda one: -one.opened_ms)

    async def _found(self, name: str) -> Incident:
        incidents = await self._all()
        for one in incidents:
            if name in (LATEST, one.id):
                return one
        text = "There is no such incident." if incidents else "There are no incidents."
        raise Declined(404, "unknown_incident", text)
