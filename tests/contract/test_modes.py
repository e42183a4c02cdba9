"""Who sends, who stands by, what lapses: what the store itself sees to."""

from __future__ import annotations

from dataclasses import replace

from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import Burial, DeadReason, Lane, Rest, Settlement, StreamSurvey
from tests.contract.conftest import GRACE_MS, ORDERS, RETENTION_MS, VIEWS, Stores, Subject

MINUTE = 60_000


async def turn(subject: Subject, mode: Mode, since_ms: int = 0, *, closed: bool = False) -> bool:
    stored = await subject.modes.load("shop") or ModeRecord()
    return await subject.modes.save("shop", ModeRecord(mode, 0, since_ms, closed=closed), stored.version)


async def claimed(subject: Subject, limit: int = 100) -> dict[Lane, list[str]]:
    """Names of what is handed out, in both lanes; the leases are given back."""
    found: dict[Lane, list[str]] = {}
    for lane in Lane:
        got = await subject.owed.claim(VIEWS, lane, limit, 10**9)
        if got is not None:
            found[lane] = [entry.raw.decode().split('"')[3] for entry in got.entries]
            await subject.owed.settle(got.lease, Settlement(rest=Rest.UNCLAIM))
    return found


async def all_claimed(subject: Subject) -> list[str]:
    return [name for names in (await claimed(subject)).values() for name in names]


async def look(subject: Subject) -> StreamSurvey:
    survey = next(one for one in (await subject.owed.survey()).streams if one.stream == VIEWS)
    assert survey.unbalanced == 0
    return survey


async def deliver(subject: Subject) -> int:
    """Everything that may be claimed."""
    count = 0
    for lane in Lane:
        while (got := await subject.owed.claim(VIEWS, lane, 100, 10**9)) is not None:
            settled = await subject.owed.settle(got.lease, Settlement([entry.id for entry in got.entries]))
            count += settled.delivered
    return count


async def test_a_record_is_stored_under_the_version_it_was_read_with(subject: Subject) -> None:
    assert await subject.modes.load("shop") is None
    assert await subject.modes.save("shop", ModeRecord(Mode.STANDBY), 0)
    assert not await subject.modes.save("shop", ModeRecord(Mode.FAILOVER, since_ms=5), 0)
    assert await subject.modes.load("shop") == ModeRecord(Mode.STANDBY, 1)
    assert await subject.modes.save("shop", ModeRecord(Mode.FAILOVER, since_ms=5), 1)
    assert await subject.modes.load("shop") == ModeRecord(Mode.FAILOVER, 2, 5)
    assert await subject.modes.load("app") is None
    assert (await subject.gates.load("shop")).version == 0


async def test_nobody_claims_from_who_stands_by(subject: Subject) -> None:
    await subject.add("before", age_ms=MINUTE)
    assert await turn(subject, Mode.STANDBY)
    await subject.add("after")
    assert await claimed(subject) == {}
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.sendable, survey.backlog) == (2, 2, 0, 0)
    assert survey.oldest_received_ms is None
    assert survey.standing_oldest_ms is not None
    assert await turn(subject, Mode.ACTIVE)
    assert await claimed(subject) == {Lane.BACKLOG: ["before"], Lane.LIVE: ["after"]}
    assert (await look(subject)).standing == 0


async def test_a_failover_takes_over_from_a_moment_on(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    now = subject.now_ms
    for minutes in (50, 41, 40, 39, 5):
        await subject.add(f"m{minutes}", age_ms=subject.now_ms - now + minutes * MINUTE)
    assert await turn(subject, Mode.FAILOVER, now - 40 * MINUTE)
    assert await claimed(subject) == {Lane.BACKLOG: ["m40", "m39", "m5"]}, "the very moment included"
    await subject.add("fresh")
    assert await claimed(subject) == {Lane.BACKLOG: ["m40", "m39", "m5"], Lane.LIVE: ["fresh"]}
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.backlog) == (6, 2, 3)
    assert survey.oldest_received_ms is not None
    assert survey.oldest_received_ms == now - 40 * MINUTE
    assert await deliver(subject) == 4
    assert await claimed(subject) == {}
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.backlog) == (2, 2, 0)


async def test_what_is_received_in_disorder_is_never_left_out(subject: Subject) -> None:
    """Two receivers, one with a clock behind: the first that belongs to it decides, what follows goes along."""
    await turn(subject, Mode.STANDBY)
    now = subject.now_ms
    for name, age_ms in (("a", 9_000), ("b", 5_000), ("c", 9_000), ("d", 5_001), ("e", 4_000)):
        await subject.add(name, age_ms=subject.now_ms - now + age_ms)
    assert await turn(subject, Mode.FAILOVER, now - 5_000)
    assert await all_claimed(subject) == ["b", "c", "d", "e"]
    assert (await look(subject)).standing == 1


async def test_a_receiver_whose_clock_is_ahead_is_reached(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    await subject.add("ahead", age_ms=-50_000)
    assert await turn(subject, Mode.FAILOVER, subject.now_ms + 40_000)
    await subject.add("later")
    assert await claimed(subject) == {Lane.LIVE: ["ahead", "later"]}


async def test_a_failover_of_nothing_begins_with_the_next_event(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    await subject.add("old", age_ms=MINUTE)
    await subject.passes(2)
    assert await turn(subject, Mode.FAILOVER, subject.now_ms)
    assert await claimed(subject) == {}
    await subject.add("new")
    assert await claimed(subject) == {Lane.LIVE: ["new"]}


async def test_a_failover_may_reach_further_back_and_counts_on(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    now = subject.now_ms
    for minutes in (30, 20, 10):
        await subject.add(f"m{minutes}", age_ms=subject.now_ms - now + minutes * MINUTE)
    await turn(subject, Mode.FAILOVER, now - 10 * MINUTE)
    got = await subject.owed.claim(VIEWS, Lane.BACKLOG, 1, 10**9)
    assert got is not None
    assert await turn(subject, Mode.FAILOVER, now - 20 * MINUTE)
    assert (await look(subject)).standing == 1
    assert await claimed(subject) == {Lane.BACKLOG: ["m20"]}, "the other one is leased"
    assert (await subject.owed.settle(got.lease, Settlement([got.lease.first_id]))).delivered == 1
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.backlog) == (2, 1, 1)


async def test_a_failback_finishes_and_no_more(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    await subject.add("before", age_ms=MINUTE)
    await turn(subject, Mode.FAILOVER, subject.now_ms - 1_000)
    await subject.add("taken")
    assert await turn(subject, Mode.FAILBACK, 7)
    record = await subject.modes.load("shop")
    assert record is not None
    assert abs(record.until_ms - subject.now_ms) < 5_000
    await subject.add("on its way")
    assert not await turn(subject, Mode.FAILBACK, 7, closed=True), "what was received before may not be here yet"
    assert not await turn(subject, Mode.STANDBY), "not closed"
    await subject.passes(GRACE_MS + 5)
    assert await turn(subject, Mode.FAILBACK, 7, closed=True)
    assert await subject.modes.load("shop") == replace(record, version=record.version + 1, closed=True)
    await subject.add("after")
    assert not await turn(subject, Mode.STANDBY), "not finished"
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.sendable) == (4, 2, 2)
    got = await subject.owed.claim(VIEWS, Lane.LIVE, 100, 10**9)
    assert got is not None
    assert not await turn(subject, Mode.STANDBY), "what is leased is not finished"
    assert (await subject.owed.settle(got.lease, Settlement([one.id for one in got.entries]))).delivered == 2
    assert (await look(subject)).sendable == 0
    assert await turn(subject, Mode.STANDBY)
    assert await claimed(subject) == {}
    assert (await look(subject)).standing == 2


async def test_a_failover_during_a_failback_forgets_nothing(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    await subject.add("before", age_ms=MINUTE)
    await turn(subject, Mode.FAILOVER, subject.now_ms - 1_000)
    await subject.add("taken")
    await turn(subject, Mode.FAILBACK)
    await subject.passes(GRACE_MS + 5)
    assert await turn(subject, Mode.FAILBACK, closed=True)
    await subject.add("after")
    assert await turn(subject, Mode.FAILOVER, subject.now_ms - 1_000)
    assert await claimed(subject) == {Lane.LIVE: ["taken", "after"]}
    assert (await look(subject)).standing == 1


async def test_who_was_active_finishes_all_of_it(subject: Subject) -> None:
    await turn(subject, Mode.ACTIVE)
    await subject.add("owed", age_ms=MINUTE)
    assert await turn(subject, Mode.FAILBACK)
    await subject.passes(GRACE_MS + 5)
    assert await turn(subject, Mode.FAILBACK, closed=True)
    await subject.add("after")
    assert not await turn(subject, Mode.STANDBY)
    assert await deliver(subject) == 1
    assert await turn(subject, Mode.STANDBY)
    assert (await look(subject)).standing == 1


async def test_what_nobody_asked_for_lapses(subject: Subject) -> None:
    await subject.inbox.append([subject.entry("worth", micros=5_000_000, currency="EUR")])
    await subject.add("old", "older", age_ms=10 * RETENTION_MS)
    assert (await subject.modes.lapse(VIEWS)).count == 0, "an active one waits for ever"
    await turn(subject, Mode.STANDBY)
    assert (await subject.modes.lapse(VIEWS)).count == 0, "owed a moment ago, whenever it was received"
    await subject.passes(RETENTION_MS + 5)
    await subject.add("young")
    assert (await subject.modes.lapse(VIEWS)).count == 3
    survey = await look(subject)
    assert (survey.owed, survey.standing, survey.books["lapsed"]) == (1, 1, 3)
    assert survey.value_micros == {}
    assert (await subject.modes.lapse(VIEWS)).count == 0


async def test_what_was_taken_over_never_lapses(subject: Subject) -> None:
    await turn(subject, Mode.STANDBY)
    now = subject.now_ms
    await subject.add("left", age_ms=MINUTE)
    await subject.add("taken", age_ms=MINUTE // 2)
    await turn(subject, Mode.FAILOVER, now - MINUTE // 2 - 5_000)
    await subject.passes(RETENTION_MS + 5)
    assert (await subject.modes.lapse(VIEWS)).count == 1
    survey = await look(subject)
    assert (survey.owed, survey.standing) == (1, 0)
    await turn(subject, Mode.FAILBACK)
    await subject.passes(GRACE_MS + 5)
    await turn(subject, Mode.FAILBACK, closed=True)
    await subject.add("after")
    await subject.passes(RETENTION_MS + 5)
    assert (await subject.modes.lapse(VIEWS)).count == 1, "what came after the failback stands by, and lapses"
    assert await all_claimed(subject) == ["taken"]
    survey = await look(subject)
    assert (survey.owed, survey.standing) == (1, 0)


async def test_a_lease_keeps_from_lapsing(subject: Subject) -> None:
    await subject.add("a", "b", "c")
    got = await subject.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert got is not None
    await turn(subject, Mode.STANDBY)
    await subject.passes(RETENTION_MS + 5)
    assert (await subject.modes.lapse(VIEWS)).count == 2
    assert (await subject.owed.settle(got.lease, Settlement([got.lease.first_id]))).delivered == 1
    assert (await look(subject)).owed == 0


async def test_a_requeued_letter_stands_by_as_long_as_a_new_entry(subject: Subject) -> None:
    await subject.add("a")
    got = await subject.owed.claim(VIEWS, Lane.LIVE, 1, 10**9)
    assert got is not None
    await subject.owed.settle(got.lease, Settlement(dead=[Burial(got.lease.first_id, DeadReason.REFUSED, "")]))
    await turn(subject, Mode.STANDBY)
    await subject.passes(RETENTION_MS + 5)
    [letter] = await subject.dead_letters.list("shop")
    assert await subject.dead_letters.requeue("shop", [letter.id]) == 1
    assert (await subject.modes.lapse(VIEWS)).count == 0
    await subject.passes(RETENTION_MS + 5)
    assert (await subject.modes.lapse(VIEWS)).count == 1
    assert (await look(subject)).books["lapsed"] == 1


async def test_the_classes_of_a_destination_turn_together(stores: Stores) -> None:
    subject = await stores.open(retention_ms=10_000)
    await turn(subject, Mode.STANDBY)
    await subject.add("view")
    await subject.add("order", stream=ORDERS)
    assert await subject.owed.claim(ORDERS, Lane.LIVE, 5, 10**9) is None
    assert await turn(subject, Mode.FAILOVER, subject.now_ms - 1_000)
    assert await subject.owed.claim(ORDERS, Lane.LIVE, 5, 10**9) is not None
    assert await claimed(subject) == {Lane.LIVE: ["view"]}
