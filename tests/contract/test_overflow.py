"""What is given up when the store is full: which entries, in which order, and what the books say of it."""

from __future__ import annotations

import asyncio

from relay.core.delivery.mode import Mode
from relay.core.event import EntryClass, Lane, Rest, Settlement, Shed, StreamKey
from tests.contract.conftest import ORDERS, VIEWS, Stores, Subject
from tests.contract.test_modes import MINUTE, all_claimed, deliver, look, turn

APP = StreamKey("app", EntryClass.ENGAGEMENT)


async def shed_all(subject: Subject) -> list[Shed]:
    pieces = []
    while (piece := await subject.overflow.shed()) is not None:
        pieces.append(piece)
    return pieces


async def owed(subject: Subject) -> dict[StreamKey, int]:
    streams = (await subject.owed.survey()).streams
    assert not any(one.unbalanced for one in streams)
    return {one.stream: one.owed for one in streams}


async def test_the_oldest_goes_first_whosever_it_is_and_never_a_conversion(stores: Stores) -> None:
    subject = await stores.open(streams=(ORDERS, VIEWS, APP))
    await subject.add("order", stream=ORDERS, age_ms=90 * MINUTE)
    for minutes in (50, 40, 10):
        await subject.add(f"v{minutes}", age_ms=minutes * MINUTE)
    await subject.add("a45", "a44", stream=APP, age_ms=45 * MINUTE)
    await subject.add("a30", stream=APP, age_ms=30 * MINUTE)
    assert await subject.overflow.shed() == Shed(VIEWS, 1)
    assert await owed(subject) == {ORDERS: 1, VIEWS: 2, APP: 3}
    assert await shed_all(subject) == [Shed(APP, 2), Shed(VIEWS, 1), Shed(APP, 1), Shed(VIEWS, 1)]
    assert await owed(subject) == {ORDERS: 1, VIEWS: 0, APP: 0}
    assert (await look(subject)).books == {"accepted": 3, "shed": 3}


async def test_what_is_shed_takes_its_value_along(subject: Subject) -> None:
    new = [subject.entry(name, micros=7_000_000, currency="EUR") for name in "ab"]
    await subject.inbox.append([*new, subject.entry("order", ORDERS, micros=5, currency="EUR")])
    assert await shed_all(subject) == [Shed(VIEWS, 2)]
    survey = await subject.owed.survey()
    assert [dict(one.value_micros) for one in survey.streams[:2]] == [{"EUR": 5}, {}]


async def test_what_is_leased_is_kept_and_so_is_what_tiktok_may_have(stores: Stores) -> None:
    subject = await stores.open(lease_ms=80)
    await subject.add(*"abcdef")
    first = await subject.owed.claim(VIEWS, Lane.LIVE, 2, 10**9)
    second = await subject.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert first is not None
    assert second is not None
    await subject.owed.settle(second.lease, Settlement(rest=Rest.RELEASE))
    assert await shed_all(subject) == [Shed(VIEWS, 3)]
    settled = await subject.owed.settle(first.lease, Settlement([one.id for one in first.entries]))
    assert settled.delivered == 2
    await subject.passes(100)
    assert await shed_all(subject) == [], "due, but not proven to be unknown to TikTok"
    assert await deliver(subject) == 1
    assert (await look(subject)).books == {"accepted": 6, "delivered": 3, "shed": 3}


async def test_what_nobody_has_tried_yet_is_given_up_after_an_unclaim(subject: Subject) -> None:
    await subject.add(*"abc")
    assert await all_claimed(subject) == ["a", "b", "c"]
    assert await shed_all(subject) == [Shed(VIEWS, 3)]
    assert await deliver(subject) == 0


async def test_lanes_are_counted_right_while_both_shrink(subject: Subject) -> None:
    await subject.add(*"abc", age_ms=50 * MINUTE)
    assert set(await all_claimed(subject)) == {"a", "b", "c"}
    await subject.add("live")
    assert (await look(subject)).backlog == 3
    await subject.add("order", stream=ORDERS)
    held = await subject.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert held is not None
    assert await shed_all(subject) == [Shed(VIEWS, 3)]
    survey = await look(subject)
    assert (survey.owed, survey.backlog, survey.leased) == (1, 0, 1)


async def test_what_stands_by_and_what_was_taken_over_are_given_up_alike(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    now = subject.now_ms
    await subject.add("s1", "s2", age_ms=50 * MINUTE)
    await subject.add("t1", "t2", "t3", age_ms=20 * MINUTE)
    assert await turn(subject, Mode.FAILOVER, now - 30 * MINUTE)
    taken = await subject.owed.claim(VIEWS, Lane.BACKLOG, 1, 10**9)
    assert taken is not None
    assert (await look(subject)).standing == 2
    assert await shed_all(subject) == [Shed(VIEWS, 4)]
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.sendable, survey.backlog) == (1, 0, 1, 1)
    assert await turn(subject, Mode.FAILBACK)
    await subject.owed.settle(taken.lease, Settlement([one.id for one in taken.entries]))
    assert (await look(subject)).owed == 0


async def test_a_failback_comes_to_its_end_when_what_was_left_of_it_is_shed(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    assert await turn(subject, Mode.FAILOVER, subject.now_ms)
    await subject.add(*"abc")
    assert await turn(subject, Mode.FAILBACK)
    await subject.passes(80)
    assert await turn(subject, Mode.FAILBACK, closed=True)
    await subject.add("later")
    assert (await look(subject)).sendable == 3
    assert await shed_all(subject) == [Shed(VIEWS, 4)]
    assert (await look(subject)).sendable == 0
    assert await turn(subject, Mode.STANDBY)


async def test_several_shed_at_once_and_each_entry_ends_once(stores: Stores) -> None:
    subject = await stores.open()
    others = [await stores.open() for _ in range(2)] if stores.socket else [subject]
    for start in range(0, 1_500, 500):
        await subject.add(*(f"e{start + at}" for at in range(500)))
    pieces = await asyncio.gather(*(shed_all(one) for one in (subject, *others)))
    assert sum(piece.count for some in pieces for piece in some) == 1_500
    survey = await look(subject)
    assert (survey.owed, survey.books["shed"]) == (0, 1_500)
