"""Endings when the store is away, comes back, or has given the lease to somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from relay.core.delivery.account import Endings
from relay.core.event import Burial, DeadReason, Lane, Lease, Rest, Settled, Settlement, StreamKey, Worth
from relay.core.notices import EntriesBuried, EntriesDelivered, LeaseLost
from relay.core.tiktok.reply import Call, Reply
from relay.engine.delivery import Delivery
from relay.engine.settle import Settling
from relay.ports import Owed
from tests.twins.rig import CONVERSION, Rig
from tests.twins.tiktok import BAD_GATEWAY, OK, REFUSED, TIMEOUT
from tests.twins.weather import Weather, WeatheredGates, WeatheredOwed


@asynccontextmanager
async def stormy(rig: Rig, weather: Weather, replica: str = "r1") -> AsyncIterator[Delivery]:
    owed, gates = WeatheredOwed(rig.store.owed, weather), WeatheredGates(rig.store.gates, weather)
    async with rig.running(owed=owed, gates=gates, replica=replica) as delivery:
        yield delivery


async def test_who_cannot_reach_the_store_sends_nothing() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(10)
    weather.away()
    async with stormy(rig, weather):
        await rig.clock.advance(60)
        assert rig.tiktok.calls == []
        weather.clear()
        await rig.clock.advance(1)
        assert (await rig.books())["delivered"] == 10


async def test_who_cannot_read_the_gate_sends_nothing() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(10)
    weather.strikes = lambda name: "before" if name in {"load", "paused"} else ""
    async with stormy(rig, weather):
        await rig.clock.advance(60)
    assert rig.tiktok.calls == []


async def test_what_tiktok_accepted_is_settled_when_the_store_is_back() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(10)
    weather.strikes = lambda name: "before" if name == "settle" else ""
    async with stormy(rig, weather):
        await rig.clock.advance(25)
        assert len(rig.tiktok.calls) == 1
        assert (await rig.books())["owed"] == 10
        weather.clear()
        await rig.clock.advance(2.1)
        assert (await rig.books())["delivered"] == 10
    assert len(rig.tiktok.calls) == 1
    assert rig.heard(LeaseLost) == []


async def test_even_past_its_due_time_a_lease_nobody_took_can_be_settled() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(10)
    async with stormy(rig, weather):
        weather.strikes = lambda name: "before" if name == "settle" else ""
        await rig.clock.advance(0.5)
        weather.away()
        await rig.clock.advance(120)
        weather.strikes = lambda name: "before" if name == "claim" else ""
        await rig.clock.advance(3)
        assert (await rig.books())["delivered"] == 10
    assert len(rig.tiktok.calls) == 1


async def test_a_lost_answer_counts_nothing_twice() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(10)
    weather.strikes = lambda name: "after" if name == "settle" else ""
    async with stormy(rig, weather):
        await rig.clock.advance(1)
        weather.clear()
        await rig.clock.advance(3)
        assert await rig.books() == {"accepted": 10, "delivered": 10, "owed": 0}
    assert set(rig.tiktok.stored.values()) == {1}


@pytest.mark.parametrize(("delivered", "sold"), [(2, {("Purchase", "EUR"): (2, 9)}), (1, {}), (0, {})])
async def test_what_was_sold_is_told_only_with_all_of_its_entries(
    delivered: int, sold: dict[tuple[str, str], tuple[int, int]]
) -> None:
    """A repeated settlement that removes less has been told about before, or cannot say what."""
    rig = Rig()
    await rig.owe(3, worth=Worth(4_500_000, "EUR"))
    claimed = await rig.store.owed.claim(StreamKey("d", CONVERSION), Lane.LIVE, 3, 10**6)
    assert claimed is not None

    class Partial:
        async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
            return Settled(held=True, delivered=delivered, dead=1)

    ids = [entry.id for entry in claimed.entries]
    endings = Endings(ids[:2], [Burial(ids[2], DeadReason.EXPIRED, "")], sold={("Purchase", "EUR"): [2, 9]})
    settling = Settling(cast("Owed", Partial()), rig.clock, rig.told.append)
    assert await settling.settle(claimed, endings, Rest.KEEP, 0)
    assert [(len(one.delays), one.sold) for one in rig.heard(EntriesDelivered)] == (
        [(delivered, sold)] if delivered else []
    )
    assert [one.worth for one in rig.heard(EntriesBuried)] == [{"EUR": 4_500_000}]


async def test_a_lease_taken_over_is_settled_by_its_new_holder_only() -> None:
    rig, cut_off, fair = Rig(), Weather(), Weather()
    await rig.owe(10)
    async with stormy(rig, cut_off), stormy(rig, fair, "r2"):
        fair.away()
        cut_off.strikes = lambda name: "before" if name == "settle" else ""
        await rig.clock.advance(1)
        assert len(rig.tiktok.calls) == 1
        cut_off.away()
        fair.clear()
        await rig.clock.advance(31)  # the lease falls due
        assert (await rig.books())["delivered"] == 10
        cut_off.clear()
        await rig.clock.advance(3)
        assert await rig.books() == {"accepted": 10, "delivered": 10, "owed": 0}
    assert len(rig.heard(LeaseLost)) == 1
    assert sum(len(notice.delays) for notice in rig.heard(EntriesDelivered)) == 10
    assert set(rig.tiktok.stored.values()) == {2}  # removed by TikTok within its 48 hours


async def test_a_stop_while_the_store_is_away_ends_in_time_and_loses_nothing() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(2000)
    async with stormy(rig, weather):
        weather.strikes = lambda name: "before" if name == "settle" else ""
        await rig.clock.advance(2)
    assert (await rig.books())["owed"] == 2000
    async with rig.running(replica="r2"):
        await rig.clock.advance(35)
        assert (await rig.books())["delivered"] == 2000


async def test_a_gate_that_cannot_be_written_is_tried_again() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(100)
    rig.tiktok.script = lambda _: REFUSED
    weather.strikes = lambda name: "before" if name == "save" else ""
    async with stormy(rig, weather) as delivery:
        await rig.clock.advance(1)
        assert delivery.gates() == {"d": "closed"}
        weather.clear()
        await rig.clock.advance(1)
        assert delivery.gates() == {"d": "open"}


async def test_a_lost_answer_to_taking_the_probe_blocks_nobody_for_long() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(100)
    rig.tiktok.script = lambda _: BAD_GATEWAY
    async with stormy(rig, weather):
        await rig.clock.advance(10)
        weather.strikes = lambda name: "after" if name == "save" else ""
        await rig.clock.advance(10)
        weather.clear()
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(130)
        assert (await rig.books())["delivered"] == 100


async def test_calls_called_off_by_a_stop_are_in_doubt() -> None:
    rig = Rig()
    await rig.owe(1)

    class Slow:
        async def send(self, call: Call) -> Reply:
            await rig.clock.sleep(3600)
            return OK

    async with rig.running(rig.destination(sender=Slow())):
        await rig.clock.advance(1)
    claimed = await rig.store.owed.claim(StreamKey("d", CONVERSION), Lane.LIVE, 1, 10**6)
    assert claimed is not None
    assert claimed.lease.first_ms < claimed.now_ms - 9_000


async def test_a_stop_with_a_call_in_flight_and_the_store_away_ends_in_time() -> None:
    rig, weather = Rig(), Weather()
    await rig.owe(5, names=[])
    await rig.owe(1)

    class CutOff:
        async def send(self, call: Call) -> Reply:
            weather.away()
            await rig.clock.sleep(3600)
            return OK

    owed, gates = WeatheredOwed(rig.store.owed, weather), WeatheredGates(rig.store.gates, weather)
    async with rig.running(rig.destination(sender=CutOff()), owed=owed, gates=gates):
        await rig.clock.advance(1)
    assert (await rig.books())["owed"] == 6


async def test_what_was_judged_before_the_machine_slept_is_judged_again() -> None:
    rig, weather = Rig(), Weather()
    rig.tiktok.script = lambda _: TIMEOUT
    await rig.owe()
    owed, gates = WeatheredOwed(rig.store.owed, weather), WeatheredGates(rig.store.gates, weather)
    async with rig.running(rig.destination(calls_per_s=0.2), owed=owed, gates=gates):
        await rig.clock.advance(1)  # sent once; claimed again, it waits for its turn
        assert ((await rig.survey()).leased, len(rig.tiktok.calls)) == (1, 1)
        weather.strikes = lambda name: "before" if name == "claim" else ""  # nobody takes the fallen lease over
        rig.clock.jump(50 * 3600)
        await rig.clock.advance(60)
        weather.clear()
        await rig.clock.advance(60)
        assert await rig.books() == {"accepted": 1, "dead:ambiguous": 1, "owed": 0}
    assert len(rig.tiktok.calls) == 1
