"""Opens, samples and closes incidents: looks at each survey, decides by ``core.incident``, writes through the port.

Every process watches; whoever is first writes. The loser reads what the winner wrote and adds what it saw itself. A
store that is away costs the samples of that time, and the report says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from relay.core.delivery.gate import GateState
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import StoreSurvey
from relay.core.incident import (
    ACTIVE,
    DEAD,
    GATE,
    Incident,
    Look,
    Patience,
    Vigil,
    closed,
    counted,
    due,
    look_at,
    opened,
    over,
    sampled,
    troubled,
    watched,
    wrong,
)
from relay.core.incident_log import LogEntry as Line
from relay.core.notices import IncidentClosed, IncidentOpened, StoreSurveyed, StoreWarned
from relay.engine.recorder import Recorder
from relay.ports import Clock, GateStore, Incidents, Tell

NAP_S = 0.1
MISUSED_S = 60.0
MOST_LINES = 1_000  # waiting for a store that is away


@dataclass(frozen=True, slots=True)
class IncidentParts:
    """What watching works with.

    ``modes`` says how a destination works right now: active where it does not name it. ``replayed``: about how many
    entries of a destination's backlog, as surveyed, a replay put there; that is no incident.
    """

    incidents: Incidents
    gates: GateStore
    recorder: Recorder
    clock: Clock
    tell: Tell
    modes: Callable[[], Mapping[str, str]] = dict
    replayed: Callable[[str, StoreSurvey], int] = lambda _name, _survey: 0


class IncidentWatch:
    """Watches all destinations of one process.

    One that does not deliver sees no gates: it does not ``lead``, but adds what its operators did.
    """

    def __init__(
        self, destinations: Sequence[str], parts: IncidentParts, patience: Patience | None = None, *, leads: bool = True
    ) -> None:
        patience = patience or Patience()
        self._parts, self._leads = parts, leads
        self._dockets = {name: Docket(name, parts, patience) for name in destinations}
        self._misused_until = dict.fromkeys(destinations, float("-inf"))
        parts.recorder.recent_ms = patience.every_ms

    async def run(self, stopping: asyncio.Event) -> None:
        """Look at every survey until stopped."""
        seen: StoreSurveyed | None = None
        while not stopping.is_set():
            surveyed = self._parts.recorder.surveyed
            if surveyed is not None and surveyed is not seen:
                seen = surveyed
                await self.look(surveyed)
            await self._parts.clock.sleep(NAP_S)

    async def look(self, surveyed: StoreSurveyed) -> None:
        """One look at each destination. A store that is away is asked again at the next survey."""
        modes, now = self._parts.modes(), self._parts.clock.monotonic()
        for name, docket in self._dockets.items():
            if now < self._misused_until[name]:
                continue
            try:
                if self._leads:
                    replayed = self._parts.replayed(name, surveyed.survey)
                    await docket.step(look_at(surveyed, name, modes.get(name, ACTIVE), replayed))
                else:
                    await docket.follow()
            except StoreUnavailable:
                return
            except StoreMisused as refusal:  # a damaged key, say: delivery goes on without a report
                self._misused_until[name] = now + MISUSED_S
                self._parts.tell(StoreWarned(name, f"the store refused to note an incident: {refusal}"))

    async def finish(self) -> None:
        """Write down what this process saw last; for the way out, when deliveries have ended."""
        with suppress(StoreUnavailable):
            for docket in self._dockets.values():
                with suppress(StoreMisused):
                    await docket.flush()


class Docket:
    """The incidents of one destination, as this process knows them."""

    def __init__(self, destination: str, parts: IncidentParts, patience: Patience) -> None:
        self._name, self._parts, self._patience = destination, parts, patience
        self._tally = parts.recorder.tallies[destination]
        self._vigil = Vigil()
        self._latest: Incident | None = None
        self._read_at = float("-inf")
        self._unsent: list[Line] = []

    @property
    def _open(self) -> Incident | None:
        return self._latest if self._latest and self._latest.ongoing else None

    async def step(self, look: Look) -> None:
        """One look: open, sample, close, or nothing."""
        await self._refresh()
        if self._open:
            self._latest = troubled(self._open, look)
        self._vigil = watched(self._vigil, look, self._open)
        causes = wrong(self._vigil, look, self._patience)
        incident = self._open
        if incident is None:
            if causes:
                await self._begin(look, causes)
            else:
                self._unsent = []  # of an incident that could not be opened
        elif over(self._vigil, look, self._patience):
            await self._replace(incident, closed(incident, self._vigil, look))
        elif due(incident, look, causes):
            await self._replace(incident, sampled(incident, self._vigil, look, causes))
        elif self._tally.eventful:
            await self.flush()

    async def follow(self) -> None:
        """Let others lead: add what happened here to the incident that is open, if one is."""
        if self._tally.eventful:
            await self._read()
            await self.flush()
        else:
            await self._refresh()

    async def flush(self) -> None:
        """Add what this process saw to the log of the open incident."""
        if self._open:
            await self._add(self._open)

    async def _begin(self, look: Look, causes: Sequence[str]) -> None:
        await self._read()
        if self._open:
            return  # another replica was faster; the next look goes on with its record
        self._parts.recorder.keeping.add(self._name)
        try:
            number, (since_ms, reason) = (self._latest.number if self._latest else 0) + 1, await self._why(causes)
            fresh = opened(self._name, number, look, causes, self._patience, since_ms=since_ms, reason=reason)
            if await self._parts.incidents.save(fresh, 0, self._lines()):
                self._unsent = []
                self._adopt(replace(fresh, version=1), found=False)
            else:
                await self._read()
        finally:
            if not self._open:
                self._parts.recorder.keeping.discard(self._name)

    async def _why(self, causes: Sequence[str]) -> tuple[int, str]:
        """Since when the gate is not closed, and why."""
        if GATE not in causes:
            return 0, ""
        record = await self._parts.gates.load(self._name)
        return (0, "") if record.state is GateState.CLOSED else (record.since_ms, record.reason)

    async def _replace(self, incident: Incident, changed: tuple[Incident, Line]) -> None:
        """Write a sample, unless another replica did; what this process saw is written in any case."""
        record, sample = changed
        if await self._parts.incidents.save(record, incident.version, [*self._lines(), sample]):
            self._unsent = []
            self._adopt(replace(record, version=incident.version + 1))
        else:
            await self._add(incident)
            await self._read()

    async def _add(self, incident: Incident) -> None:
        lines = self._lines()
        if lines:
            await self._parts.incidents.append(self._name, incident.number, lines)
            self._unsent = []

    def _lines(self) -> list[Line]:
        """Everything not written yet. A line keeps its token until it is known to be written."""
        taken = self._tally.take(self._parts.recorder.token, self._parts.clock.now_ms())
        self._unsent = [*self._unsent, *taken][-MOST_LINES:]
        return self._unsent

    async def _refresh(self) -> None:
        """Another replica may have opened or closed one."""
        if self._parts.clock.monotonic() - self._read_at >= self._patience.every_ms / 1000:
            await self._read()

    async def _read(self) -> None:
        found, known = await self._parts.incidents.list(self._name), self._open
        self._read_at = self._parts.clock.monotonic()
        if not found:
            return
        if known and known.number == found[0].number:  # what was seen since the last sample stands in no record yet
            found[0] = replace(found[0], troubled_ms=max(known.troubled_ms, found[0].troubled_ms))
        if (
            known and not found[0].ongoing
        ):  # closed by another replica: what was delivered here until then belongs to it
            await self._add(known)
        self._adopt(found[0])

    def _adopt(self, incident: Incident, *, found: bool = True) -> None:
        """Take over a record, ours or another replica's, and tell what is new about it."""
        before, self._latest = self._open, incident
        keeping = self._parts.recorder.keeping
        if incident.ongoing:
            keeping.add(self._name)
            if before is None or before.number != incident.number:
                self._parts.tell(IncidentOpened(self._name, incident.id, incident.causes, incident.reason, found=found))
            return
        keeping.discard(self._name)
        if before is not None:
            self._vigil = Vigil()
            seconds = (incident.closed_ms - incident.opened_ms) / 1000
            arrived, delivered = counted(incident, "accepted"), counted(incident, "delivered")
            self._parts.tell(
                IncidentClosed(self._name, incident.id, seconds, arrived, delivered, counted(incident, *DEAD))
            )
