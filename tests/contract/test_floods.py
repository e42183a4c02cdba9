"""A failover while so much arrives that thousands of entries are new before the old ones were looked through."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from relay.adapters.redis.mode_store import RedisModes
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import Lane, NewEntry, Settlement, StreamKey, StreamSurvey
from tests.contract.conftest import ORDERS, VIEWS

STOOD, ARRIVING = 6_000, 100
"""In each stream before the failover; and with every page of 500 that is looked at: ten times what relays take in."""


class Flooded:
    """The store's client, while entries arrive in both streams with every page that is looked at."""

    def __init__(self, store: RedisStore, numbers: Iterator[int]) -> None:
        self._store, self._numbers, self.pages = store, numbers, 0
        self.run, self.many = store.client.run, store.client.many

    async def script(self, name: str, names: Sequence[str], args: Sequence[Any]) -> Any:
        reply = await self._store.client.script(name, names, args)
        if name == "locate":
            self.pages += 1
            for stream in (ORDERS, VIEWS):
                await owe(self._store, stream, self._numbers, ARRIVING)
        return reply


async def owe(store: RedisStore, stream: StreamKey, numbers: Iterator[int], count: int, age_ms: int = 0) -> None:
    received = SystemClock().now_ms() - age_ms
    new = [NewEntry(stream, f"f{next(numbers)}", b"{}", received, "web") for _ in range(count)]
    assert all(await store.inbox.append(new))


async def look(store: RedisStore, stream: StreamKey) -> StreamSurvey:
    survey = next(one for one in (await store.owed.survey()).streams if one.stream == stream)
    assert survey.unbalanced == 0
    return survey


async def failed_over(store: RedisStore) -> tuple[int, int]:
    """At the first try; in each stream one entry is from before. Pages looked at, and how many arrived meanwhile."""
    numbers, since_ms = itertools.count(), SystemClock().now_ms() - 60_000
    await store.modes.save("shop", ModeRecord(Mode.STANDBY), 0)
    for stream in (ORDERS, VIEWS):
        await owe(store, stream, numbers, 1, age_ms=600_000)
        for _ in range(STOOD // 500):
            await owe(store, stream, numbers, 500, age_ms=5_000)
    flooded = Flooded(store, numbers)
    modes = RedisModes(flooded, StoreOptions())  # type: ignore[arg-type]
    assert await modes.save("shop", ModeRecord(Mode.FAILOVER, since_ms=since_ms), 1), "the very first time"
    return flooded.pages, flooded.pages * ARRIVING


async def test_a_failover_succeeds_in_a_flood_and_its_figures_are_exact(redis_store: RedisStore) -> None:
    pages, arrived = await failed_over(redis_store)
    assert arrived > 2 * 1_000, "else this test shows nothing"
    assert pages < 50, "what arrived is caught up with, where the look before ended"
    for stream in (ORDERS, VIEWS):
        survey = await look(redis_store, stream)
        assert (survey.owed, survey.standing) == (1 + STOOD + arrived, 1)


async def test_a_failover_that_is_not_counted_out_succeeds_in_a_flood(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.adapters.redis.mode_store.MOST", STOOD - 500)
    _, arrived = await failed_over(redis_store)
    assert arrived > 2 * 1_000, "else this test shows nothing"
    for stream in (ORDERS, VIEWS):
        assert (await look(redis_store, stream)).owed == 1 + STOOD + arrived
        for lane in Lane:
            while (claimed := await redis_store.owed.claim(stream, lane, 1_000, 10**9)) is not None:
                await redis_store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
        survey = await look(redis_store, stream)
        assert (survey.owed, survey.standing, survey.backlog) == (1, 1, 0), "all of it was taken over, nothing else"
