from __future__ import annotations

import pytest

from relay.core.event import Attempt, Burial, Claimed, DeadReason, EntryClass, Lane, Rest, Settlement
from tests.contract.conftest import ORDERS, OTHER, VIEWS, Stores, Subject
from tests.contract.test_dead_letters import bury, take

HOUR_MS = 3_600_000


def call(claimed: Claimed, at_ms: int, **changes: object) -> Attempt:
    lease = claimed.lease
    made = Attempt(
        lease.stream.klass, lease.first_id, lease.last_id, True, 3, at_ms, "retry", "50002", "R", "L", lease.number
    )
    return made._replace(**changes)  # type: ignore[arg-type]


async def test_a_search_goes_page_by_page_and_knows_the_position(subject: Subject) -> None:
    await subject.add(*(f"m{number}" for number in range(7)))
    found, after, searched = [], "", 0
    for expected in (3, 3, 1, 0):
        page = await subject.tracks.search(VIEWS, b'"m4"', after=after, limit=3)
        assert page.searched == expected
        found += [(searched + at, entry) for at, entry in page.found]
        after, searched = page.last_id, searched + page.searched
    ((position, entry),) = found
    assert (position, entry.raw, entry.source) == (4, b'{"messageId":"m4"}', "web")
    assert (await subject.tracks.search(OTHER, b"")).searched == 0


async def test_a_search_sees_what_is_special_about_an_entry(subject: Subject) -> None:
    (id_,) = await bury(subject, "a", reason=DeadReason.OVERLAP, first_ms=1_234)
    await subject.dead_letters.requeue("shop", [id_], released=True)
    ((_, entry),) = (await subject.tracks.search(VIEWS, b"a")).found
    claimed = await take(subject)
    assert (entry,) == claimed.entries
    assert (entry.first_ms, entry.released, entry.accepted) == (1_234, True, ("Accepted before",))


async def test_an_accepted_id_is_remembered_under_its_class_and_destination(subject: Subject) -> None:
    before = subject.now_ms
    await subject.add("a", "weird / \x00 \u202e id")
    await subject.add("o", stream=ORDERS)
    for name in ("a", "weird / \x00 \u202e id"):
        ((klass, (start, end)),) = (await subject.tracks.accepted("shop", name)).items()
        assert klass is EntryClass.ENGAGEMENT
        assert start <= before <= end + 1000
        assert end - start <= 24 * HOUR_MS
    assert list(await subject.tracks.accepted("shop", "o")) == [EntryClass.CONVERSION]
    assert await subject.tracks.accepted("app", "a") == {}
    assert await subject.tracks.accepted("shop", "b") == {}
    claimed = await take(subject)
    await subject.owed.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
    assert await subject.tracks.accepted("shop", "a"), "endings do not forget"


async def test_standing_follows_mark_and_lease(stores: Stores) -> None:
    subject = await stores.open(live_age_ms=100)
    await subject.add("a", "b", age_ms=5_000)
    id_ = (await subject.tracks.search(VIEWS, b'"a"')).found[0][1].id
    assert await standing(subject, id_) == (Lane.LIVE, False, 0)
    claimed = await subject.owed.claim(VIEWS, Lane.BACKLOG, 10, 10**9)
    assert claimed is not None
    assert await standing(subject, id_) == (Lane.BACKLOG, True, claimed.lease.first_ms)
    await subject.owed.settle(claimed.lease, Settlement(rest=Rest.RELEASE))
    assert await standing(subject, id_) == (Lane.BACKLOG, False, claimed.lease.first_ms)
    claimed = await subject.owed.claim(VIEWS, Lane.BACKLOG, 10, 10**9)
    assert claimed is not None
    await subject.owed.settle(claimed.lease, Settlement(rest=Rest.UNCLAIM))
    assert await standing(subject, id_) == (Lane.BACKLOG, False, 0)


async def standing(subject: Subject, id_: str) -> tuple[Lane, bool, int]:
    found = await subject.tracks.standing(VIEWS, id_)
    return found.lane, found.leased, found.claimed_ms


async def test_calls_are_logged_with_their_settlement_whatever_became_of_it(subject: Subject) -> None:
    await subject.add("a", "b")
    claimed = await take(subject)
    wild = call(claimed, 3, request_id="r|=%7C\n\ud800", log_id="=", label="other", whole=False)
    await subject.owed.settle(claimed.lease, Settlement(attempts=[call(claimed, 1), call(claimed, 2, log_id="R")]))
    await subject.owed.settle(claimed.lease, Settlement(rest=Rest.UNCLAIM, attempts=[wild]))
    lost = await subject.owed.settle(claimed.lease, Settlement(attempts=[call(claimed, 4)]))
    assert not lost.held
    first, page = await subject.tracks.calls("shop", limit=3)
    last, rest = await subject.tracks.calls("shop", after=first)
    assert [*page, *rest] == [call(claimed, 1), call(claimed, 2, log_id="R"), wild, call(claimed, 4)]
    assert await subject.tracks.calls("shop", after=last) == ("", [])
    assert await subject.tracks.calls("app") == ("", [])
    assert (await subject.owed.survey()).streams[1].owed == 2


async def test_a_letter_knows_what_it_was_owed_as(subject: Subject) -> None:
    await subject.add("a")
    claimed = await take(subject)
    dead = [Burial(claimed.lease.first_id, DeadReason.REFUSED, "")]
    await subject.owed.settle(claimed.lease, Settlement(dead=dead))
    (letter,) = await subject.dead_letters.list("shop")
    assert letter.entry_id == claimed.lease.first_id


@pytest.mark.parametrize("count", [0, 1, 40])
async def test_ages_of_a_short_stream_are_complete(subject: Subject, count: int) -> None:
    for number in range(count):
        await subject.add(f"m{number}", age_ms=(count - number) * HOUR_MS)
    ages = [one for one in await subject.tracks.ages(VIEWS) if one.entries]
    assert sum(one.entries for one in ages) == count
    assert [one.received_ms for one in ages] == sorted(one.received_ms for one in ages)
    if count:
        assert abs(subject.now_ms - ages[0].received_ms - count * HOUR_MS) < 60_000
