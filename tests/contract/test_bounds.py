"""Limits of dead letters and reports over a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.bounds import PIECE, RedisBounds
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.core.event import Burial, DeadReason, Lane, NewEntry, Reject, Settlement, Trimmed
from tests.contract.conftest import ORDERS, VIEWS
from tests.contract.test_incidents import FIRST, MOMENT

BIG = 1_000_000_000
GENEROUS = StoreOptions()


async def letters(store: RedisStore, count: int) -> None:
    """Dead letters of two classes, of about a kilobyte."""
    for stream in (VIEWS, ORDERS):
        new = [NewEntry(stream, f"{stream.klass}{n}", f"{n:0>900}".encode(), 1, "web") for n in range(count // 2)]
        await store.inbox.append(new)
        claimed = await store.owed.claim(stream, Lane.BACKLOG, 1000, BIG)
        assert claimed
        dead = [Burial(entry.id, DeadReason.REFUSED, "no") for entry in claimed.entries]
        await store.owed.settle(claimed.lease, Settlement(dead=dead))


async def left(store: RedisStore) -> tuple[int, int]:
    """Letters there are, and how many the books say were trimmed; promise 2 holds all the while."""
    survey = await store.owed.survey()
    assert not any(one.unbalanced for one in survey.streams)
    return survey.dead["shop"], sum(one.books.get("trimmed", 0) for one in survey.streams)


async def test_within_the_limits_nothing_goes_and_the_nearest_one_is_told(redis_store: RedisStore) -> None:
    assert await redis_store.bounds.trim_letters("shop") == Trimmed(0, 0.0)
    await letters(redis_store, 100)
    used = await redis_store.client.run("MEMORY", "USAGE", keys.dead("shop"))
    bounds = RedisBounds(redis_store.client, replace(GENEROUS, letters_bytes=2 * used))
    trimmed = await bounds.trim_letters("shop")
    assert (trimmed.count, trimmed.more) == (0, False)
    assert 0.4 < trimmed.fullness < 0.6
    assert await left(redis_store) == (100, 0)


async def test_beyond_its_bytes_the_oldest_go_and_are_booked(redis_store: RedisStore) -> None:
    await letters(redis_store, 600)
    newest = (await redis_store.dead_letters.list("shop", limit=1000))[-1]
    used = await redis_store.client.run("MEMORY", "USAGE", keys.dead("shop"))
    bounds = RedisBounds(redis_store.client, replace(GENEROUS, letters_bytes=used // 3))
    gone, trimmed = 0, Trimmed(0, 2.0, more=True)
    while trimmed.fullness > 1:
        trimmed = await bounds.trim_letters("shop")
        assert trimmed.count <= PIECE
        gone += trimmed.count
    kept, booked = await left(redis_store)
    assert (kept, booked) == (600 - gone, gone)
    assert 50 < kept < 300, "a third of them, in whole nodes"
    assert (await redis_store.dead_letters.list("shop", limit=1000))[-1] == newest


async def test_beyond_their_age_they_go(redis_store: RedisStore) -> None:
    await letters(redis_store, 20)
    await asyncio.sleep(0.01)
    bounds = RedisBounds(redis_store.client, replace(GENEROUS, letters_age_ms=1))
    assert (await bounds.trim_letters("shop")).count == 20
    assert await left(redis_store) == (0, 20)


async def test_what_intake_could_not_read_grows_too_old_without_others_coming(redis_store: RedisStore) -> None:
    await redis_store.inbox.append([], [Reject("web", "bad_shape", b"{}", 1)])
    await asyncio.sleep(0.01)
    trimmed = await RedisBounds(redis_store.client, replace(GENEROUS, rejects_age_ms=1)).trim_letters("-")
    assert trimmed.count == 1
    books = await redis_store.client.run("HGETALL", keys.intake_books())
    assert books == {b"bytes": b"0", b"trimmed": b"1"}


@pytest.mark.parametrize("options", [replace(GENEROUS, reports_bytes=1), replace(GENEROUS, reports_age_ms=-60_000)])
async def test_reports_go_the_oldest_first_and_never_the_latest(redis_store: RedisStore, options: StoreOptions) -> None:
    for number in (1, 2, 3):
        await redis_store.incidents.save(replace(FIRST, number=number), 0, [MOMENT])
    assert (await redis_store.bounds.trim_reports("shop")).count == 0
    assert (await RedisBounds(redis_store.client, options).trim_reports("shop")).count == 2
    assert [one.number for one in await redis_store.incidents.list("shop")] == [3]
    assert await redis_store.incidents.log("shop", 1) == []
    assert await redis_store.incidents.log("shop", 3) == [MOMENT]
    assert (await RedisBounds(redis_store.client, options).trim_reports("app")).count == 0
