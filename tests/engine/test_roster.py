"""Several replicas on one store: one budget of calls, and nobody asks at the same moment as all others."""

from __future__ import annotations

import asyncio
from typing import Any

from relay.core.delivery.batch import Limits
from relay.core.event import Claimed, Lane, StreamKey
from relay.core.tiktok.reply import Call, Reply
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts
from tests.twins.clock import Dice
from tests.twins.rig import Rig
from tests.twins.tiktok import ScriptedTikTok
from tests.twins.weather import Weather, WeatheredOwed, WeatheredRoster

BUDGET = 20.0


class Timed(ScriptedTikTok):
    """Remembers when each call came."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig = rig
        self.times: list[float] = []

    async def send(self, call: Call) -> Reply:
        self.times.append(self.rig.clock.monotonic())
        return await super().send(call)

    def between(self, since: float, until: float) -> int:
        return sum(since <= time < until for time in self.times)


async def test_two_replicas_together_stay_within_the_budget_and_the_one_that_is_left_has_all_of_it() -> None:
    rig = Rig()
    one, two = Timed(rig), Timed(rig)
    await rig.owe(10_000)
    pace: dict[str, Any] = {"limits": Limits(items=10), "calls_per_s": BUDGET}
    async with rig.running(rig.destination(sender=one, **pace)):
        await rig.clock.advance(5)
        assert one.between(1, 5) >= 0.9 * 4 * BUDGET
        async with rig.running(rig.destination(sender=two, **pace), replica="r2"):
            await rig.clock.advance(12)
            assert one.between(7, 17) + two.between(7, 17) <= 10 * BUDGET + 2
            assert min(one.between(7, 17), two.between(7, 17)) >= 0.9 * 10 * BUDGET / 2
        left = rig.clock.monotonic()
        await rig.clock.advance(5)
        assert one.between(left, left + 5) >= 0.9 * 5 * BUDGET
        assert two.between(left, left + 5) == 0
    assert set(one.stored.values()) | set(two.stored.values()) == {1}


async def test_a_replica_that_was_killed_gives_its_share_back_when_it_is_missed() -> None:
    rig = Rig()
    one = Timed(rig)
    await rig.owe(10_000)
    await rig.store.roster.announce("killed")
    pace: dict[str, Any] = {"limits": Limits(items=10), "calls_per_s": BUDGET}
    async with rig.running(rig.destination(sender=one, **pace)):
        await rig.clock.advance(25)
    assert one.between(2, 10) <= 8 * BUDGET / 2 + 2
    assert one.between(13, 23) >= 0.9 * 10 * BUDGET


class FirstAsked(WeatheredOwed):
    """Remembers when it was asked for the first time."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.store.owed, Weather())
        self.rig, self.at = rig, -1.0

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        self.at = self.rig.clock.monotonic() if self.at < 0 else self.at
        return await super().claim(stream, lane, limit, max_bytes, probe=probe)


async def test_ten_replicas_started_together_do_not_ask_together() -> None:
    rig = Rig()
    asked = [FirstAsked(rig) for _ in range(10)]
    async with asyncio.TaskGroup() as tasks:
        stopping = asyncio.Event()
        for number, owed in enumerate(asked):
            store = rig.store
            parts = DeliveryParts(
                owed, store.gates, rig.clock, Dice(number), rig.told.append, store.modes, store.roster
            )
            delivery = Delivery([rig.destination()], parts, DeliveryOptions(f"r{number}"))
            tasks.create_task(delivery.run(stopping))
        await rig.clock.advance(2)
        moments = sorted(owed.at for owed in asked)
        stopping.set()
        await rig.clock.advance(16)
    assert moments[0] == 0, "who is alone does not wait"
    assert moments[-1] <= 1.1
    assert len(set(moments)) == 10
    assert moments[-1] - moments[0] >= 0.5


async def test_a_roster_that_cannot_be_asked_leaves_the_share_as_it_was() -> None:
    rig = Rig()
    sender, weather = Timed(rig), Weather()
    await rig.owe(2_000)
    async with asyncio.TaskGroup() as tasks:
        store, stopping = rig.store, asyncio.Event()
        roster = WeatheredRoster(store.roster, weather)
        parts = DeliveryParts(store.owed, store.gates, rig.clock, Dice(), rig.told.append, store.modes, roster)
        sides = [rig.destination(sender=sender, limits=Limits(items=10), calls_per_s=BUDGET)]
        tasks.create_task(Delivery(sides, parts, DeliveryOptions("r")).run(stopping))
        await store.roster.announce("other")
        await rig.clock.advance(3)
        weather.away()
        await rig.clock.advance(20)
        stopping.set()
        await rig.clock.advance(16)
    assert sender.between(5, 20) <= 15 * BUDGET / 2 + 2
    assert sender.between(5, 20) > 0
