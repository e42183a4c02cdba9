"""A destination that stands by: who turns it, what is sent, what lapses, what is told."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import ModeBusy, StoreTrouble, StoreUnavailable
from relay.core.event import Lapsed, StreamKey
from relay.core.notices import EntriesLapsed, FailbackFinished, FailbackStarted, FailoverStarted, StoreWarned
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts, Destination
from relay.engine.standby import PIECES, Standby
from tests.twins.clock import Dice
from tests.twins.rig import CONVERSION, Rig
from tests.twins.tiktok import PlainMapping

MINUTE = 60_000
HOUR_S = 3600.0


def standby(rig: Rig) -> Destination:
    return rig.destination(mode=Mode.STANDBY, also_sent_by="segment")


async def declared(rig: Rig, mode: Mode) -> Delivery:
    """A process that starts and does not deliver yet."""
    store = rig.store
    parts = DeliveryParts(store.owed, store.gates, rig.clock, Dice(), rig.told.append, store.modes, store.roster)
    delivery = Delivery([Destination("d", PlainMapping(), rig.tiktok, mode=mode)], parts, DeliveryOptions("r"))
    await delivery.declare()
    return delivery


async def test_who_stands_by_sends_nothing_until_a_failover_and_then_all_from_there_on() -> None:
    rig = Rig()
    async with rig.running(standby(rig)) as delivery:
        old = await rig.owe(2, received_ms=rig.clock.now_ms() - 50 * MINUTE)
        taken = await rig.owe(3, received_ms=rig.clock.now_ms() - 30 * MINUTE)
        await rig.clock.advance(120)
        assert rig.tiktok.calls == []
        since_ms = rig.clock.now_ms() - 45 * MINUTE
        turn = await delivery.fail_over("d", since_ms)
        assert turn.changed
        await rig.clock.advance(1)
        fresh = await rig.owe(1)
        await rig.clock.advance(1)
        assert sorted(id_ for call in rig.tiktok.calls for id_ in call) == sorted(taken + fresh)
        assert (await rig.survey()).standing == len(old)
        assert not (await delivery.fail_over("d", since_ms)).changed
        assert rig.heard(FailoverStarted) == [FailoverStarted("d", since_ms)]


async def test_a_failback_finishes_stands_by_and_can_be_done_again() -> None:
    rig = Rig()
    async with rig.running(standby(rig)) as delivery:
        for turn in (1, 2):
            since_ms = rig.clock.now_ms()
            await delivery.fail_over("d", since_ms)
            await rig.owe(5)
            await delivery.fail_back("d")
            await delivery.fail_back("d")
            await rig.clock.advance(20)
            assert delivery.modes()["d"].mode is Mode.STANDBY
            await rig.owe(5)
            await rig.clock.advance(20)
            assert sum(len(call) for call in rig.tiktok.calls) == 5 * turn
            assert len(rig.heard(FailbackStarted)) == len(rig.heard(FailbackFinished)) == turn
            assert rig.heard(FailbackFinished)[-1].since_ms == since_ms
        assert (await rig.books())["owed"] == 10


async def test_another_replica_takes_it_up_within_a_second_or_two() -> None:
    rig = Rig()
    async with rig.running(standby(rig), replica="r2"):
        await rig.owe(1)
        await rig.clock.advance(5)
        other = await declared(rig, Mode.STANDBY)
        await other.fail_over("d", rig.clock.now_ms() - MINUTE)
        await rig.clock.advance(2)
        assert len(rig.tiktok.calls) == 1
        await other.fail_back("d")
        await rig.clock.advance(15)
        assert len(rig.heard(FailbackFinished)) == 1, "told by the one who did it"


async def test_a_process_that_only_takes_in_shows_the_mode_as_it_is() -> None:
    rig = Rig()
    other, stopping = await declared(rig, Mode.STANDBY), asyncio.Event()
    intake = Delivery([standby(rig)], other._parts, DeliveryOptions("intake"))
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(intake.follow(stopping))
        await rig.clock.advance(1)
        await other.fail_over("d", 5)
        await rig.clock.advance(2)
        assert intake.modes()["d"].mode is Mode.FAILOVER
        stopping.set()
        await rig.clock.advance(1)
        assert following.done()
    assert rig.tiktok.calls == []


async def test_what_nobody_asked_for_lapses_after_the_retention_and_is_told() -> None:
    rig = Rig()
    async with rig.running(standby(rig)):
        await rig.clock.advance(2)
        await rig.owe(700)
        rig.clock.jump(24 * HOUR_S - 60)
        await rig.owe(1)
        await rig.clock.advance(30)
        assert rig.heard(EntriesLapsed) == []
        await rig.clock.advance(60)
        assert sum(notice.count for notice in rig.heard(EntriesLapsed)) == 700
        assert (await rig.books())["lapsed"] == 700
        assert rig.tiktok.calls == []


async def test_the_overlap_clock_holds_for_what_is_taken_over() -> None:
    rig = Rig()
    async with rig.running(standby(rig)) as delivery:
        await rig.owe(1, received_ms=rig.clock.now_ms() - 45 * 60 * MINUTE)
        await rig.owe(1, received_ms=rig.clock.now_ms() - 43 * 60 * MINUTE)
        await delivery.fail_over("d", 0)
        await rig.clock.advance(2)
        assert {name: count for name, count in (await rig.books()).items() if count and name != "accepted"} == {
            "dead:overlap": 1,
            "delivered": 1,
        }


async def test_a_restart_keeps_what_an_operator_did_and_a_changed_configuration_is_told() -> None:
    rig = Rig()
    await (await declared(rig, Mode.STANDBY)).fail_over("d", 5)
    await rig.owe(3)
    assert (await declared(rig, Mode.STANDBY)).modes()["d"] == ModeRecord(Mode.FAILOVER, 2, 5)
    assert rig.heard(StoreWarned) == []
    assert (await declared(rig, Mode.ACTIVE)).modes()["d"].mode is Mode.ACTIVE
    [warning] = rig.heard(StoreWarned)
    assert "all 3 entries owed will be sent" in warning.text
    assert (await declared(rig, Mode.STANDBY)).modes()["d"].mode is Mode.FAILBACK
    assert "3 entries owed from before are still sent" in rig.heard(StoreWarned)[-1].text


async def test_a_store_that_lost_its_data_does_not_make_it_active() -> None:
    rig = Rig()
    async with rig.running(standby(rig)):
        await rig.clock.advance(5)
        rig.store.state.modes.clear()
        for one in rig.store.state.streams.values():
            one.window.first = (0, 0)
        await rig.owe(5)
        await rig.clock.advance(60)
        assert rig.tiktok.calls == []
        assert (await rig.survey()).standing == 5


class Rival:
    """A store in which somebody else is always faster, or that is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    async def load(self, destination: str) -> ModeRecord | None:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
        return ModeRecord(Mode.STANDBY, 1)

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        return False

    async def lapse(self, stream: StreamKey) -> Lapsed:
        assert stream.klass in {CONVERSION, *type(CONVERSION)}
        return Lapsed(1, more=True)


async def test_a_change_that_never_comes_through_is_said() -> None:
    rig = Rig()
    with pytest.raises(ModeBusy):
        await Standby("d", Mode.STANDBY, Rival(), rig.clock, rig.told.append).fail_over(5)
    with pytest.raises(StoreUnavailable):
        await Standby("d", Mode.STANDBY, Rival(away=True), rig.clock, rig.told.append).fail_over(5)
    assert rig.told == []


async def test_lapsing_goes_in_bounded_pieces() -> None:
    rig = Rig()
    one = Standby("d", Mode.STANDBY, Rival(), rig.clock, rig.told.append)
    await asyncio.wait_for(one.tend(), 1)
    first = len(rig.heard(EntriesLapsed))
    assert first == 2 * PIECES, "in each class so many, then others get their turn"
    await one.tend()
    assert len(rig.heard(EntriesLapsed)) == first, "not every second"
