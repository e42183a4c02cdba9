from __future__ import annotations

import math
from collections.abc import Sequence

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, NewEntry, StreamKey
from relay.core.forecast import Breach
from relay.core.notices import StoreSurveyed
from relay.core.trace import AgeSample
from relay.engine.limits import EVERY_S, Limits
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore
from tests.twins.tracks import MemoryTracks

HOUR_MS = 3_600_000
ORDERS, VIEWS = (StreamKey("shop", klass) for klass in EntryClass)


class Counting(MemoryTracks):
    looks = 0
    away = False

    async def ages(self, stream: StreamKey) -> Sequence[AgeSample]:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
        self.looks += 1
        return await super().ages(stream)


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore([ORDERS, VIEWS], self.clock)
        self.tracks = Counting(self.store.state)
        self.limits = Limits(self.tracks, {"shop": 44 * 3600.0})

    async def owe(self, stream: StreamKey, *ages_h: float) -> None:
        for number, age_h in enumerate(ages_h):
            received = self.clock.now_ms() - int(age_h * HOUR_MS)
            await self.store.inbox.append([NewEntry(stream, f"{stream.klass}{number}", b"{}", received, "web")])
        self.store.state.stream(stream).move_mark(self.clock.now_ms(), 30_000)

    async def look(self, rate: float | None, eta: float = math.inf, now: float = 0.0) -> Breach:
        seen = StoreSurveyed(await self.store.owed.survey(), {}, {}, {"shop": eta})
        return (await self.limits.look(seen, {"shop": rate}, now))["shop"]


async def test_a_young_backlog_and_one_that_will_be_gone_are_not_even_looked_into() -> None:
    scene = Scene()
    assert await scene.look(None) == Breach()
    await scene.owe(ORDERS, 40, 39)
    assert await scene.look(-1.0, eta=2.0) == Breach()
    assert scene.tracks.looks == 0


async def test_engagement_waits_for_conversions() -> None:
    scene = Scene()
    await scene.owe(ORDERS, 43, 42)
    await scene.owe(VIEWS, 43, 42.9)
    per_hour = -1 / 3600  # one entry an hour: conversions in time, engagement two and three hours too late
    assert await scene.look(per_hour, eta=4 * 3600) == Breach(2, 3600.0)
    assert await scene.look(0.0) == Breach(4, 3600.0)
    assert await scene.look(None) == Breach()


async def test_ages_are_sampled_now_and_then_only() -> None:
    scene = Scene()
    await scene.owe(ORDERS, 43, 42)
    for now in (0.0, 1.0, EVERY_S - 0.1):
        assert (await scene.look(0.0, now=now)).entries == 2
    assert scene.tracks.looks == 2, "once for each class"
    scene.tracks.away = True
    assert (await scene.look(0.0, now=EVERY_S)).entries == 2, "what was known"
    scene.limits = Limits(scene.tracks, {"shop": 1.0})
    assert await scene.look(0.0) == Breach(), "nothing is known"
