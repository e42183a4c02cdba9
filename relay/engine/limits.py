"""What will pass its limit before it is sent: how old the owed entries are, against how fast they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import EntryClass, StreamSurvey
from relay.core.forecast import Breach, Cohort, cohorts, limit_breach, waiting
from relay.core.notices import StoreSurveyed
from relay.ports import Tracks

EVERY_S = 15.0
"""How long the ages of a stream stand: half a thousand entries are looked at for them."""


class Limits:
    """Forecasts breaches. ``kept_s``: how long after receipt an entry may be sent by itself, by destination."""

    def __init__(self, tracks: Tracks, kept_s: Mapping[str, float]) -> None:
        self._tracks, self._kept_s = tracks, kept_s
        self._known: dict[str, tuple[float, list[Cohort]]] = {}  # destination → when looked at, its queue

    async def look(self, seen: StoreSurveyed, rates: Mapping[str, float | None], now: float) -> dict[str, Breach]:
        """Breaches by destination. A store that goes away in mid-look: what was known, or nothing."""
        return {name: await self._breach(name, seen, rates.get(name), now) for name in self._kept_s}

    async def _breach(self, name: str, seen: StoreSurveyed, rate: float | None, now: float) -> Breach:
        """Mostly the two ends of the queue settle it: what is oldest goes first, and even the end is soon served."""
        streams = [one for one in seen.survey.streams if one.stream.destination == name]
        oldest_ms = min((at for one in streams if (at := one.oldest_received_ms) is not None), default=None)
        limit_s = self._kept_s[name]
        if oldest_ms is None or not any(waiting(one, seen.gates.get(name)) for one in streams):
            return Breach()
        if (seen.survey.now_ms - oldest_ms) / 1000 + seen.drain_eta.get(name, 0.0) <= limit_s:
            return Breach()
        return limit_breach(await self._queue(name, streams, seen.survey.now_ms, now), limit_s, rate)

    async def _queue(self, name: str, streams: Sequence[StreamSurvey], now_ms: int, now: float) -> list[Cohort]:
        """Conversions, then engagement, as they are served; looked at anew when what is known is old."""
        known = self._known.get(name)
        if known is not None and now - known[0] < EVERY_S:
            return known[1]
        queue: list[Cohort] = []
        for one in sorted(streams, key=lambda one: one.stream.klass is not EntryClass.CONVERSION):
            try:
                queue += cohorts(await self._tracks.ages(one.stream), one.owed, now_ms)
            except (StoreUnavailable, StoreMisused):
                return known[1] if known else []
        self._known[name] = (now, queue)
        return queue
