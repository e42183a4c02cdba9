"""A destination that was paused while nothing was behind its mark: what it is owed is forecast all the same."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay.adapters.observe.metrics import Labels, Metrics
from relay.core.delivery.mode import Mode
from relay.core.event import EntryClass
from relay.core.forecast import Breach
from relay.core.notices import StoreSurveyed
from relay.engine.delivery import Delivery
from relay.engine.limits import Limits
from relay.engine.survey import Survey
from tests.adapters.observe.test_metrics import Scrape
from tests.twins.rig import Rig

HOUR_S = 3600
LIMIT_S = 44 * HOUR_S


class Scene:
    """Delivery and its survey on one rig."""

    def __init__(self, rig: Rig, delivery: Delivery) -> None:
        self.rig, self.delivery = rig, delivery
        self.metrics = Metrics(Labels(destinations=("d",)), rig.clock)
        self.survey = Survey(
            rig.store.owed,
            rig.clock,
            self.metrics,
            gates=delivery.gates,
            paces=delivery.paces,
            limits=Limits(rig.store.tracks, {"d": float(LIMIT_S)}),
            modes=delivery.modes,
        )

    async def later(self, hours: float) -> None:
        """Nobody does anything for so long."""
        self.rig.clock.jump(hours * HOUR_S)
        await self.rig.clock.advance(30)

    def latest(self) -> StoreSurveyed:
        assert self.survey.latest is not None
        return self.survey.latest

    def gauge(self, name: str, **labels: str) -> float:
        return Scrape(self.metrics)(name, destination="d", **labels)


@asynccontextmanager
async def scene(*, start: bool = False, mode: Mode = Mode.ACTIVE) -> AsyncIterator[Scene]:
    """``start``: paused from the start, as with ``mode = "paused"``; else when all that came had been sent."""
    rig, stopping = Rig(), asyncio.Event()
    async with rig.running(rig.destination(mode=mode)) as delivery:
        played = Scene(rig, delivery)
        if start:
            await delivery.declare(["d"])
        else:
            await rig.owe(20)
            await rig.clock.advance(5)
            assert (await rig.books())["owed"] == 0
            await delivery.pause("d")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(played.survey.run(stopping))
            await rig.clock.advance(2)
            yield played
            stopping.set()
            await rig.clock.advance(2)


async def test_paused_and_forgotten_is_forecast_from_the_beginning() -> None:
    async with scene() as played:
        assert played.latest().drain_eta == {"d": 0.0}, "nothing is owed"
        await played.rig.owe(30)
        await played.later(20)
        await played.rig.owe(12, klass=EntryClass.ENGAGEMENT)
        await played.rig.clock.advance(30)
        assert played.gauge("relay_drain_eta_seconds") == math.inf
        assert played.gauge("relay_limit_breach_entries") == 42, "as long as it is paused, all of them"
        assert 23 * HOUR_S < played.gauge("relay_limit_breach_seconds") < 24 * HOUR_S
        assert played.gauge("relay_backlog_oldest_age_seconds", **{"class": "conversion"}) > 20 * HOUR_S


async def test_paused_from_the_start_is_no_different() -> None:
    async with scene(start=True) as played:
        await played.rig.owe(30)
        await played.later(1)
        assert played.gauge("relay_drain_eta_seconds") == math.inf
        assert played.gauge("relay_limit_breach_entries") == 30


async def test_what_goes_just_before_a_pause_is_no_pace() -> None:
    async with scene() as played:
        await played.rig.owe(3_000)
        await played.rig.clock.advance(65)  # a rate looks back a minute
        await played.delivery.resume("d")
        await played.rig.clock.advance(8)
        await played.delivery.pause("d")
        await played.rig.owe(10)
        await played.rig.clock.advance(8)
        assert (await played.rig.books())["delivered"] == 3_020
        assert played.latest().drain_eta == {"d": math.inf}


async def test_a_resume_moves_no_mark_of_its_own_and_ends_the_forecast() -> None:
    """What is fresh when the pause ends is live and goes first, as if there had been none."""
    async with scene() as played:
        await played.rig.owe(30)
        await played.rig.clock.advance(10)
        assert (await played.rig.survey()).backlog == 0, "the store knows of no backlog"
        assert played.latest().drain_eta == {"d": math.inf}
        await played.delivery.resume("d")
        await played.rig.clock.advance(5)
        assert (await played.rig.books()) == {"accepted": 50, "delivered": 50, "owed": 0}
        assert played.latest().drain_eta == {"d": 0.0}
        assert played.latest().breaches == {"d": Breach()}
        lanes = ("live", "backlog")
        assert [played.gauge("relay_backlog_events", lane=lane, **{"class": "conversion"}) for lane in lanes] == [0, 0]


async def test_what_stands_by_is_nobodys_task_even_while_paused() -> None:
    async with scene(start=True, mode=Mode.STANDBY) as played:
        await played.rig.owe(30)
        await played.later(1)
        assert (await played.rig.survey()).standing == 30
        assert played.gauge("relay_drain_eta_seconds") == 0
        assert played.gauge("relay_limit_breach_entries") == 0
