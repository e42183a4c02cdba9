"""What is kept of what ended, and how it is owed again: exactly once, by whoever holds the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.core.archive import (
    ARCHIVE,
    FILTERED,
    Archived,
    Moved,
    ReplayAsk,
    ReplayJob,
    ReplayState,
    Requeue,
    Step,
    Target,
    begun,
    taken,
    turned,
)
from relay.core.errors import StoreMisused
from relay.core.event import Burial, Claimed, DeadReason, EntryClass, Lane, Rest, Settlement, Shed, StreamKey, Worth
from tests.contract.conftest import ORDERS, OTHER, VIEWS, Stores, Subject

DAY_MS = 86_400_000
ASK = ReplayAsk(0, 9 * 10**15, "shop", "Ünruly|event", letters=True, rate=250)


@pytest.fixture
async def archiving(stores: Stores) -> Subject:
    return await stores.open(archive=True, retention_ms=DAY_MS)


async def claimed(subject: Subject, stream: StreamKey = VIEWS) -> Claimed:
    for lane in Lane:
        if (found := await subject.owed.claim(stream, lane, 100, 10**9)) is not None:
            return found
    raise AssertionError("nothing to claim")


async def deliver(subject: Subject, stream: StreamKey = VIEWS) -> int:
    lot = await claimed(subject, stream)
    return (await subject.owed.settle(lot.lease, Settlement([one.id for one in lot.entries]))).delivered


async def kept(subject: Subject, klass: EntryClass = EntryClass.ENGAGEMENT) -> list[Archived]:
    return list(await subject.archive.page(klass))


async def running(subject: Subject, owner: str = "r1") -> ReplayJob:
    """A job that has begun and that ``owner`` works on."""
    before = await subject.replays.load()
    job = begun(before, ReplayJob("j", ASK, began_ms=5, cursor="start", expected=3))
    assert job is not None
    assert await subject.replays.save(job, job.version, new=True)
    return await take(subject, owner)


async def take(subject: Subject, owner: str) -> ReplayJob:
    job = await subject.replays.load()
    assert job is not None
    mine = taken(job, owner)
    assert mine is not None
    assert await subject.replays.save(mine, mine.version)
    now = await subject.replays.load()
    assert now is not None
    return now


async def books(subject: Subject, stream: StreamKey = VIEWS) -> dict[str, int]:
    streams = (await subject.owed.survey()).streams
    assert not any(one.unbalanced for one in streams)
    one = next(one for one in streams if one.stream == stream)
    return {**one.books, "owed": one.owed}


def back(events: Sequence[Archived], stream: StreamKey = VIEWS) -> list[Requeue]:
    return [Requeue(event, (Target(stream),)) for event in events]


async def test_what_is_delivered_or_unmatched_is_kept_with_what_is_known_of_it(archiving: Subject) -> None:
    subject = archiving
    new = [
        subject.entry("sold", micros=7_000_000, currency="EUR", source="a|b%", age_ms=5_000),
        subject.entry("unmatched"),
        subject.entry("dead"),
    ]
    await subject.inbox.append(new)
    lot = await claimed(subject)
    sold, unmatched, dead = lot.entries
    settled = await subject.owed.settle(
        lot.lease, Settlement([sold.id], [Burial(dead.id, DeadReason.REFUSED, "no")], [unmatched.id])
    )
    assert (settled.delivered, settled.unmatched, settled.dead, settled.unarchived) == (1, 1, 1, 0)
    one, other = await kept(subject)
    assert one._replace(id="") == Archived(
        "",
        EntryClass.ENGAGEMENT,
        sold.raw,
        sold.received_ms,
        "a|b%",
        Worth(7_000_000, "EUR"),
        "shop",
        lot.lease.first_ms,
        delivered=True,
        entry_id=sold.id,
    )
    assert abs(one.ended_ms - subject.now_ms) < 5_000
    assert (other.raw, other.destination, other.first_ms, other.delivered) == (unmatched.raw, "shop", 0, False)
    assert await kept(subject, EntryClass.CONVERSION) == []
    assert await subject.archive.page(EntryClass.ENGAGEMENT, after=one.id, limit=5) == [other]
    assert await subject.archive.page(EntryClass.ENGAGEMENT, limit=1) == [one]


async def test_a_settlement_that_comes_again_or_too_late_keeps_nothing_twice(archiving: Subject) -> None:
    subject = archiving
    await subject.add("a", "b")
    lot = await claimed(subject)
    first = Settlement([lot.entries[0].id], rest=Rest.KEEP)
    assert (await subject.owed.settle(lot.lease, first)).delivered == 1
    assert (await subject.owed.settle(lot.lease, first)).delivered == 0
    await subject.owed.settle(lot.lease, Settlement(rest=Rest.UNCLAIM))
    assert not (await subject.owed.settle(lot.lease, Settlement([lot.entries[1].id]))).held
    assert len(await kept(subject)) == 1


async def test_what_is_filtered_is_kept_once(archiving: Subject) -> None:
    subject = archiving
    new = subject.entry("nobody's", FILTERED, age_ms=9_000)
    assert await subject.inbox.append([new, subject.entry("wanted")]) == [True, True]
    assert await subject.inbox.append([new]) == [False]
    (one,) = await kept(subject)
    assert (one.raw, one.received_ms, one.destination, one.first_ms) == (new.raw, new.received_ms, "", 0)
    assert await books(subject) == {"accepted": 1, "owed": 1}, "it is nobody's entry"


async def test_without_an_archive_nothing_is_kept(subject: Subject) -> None:
    await subject.add("a")
    assert await deliver(subject) == 1
    assert await kept(subject) == []
    with pytest.raises(StoreMisused):
        await subject.inbox.append([subject.entry("nobody's", FILTERED)])


async def test_an_archive_that_was_switched_off_is_seen_until_it_is_empty(stores: Stores) -> None:
    if stores.socket is None:
        pytest.skip("a memory store cannot be opened again")
    archiving, off = await stores.open(archive=True), await stores.open()
    assert (await off.owed.survey()).archive is None
    await archiving.add("a")
    await deliver(archiving)
    (event,) = await kept(off)
    survey = (await off.owed.survey()).archive
    assert survey is not None
    assert (survey.events[EntryClass.ENGAGEMENT], survey.oldest_ms) == (1, event.ended_ms)


async def test_it_goes_back_once_with_its_doubt_and_worth(archiving: Subject) -> None:
    subject = archiving
    await subject.inbox.append([subject.entry("sold", ORDERS, micros=7_000_000, currency="EUR", age_ms=60_000)])
    lot = await claimed(subject, ORDERS)
    await subject.owed.settle(lot.lease, Settlement([lot.entries[0].id]))
    events = await kept(subject, EntryClass.CONVERSION)
    job = await running(subject)
    moved = await subject.replays.move(job.version, Step("here", {"looked": 4}), back(events, ORDERS))
    assert moved == Moved({ORDERS: 1})
    assert await subject.replays.move(job.version, Step("there"), back(events, ORDERS)) == Moved({ORDERS: 0})
    assert await kept(subject, EntryClass.CONVERSION) == []
    assert await books(subject, ORDERS) == {"accepted": 1, "delivered": 1, "requeued": 1, "owed": 1}
    assert (await subject.owed.survey()).streams[0].value_micros == {"EUR": 7_000_000}
    now = await subject.replays.load()
    assert now is not None
    assert (now.cursor, dict(now.counts), dict(now.value_micros)) == (
        "there",
        {"looked": 4, "moved": 1},
        {"EUR": 7_000_000},
    )
    again = await claimed(subject, ORDERS)
    assert again.lease.lane is Lane.BACKLOG
    entry = again.entries[0]
    assert entry[1:] == (*lot.entries[0][1:6], lot.lease.first_ms, False)
    await subject.owed.settle(again.lease, Settlement([entry.id]))
    (once_more,) = await kept(subject, EntryClass.CONVERSION)
    assert once_more.first_ms == lot.lease.first_ms, "the earliest of all times"


async def test_what_tiktok_took_of_it_before_is_no_reason_to_leave_it_out(archiving: Subject) -> None:
    """A former dead letter names what was accepted; a replay sends everything."""
    subject = archiving
    await subject.add("a")
    lot = await claimed(subject)
    await subject.owed.settle(
        lot.lease,
        Settlement(dead=[Burial(lot.entries[0].id, DeadReason.REFUSED, "", accepted=("A",), first_ms=1_234)]),
    )
    (letter,) = await subject.dead_letters.list("shop")
    assert await subject.dead_letters.requeue("shop", [letter.id]) == 1
    assert await deliver(subject) == 1
    (event,) = await kept(subject)
    assert event.first_ms == 1_234
    job = await running(subject)
    await subject.replays.move(job.version, Step(""), back([event]))
    entry = (await claimed(subject)).entries[0]
    assert (entry.accepted, entry.first_ms) == ((), 1_234)


async def test_what_was_filtered_goes_to_whoever_has_not_got_it(archiving: Subject) -> None:
    subject = archiving
    await subject.inbox.append([subject.entry(name, FILTERED) for name in ("a", "b")])
    a, b = await kept(subject)
    await subject.add("b", stream=OTHER)
    job = await running(subject)
    a = a._replace(worth=Worth(3, "USD"))
    moves = [
        Requeue(a, (Target(VIEWS, "a"), Target(OTHER, "a"))),
        Requeue(b, (Target(VIEWS, "b"), Target(OTHER, "b"))),
    ]
    assert await subject.replays.move(job.version, Step(""), moves) == Moved({VIEWS: 2, OTHER: 1}, 1)
    assert await kept(subject) == []
    assert await subject.inbox.append([subject.entry("a", stream) for stream in (VIEWS, OTHER)]) == [False, False]
    assert await books(subject) == {"requeued": 2, "duplicates": 1, "owed": 2}
    assert await books(subject, OTHER) == {"accepted": 1, "requeued": 1, "duplicates": 2, "owed": 2}
    now = await subject.replays.load()
    assert now is not None
    assert (dict(now.counts), dict(now.value_micros)) == ({"moved": 3, "duplicates": 1}, {"USD": 6})


async def test_what_others_want_too_stays_and_goes_to_each_once(archiving: Subject) -> None:
    subject = archiving
    await subject.inbox.append([subject.entry("a", FILTERED)])
    (a,) = await kept(subject)
    job = await running(subject)
    some = [Requeue(a, (Target(VIEWS, "a"),), keep=True)]
    assert await subject.replays.move(job.version, Step(""), some) == Moved({VIEWS: 1})
    assert await subject.replays.move(job.version, Step(""), some) == Moved({VIEWS: 0}), "it has another id now"
    (again,) = await kept(subject)
    assert again.id != a.id
    assert abs(again.first_ms - subject.now_ms) < 5_000, "TikTok may have it from now on"
    assert again._replace(id="", first_ms=0) == a._replace(id="")
    some = [some[0]._replace(event=again)]
    assert await subject.replays.move(job.version, Step(""), some) == Moved({VIEWS: 0}, 1)
    (a,) = await kept(subject)
    assert a.first_ms == again.first_ms
    assert await subject.replays.move(job.version, Step(""), [Requeue(a, (Target(OTHER, "a"),))]) == Moved({OTHER: 1})
    assert await kept(subject) == []
    with pytest.raises(StoreMisused):
        await subject.replays.move(job.version, Step(""), [Requeue(a, (Target(VIEWS),), keep=True)])


async def test_only_who_holds_the_running_job_moves_anything(archiving: Subject) -> None:
    subject = archiving
    await subject.add("a")
    await deliver(subject)
    moves = back(await kept(subject))
    assert await subject.replays.load() is None
    assert await subject.replays.move(0, Step(""), moves) is None
    mine = await running(subject, "r1")
    assert mine.held
    assert taken(mine, "r2") is None, "another one works on it"
    paused = turned(mine, ReplayState.PAUSED)
    assert paused is not None
    assert await subject.replays.save(paused, mine.version)
    assert not await subject.replays.save(paused, mine.version), "somebody else was faster"
    assert await subject.replays.move(mine.version, Step(""), moves) is None
    assert await subject.replays.move(mine.version + 1, Step(""), moves) is None, "paused is paused"
    now = await subject.replays.load()
    assert now is not None
    resumed = turned(now, ReplayState.RUNNING)
    assert resumed is not None
    assert await subject.replays.save(resumed, now.version)
    theirs = await take(subject, "r2")
    assert await subject.replays.move(mine.version, Step(""), moves) is None
    assert await subject.replays.move(theirs.version, Step(""), moves) == Moved({VIEWS: 1})
    cancelled = turned(theirs, ReplayState.CANCELLED, 77)
    assert cancelled is not None
    assert await subject.replays.save(cancelled, theirs.version)
    assert await subject.replays.move(theirs.version + 1, Step(""), moves) is None
    assert await books(subject) == {"accepted": 1, "delivered": 1, "requeued": 1, "owed": 1}


async def test_the_record_is_what_was_saved_and_a_new_job_forgets_the_one_before(archiving: Subject) -> None:
    subject = archiving
    job = await running(subject)
    assert job == ReplayJob(
        "j", ASK, began_ms=5, expected=3, owner="r1", held=True, cursor="start", version=job.version
    )
    await subject.replays.move(job.version, Step("on", {"looked": 5, "overlap": 2}, "for better weather"))
    await subject.replays.move(job.version, Step("further", {"looked": 5, "overlap": -2}))
    now = await subject.replays.load()
    assert now is not None
    assert {name: count for name, count in now.counts.items() if count} == {"looked": 10}
    assert (now.cursor, now.waiting) == ("further", "")
    assert begun(now, ReplayJob("k", ASK)) is None, "one at a time"
    done = turned(now, ReplayState.DONE, 99)
    assert done is not None
    assert await subject.replays.save(replace(done, cursor="ignored"), now.version)
    now = await subject.replays.load()
    assert now is not None
    assert (now.state, now.ended_ms, now.owner, now.held, now.cursor) == (ReplayState.DONE, 99, "", False, "further")
    fresh = begun(now, ReplayJob("k", replace(ASK, letters=False)))
    assert fresh is not None
    assert await subject.replays.save(fresh, fresh.version, new=True)
    assert await subject.replays.load() == ReplayJob("k", replace(ASK, letters=False), version=now.version + 1)


async def test_what_ended_too_long_ago_leaves_and_the_rest_stays(stores: Stores) -> None:
    subject = await stores.open(archive=True, retention_ms=60)
    await subject.inbox.append([subject.entry(f"e{number}", raw=b'{"x":"%d"}' % number) for number in range(300)])
    while (await books(subject))["owed"]:
        await deliver(subject)
    assert await subject.archive.trim() == 0
    await subject.passes(150)
    await subject.inbox.append([subject.entry("late", FILTERED)])
    assert 190 <= await subject.archive.trim() <= 300, "but for what shares a node with younger ones"
    assert (await kept(subject))[-1].destination == ""
    assert await subject.archive.trim() == 0


async def test_the_archive_gives_way_before_anything_owed(archiving: Subject) -> None:
    subject = archiving
    await subject.add("gone", stream=ORDERS)
    await deliver(subject, ORDERS)
    await subject.passes(5)
    await subject.add("owed", "gone, too")
    lot = await claimed(subject)
    await subject.owed.settle(lot.lease, Settlement([lot.entries[1].id], rest=Rest.UNCLAIM))
    assert [await subject.overflow.shed() for _ in range(3)] == [
        Shed(StreamKey(ARCHIVE, EntryClass.CONVERSION), 1),
        Shed(StreamKey(ARCHIVE, EntryClass.ENGAGEMENT), 1),
        Shed(VIEWS, 1),
    ]
    assert await subject.overflow.shed() is None
