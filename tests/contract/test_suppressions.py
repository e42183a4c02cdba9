from __future__ import annotations

import asyncio
from dataclasses import replace

from relay.adapters.redis import keys
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.redis.suppressions import RedisSuppressions
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
    assert await port.write(names, on=True) >= 1200
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


async def test_the_list_has_an_end(redis_store: RedisStore) -> None:
    few = RedisSuppressions(
        redis_store.client, redis_store._confirmed, replace(OPTIONS, suppressed_most=10), redis_store._key
    )
    await few.write([f"user:{number}" for number in range(25)], on=True)
    marks = await everything(few)
    assert len(marks) == 10
    assert few.mark("user:24") in marks
    await asyncio.sleep(0.01)
    short = RedisSuppressions(
        redis_store.client, redis_store._confirmed, replace(OPTIONS, suppressed_age_ms=5), redis_store._key
    )
    await short.write(["user:new"], on=True)
    assert len(await everything(short)) == 1


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
