from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.redis.suppressions import RedisSuppressions
from relay.adapters.system import SystemClock
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import Lane, Settlement
from relay.core.marks import MARK_BYTES, Marks
from relay.ports import Suppressions
from tests.contract.conftest import VIEWS, Subject

OPTIONS = StoreOptions()


async def everything(port: Suppressions) -> Marks:
    """The list as it stands, read page by page."""
    marks, place, more = Marks(), "", True
    while more:
        place, changes, more = await port.since(place)
        marks.change(changes)
    return marks


async def test_who_is_written_is_on_the_list_until_taken_off(subject: Subject) -> None:
    port = subject.suppressions
    assert len(await everything(port)) == 0
    names = [f"user:{number}" for number in range(1200)]
    assert await port.write(names, on=True) == (1200, 1200)
    await port.write(["user:7", "user:8"], on=False)
    await port.write(["user:8"], on=True)
    marks = await everything(port)
    assert len(marks) == 1199
    assert port.mark("user:8") in marks
    assert port.mark("user:7") not in marks
    assert port.mark("email:8") not in marks
    assert len(port.mark("user:8")) == MARK_BYTES


async def test_only_what_is_new_is_read(subject: Subject) -> None:
    port = subject.suppressions
    await port.write(["user:1"], on=True)
    first = await port.since("")
    assert [on for _, on in first.marks] == [True]
    assert (await port.since(first.last_id)).marks == []
    await port.write(["user:2"], on=True)
    second = await port.since(first.last_id)
    assert [mark for mark, _ in second.marks] == [port.mark("user:2")]


async def test_no_name_is_kept_and_another_store_marks_otherwise(redis_store: RedisStore) -> None:
    await redis_store.suppressions.write(["email:jo@example.com"], on=True)
    kept = repr(await redis_store.client.run("XRANGE", keys.suppressed(), "-", "+"))
    assert "jo@" not in kept
    other = RedisSuppressions(redis_store.client, redis_store._confirmed, OPTIONS, lambda: b"another key")
    assert other.mark("user:1") != redis_store.suppressions.mark("user:1")


def with_limits(store: RedisStore, **limits: int) -> RedisSuppressions:
    return RedisSuppressions(store.client, store._confirmed, replace(OPTIONS, **limits), store._key)  # type: ignore[arg-type]


async def test_what_is_too_old_is_let_go_of_and_leaves_room(redis_store: RedisStore) -> None:
    short = with_limits(redis_store, suppressed_age_ms=5, suppressed_most=2)
    await short.write(["user:old", "user:older"], on=True)
    await short.write(["user:older"], on=False)
    await asyncio.sleep(0.01)
    assert await short.write(["user:new", "user:newer"], on=True) == (2, 2)
    assert len(await everything(short)) == 2
    for key, length in ((keys.suppressed_index(), 2), (keys.lifted_index(), 0)):
        assert await redis_store.client.run("HLEN", key) == length


async def test_a_full_list_takes_nobody_else_in_and_forgets_nobody(redis_store: RedisStore) -> None:
    few = with_limits(redis_store, suppressed_most=10)
    names = [f"user:{number}" for number in range(10)]
    await few.write(names, on=True)
    with pytest.raises(StoreUnavailable) as refused:
        await few.write(["user:10", "user:11"], on=True)
    assert refused.value.trouble is StoreTrouble.SUPPRESSED_FULL
    assert await few.write(names, on=True) == (0, 10), "who is on it is refused already"
    await few.write(["user:3"], on=False)
    assert await few.write(["user:10"], on=True) == (1, 10)
    marks = await everything(few)
    assert {number for number in range(12) if few.mark(f"user:{number}") in marks} == {0, 1, 2, 4, 5, 6, 7, 8, 9, 10}


async def test_a_request_that_is_sent_over_and_over_is_one_line_and_pushes_nobody_off(redis_store: RedisStore) -> None:
    few = with_limits(redis_store, suppressed_most=10)
    await few.write(["user:other"], on=True)
    asked = {"user:1": 1_700_000_000_000, "email:1@x": 1_700_000_000_000}
    for _ in range(100):
        await few.write(list(asked), on=True, asked_ms=asked)
    await few.write(["user:1"] * 300, on=True)
    assert await redis_store.client.run("XLEN", keys.suppressed()) == 3
    assert few.mark("user:other") in await everything(few)


async def test_a_request_from_before_the_last_word_against_it_is_void(subject: Subject) -> None:
    port, asked = subject.suppressions, {"user:1": subject.now_ms - 1000}
    await port.write(["user:1"], on=True, asked_ms=asked)
    await subject.passes(5)
    await port.write(["user:1"], on=False)
    assert await port.write(["user:1"], on=True, asked_ms=asked) == (0, 0)
    assert len(await everything(port)) == 0
    await subject.passes(5)
    assert await port.write(["user:1"], on=True, asked_ms={"user:1": subject.now_ms + 5}) == (1, 1)
    assert len(await everything(port)) == 1
    await port.write(["user:1"], on=False)
    assert await port.write(["user:1"], on=True) == (1, 1), "an operator's word has no age"


async def test_a_mark_is_made_anew_when_it_is_asked_for_a_day_later(redis_store: RedisStore) -> None:
    port, now = redis_store.suppressions, SystemClock().now_ms()
    old = b"%d-0" % (now - 2 * 86_400_000)
    await redis_store.client.run("XADD", keys.suppressed(), old, "m", port.mark("user:1"))
    await redis_store.client.run("HSET", keys.suppressed_index(), port.mark("user:1"), old)
    assert await port.write(["user:1"], on=True, asked_ms={"user:1": now - 2 * 86_400_000}) == (0, 1)
    assert (await port.since("")).last_id == old.decode(), "a copy of the first request"
    assert await port.write(["user:1"], on=True, asked_ms={"user:1": now}) == (0, 1)
    [(line, _)] = await redis_store.client.run("XRANGE", keys.suppressed(), "-", "+")
    assert line != old


async def test_who_is_forgotten_ends_so_in_the_books_and_goes_into_no_archive(subject: Subject) -> None:
    await subject.add("a", "b")
    claimed = await subject.owed.claim(VIEWS, Lane.LIVE, 9, 10**9)
    assert claimed
    one, other = (entry.id for entry in claimed.entries)
    settled = await subject.owed.settle(claimed.lease, Settlement(delivered=[one], forgotten=[other]))
    assert (settled.delivered, settled.forgotten) == (1, 1)
    survey = next(look for look in (await subject.owed.survey()).streams if look.stream == VIEWS)
    assert survey.books == {"accepted": 2, "delivered": 1, "forgotten": 1}
    assert (survey.owed, survey.unbalanced) == (0, 0)
    again = await subject.owed.settle(claimed.lease, Settlement(forgotten=[other]))
    assert again.forgotten == 0
