from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import Claimed, EntryClass, Lane, Lease, NewEntry, Settled, Settlement, StoreSurvey, StreamKey
from relay.core.forecast import Breach
from relay.core.notices import LoopLagged, Notice, StoreSurveyed
from relay.engine.limits import Limits
from relay.engine.survey import SLICES, Survey
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

STREAM = StreamKey("tiktok", EntryClass.CONVERSION)


class Weather:
    """The store, with a say in whether it answers."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.stormy = False
        self.used: int | None = None
        self.limit = 0

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        return await self._store.owed.claim(stream, lane, limit, max_bytes, probe=probe)

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        return await self._store.owed.settle(lease, settlement)

    async def survey(self) -> StoreSurvey:
        if self.stormy:
            raise StoreUnavailable(StoreTrouble.LOADING, "40 %")
        found = await self._store.owed.survey()
        used = found.used_bytes if self.used is None else self.used
        return replace(found, used_bytes=used, max_bytes=self.limit)


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore([STREAM], self.clock)
        self.weather = Weather(self.store)
        self.told: list[Notice] = []
        self.survey = Survey(
            self.weather,
            self.clock,
            self.told.append,
            gates=lambda: {"tiktok": "closed"},
            paces=lambda: {"tiktok": 4},
            disk_free=lambda: 5000,
            limits=Limits(self.store.tracks, {"tiktok": 1000.0}),
        )
        self.stopping = asyncio.Event()

    async def owe(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            new = NewEntry(STREAM, f"m{number}", b"{}", self.clock.now_ms(), "segment")
            await self.store.inbox.append([new])

    async def deliver(self, count: int) -> None:
        for lane in (Lane.BACKLOG, Lane.LIVE):
            claimed = await self.store.owed.claim(STREAM, lane, count, 10**9)
            if claimed:
                ids = [entry.id for entry in claimed.entries]
                await self.store.owed.settle(claimed.lease, Settlement(delivered=ids))
                count -= len(ids)

    def looks(self) -> list[StoreSurveyed]:
        return [notice for notice in self.told if isinstance(notice, StoreSurveyed)]

    def lags(self) -> list[float]:
        return [notice.seconds for notice in self.told if isinstance(notice, LoopLagged)]


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    scene = Scene()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(scene.survey.run(scene.stopping))
        await scene.clock.advance(0)
        yield scene
        scene.stopping.set()
        await scene.clock.advance(1)
        assert task.done()


async def test_the_first_look_is_at_once_and_then_one_a_second() -> None:
    async with running() as scene:
        assert len(scene.looks()) == 1
        await scene.clock.advance(10)
        assert len(scene.looks()) in {10, 11}
        assert scene.survey.latest is scene.looks()[-1]
        assert scene.looks()[-1].survey.disk_free_bytes == 5000
        assert (scene.looks()[-1].gates, scene.looks()[-1].paces) == ({"tiktok": "closed"}, {"tiktok": 4})


async def test_a_stop_is_heard_within_a_fraction_of_a_second() -> None:
    async with running() as scene:
        await scene.clock.advance(3.05)
        looks = len(scene.looks())
        scene.stopping.set()
        await scene.clock.advance(1 / SLICES)
        assert len(scene.looks()) == looks


async def test_a_store_that_does_not_answer_leaves_the_last_look() -> None:
    async with running() as scene:
        before = scene.survey.latest
        scene.weather.stormy = True
        await scene.clock.advance(5.1)
        assert scene.survey.latest is before
        assert scene.survey.trouble is not None
        assert scene.survey.trouble.trouble is StoreTrouble.LOADING
        assert len(scene.lags()) == 5, "the loop is watched all the same"
        scene.weather.stormy = False
        await scene.clock.advance(1)
        assert scene.survey.latest is not before
        assert scene.survey.trouble is None


async def test_a_late_loop_is_noticed() -> None:
    scene = Scene()
    with slow_sleeps(scene.clock, extra=0.7):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scene.survey.run(scene.stopping))
            await scene.clock.advance(6)
            scene.stopping.set()
            await scene.clock.advance(2)
    assert scene.lags()
    assert all(math.isclose(lag, 0.7, abs_tol=0.01) for lag in scene.lags())


@contextmanager
def slow_sleeps(clock: FakeClock, extra: float) -> Iterator[None]:
    usual = clock.sleep

    async def late(seconds: float) -> None:
        await usual(seconds + extra)

    clock.sleep = late  # type: ignore[method-assign]
    yield


async def test_the_drain_is_forecast_from_the_net_rate() -> None:
    async with running() as scene:
        await scene.owe(100)
        await scene.clock.advance(1)
        assert scene.looks()[-1].drain_eta == {"tiktok": 0.0}, "live entries are no backlog"
        await scene.clock.advance(60)
        await scene.deliver(2)
        await scene.clock.advance(1)
        assert scene.looks()[-1].survey.streams[0].backlog == 98, "the mark has moved"
        for _ in range(60):
            await scene.deliver(1)
            await scene.clock.advance(1)
        eta = scene.looks()[-1].drain_eta["tiktok"]
        owed = scene.looks()[-1].survey.streams[0].owed
        assert owed == 38
        assert 30 < eta < 45


async def test_a_backlog_that_does_not_shrink_has_no_end() -> None:
    async with running() as scene:
        await scene.owe(10)
        await scene.clock.advance(40)
        claimed = await scene.store.owed.claim(STREAM, Lane.BACKLOG, 1, 10**9)
        assert claimed is not None
        await scene.clock.advance(20)
        assert scene.looks()[-1].drain_eta == {"tiktok": math.inf}


async def test_a_growing_journal_has_a_last_hour() -> None:
    async with running() as scene:
        scene.weather.limit, scene.weather.used = 10_000, 1000
        await scene.clock.advance(62)
        assert scene.looks()[-1].full_eta == math.inf, "it stands still"
        for used in range(1100, 7100, 100):
            scene.weather.used = used
            await scene.clock.advance(1)
        assert 28 < scene.looks()[-1].full_eta < 34
        scene.weather.used = 20_000
        await scene.clock.advance(1)
        assert scene.looks()[-1].full_eta == 0.0


async def test_what_will_be_too_old_is_forecast_with_the_drain() -> None:
    async with running() as scene:
        await scene.owe(100)
        await scene.clock.advance(60)
        await scene.deliver(1)
        await scene.clock.advance(10)
        assert scene.looks()[-1].breaches["tiktok"].entries > 0, "at this pace it takes longer than the limit"
        assert 800 < scene.looks()[-1].breaches["tiktok"].first_s < 1000
        for _ in range(60):
            await scene.deliver(1)
            await scene.clock.advance(1)
        assert scene.looks()[-1].breaches == {"tiktok": Breach()}, "38 more seconds"
