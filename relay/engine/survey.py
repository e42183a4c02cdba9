"""The regular look: everything owed, how long it will take, how late the event loop is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from relay.core.delivery.gate import PAUSED
from relay.core.delivery.mode import ModeRecord
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import StoreSurvey
from relay.core.forecast import Trend, drain_eta, full_eta, waiting
from relay.core.notices import LoopLagged, StoreSurveyed
from relay.engine.limits import Limits
from relay.ports import Clock, Owed, Tell

SLICES = 5  # naps per round: a stop is heard within a fifth of a second, and lag is measured five times


class Survey:
    """Looks about once a second, tells ``StoreSurveyed`` and ``LoopLagged``, and keeps the latest look.

    ``gates``, ``paces`` and ``modes`` give the state of each destination's gate, its concurrency limit and its mode;
    ``disk_free`` the free bytes under the embedded store, or None where that is somebody else's disk; ``limits`` knows
    what will be too old.
    """

    def __init__(
        self,
        owed: Owed,
        clock: Clock,
        tell: Tell,
        *,
        gates: Callable[[], Mapping[str, str]],
        paces: Callable[[], Mapping[str, int]],
        disk_free: Callable[[], int | None] = lambda: None,
        limits: Limits | None = None,
        modes: Callable[[], Mapping[str, ModeRecord]] = dict,
        every_s: float = 1.0,
    ) -> None:
        self._owed, self._clock, self._tell = owed, clock, tell
        self._gates, self._paces, self._disk_free = gates, paces, disk_free
        self._limits = limits
        self._modes = modes
        self._every_s = every_s
        self._used = Trend()
        self._trends: dict[str, Trend] = {}
        self.latest: StoreSurveyed | None = None
        self.trouble: StoreUnavailable | None = None  # why the last look failed

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until stopped; the first look is at once."""
        while not stopping.is_set():
            await self.look()
            self._tell(LoopLagged(await self._nap(stopping)))

    async def look(self) -> None:
        """One look. A store that does not answer leaves the latest look as it was: others tell that it is lost."""
        try:
            survey = await self._owed.survey()
        except StoreUnavailable as trouble:
            self.trouble = trouble
            return
        except StoreMisused as refusal:
            self.trouble = StoreUnavailable(StoreTrouble.AWAY, f"it cannot be surveyed: {refusal}")
            return
        self.trouble = None
        if survey.disk_free_bytes is None:
            survey = replace(survey, disk_free_bytes=self._disk_free())
        self.latest = await self._with_breaches(self._forecast(survey))
        self._tell(self.latest)

    async def _nap(self, stopping: asyncio.Event) -> float:
        """Sleep until the next look; how late the loop came back from the worst of the naps."""
        nap, worst = self._every_s / SLICES, 0.0
        for _ in range(SLICES):
            before = self._clock.monotonic()
            await self._clock.sleep(nap)
            worst = max(worst, self._clock.monotonic() - before - nap)
            if stopping.is_set():
                break
        return worst

    async def _with_breaches(self, seen: StoreSurveyed) -> StoreSurveyed:
        if self._limits is None:
            return seen
        rates = {name: self._rate(name, seen.gates) for name in self._trends}
        return replace(seen, breaches=await self._limits.look(seen, rates, self._clock.monotonic()))

    def _forecast(self, survey: StoreSurvey) -> StoreSurveyed:
        now, gates = self._clock.monotonic(), self._gates()
        owed, waits = Counter[str](), Counter[str]()
        for stream in survey.streams:
            name = stream.stream.destination
            owed[name] += stream.sendable  # what stands by is nobody's task
            waits[name] += waiting(stream, gates.get(name))
        # The archive gives way to everything else, so the store is not full of it.
        used = survey.used_bytes - (survey.archive.used_bytes if survey.archive else 0)
        self._used = self._used.with_sample(now, used)
        etas = {}
        for destination, count in owed.items():
            self._trends[destination] = self._trends.get(destination, Trend()).with_sample(now, count)
            etas[destination] = drain_eta(count, waits[destination], self._rate(destination, gates))
        full = full_eta(used, survey.max_bytes, self._used.rate)
        return StoreSurveyed(survey, gates, self._paces(), etas, full, modes=self._modes())

    def _rate(self, destination: str, gates: Mapping[str, str]) -> float | None:
        """Change per second of what is owed. While paused none is certain: what still goes was under way before."""
        return 0.0 if gates.get(destination) == PAUSED else self._trends[destination].rate
