"""A store that is really full, on a server with little memory: it sheds, conversions stay, and nothing is overdone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from relay.adapters.redis import state
from relay.adapters.redis.connect import connect
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, Lane, NewEntry, Settlement, StreamKey, StreamSurvey
from relay.core.notices import ArchiveShed, EntriesShed, Notice, StoreLost
from relay.engine import shedder
from relay.engine.shedder import Shedder
from tests.contract.valkey import PATIENCE, valkey_server

SHOP = StreamKey("shop", EntryClass.ENGAGEMENT)
APP = StreamKey("app", EntryClass.ENGAGEMENT)
ORDERS = StreamKey("shop", EntryClass.CONVERSION)
STREAMS = (ORDERS, SHOP, APP)
NOISE = random.Random(2).randbytes(700).hex().encode()
OPTIONS = StoreOptions(high=0.95, low=0.90, sheds=True)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store this small fills in a second; one of gigabytes may be looked at once in that time."""
    for where, name in ((state, "EVERY_S"), (state, "EVERY_S_IN_TROUBLE"), (shedder, "EVERY_S")):
        monkeypatch.setattr(where, name, 0.02)


@asynccontextmanager
async def relays(
    socket: str, told: list[Notice], count: int = 1, options: StoreOptions = OPTIONS
) -> AsyncIterator[list[RedisStore]]:
    """So many processes at work on one server."""
    stopping, clock = asyncio.Event(), SystemClock()
    stores = [
        await RedisStore.open(connect(socket), STREAMS, SystemClock(), options, told.append) for _ in range(count)
    ]
    async with asyncio.TaskGroup() as tasks:
        for store in stores:
            tasks.create_task(store.watch(stopping))
            tasks.create_task(Shedder(store.overflow, clock, told.append).run(stopping))
        try:
            yield stores
        finally:
            stopping.set()
    for store in stores:
        await store.close()


class Sender:
    """Appends, each time a group of its own."""

    def __init__(self, store: RedisStore) -> None:
        self.store, self.count = store, 0

    async def send(self, *streams: StreamKey, size: int = 50) -> None:
        """StoreUnavailable when it is answered 503."""
        now = SystemClock().now_ms()
        new = []
        for _ in range(size):
            self.count += 1
            raw = b'{"n":%d,"x":"%s"}' % (self.count, NOISE[self.count % 300 :])
            new += [NewEntry(stream, f"e{self.count}", raw, now, "web") for stream in streams]
        await self.store.inbox.append(new)
        await asyncio.sleep(0.02 if self.store.state.over else 0.003)  # a busy machine sheds more slowly

    async def until(self, trouble: StoreTrouble | None, *streams: StreamKey) -> None:
        limit = time.monotonic() + PATIENCE
        while self.store.state.trouble is not trouble:
            assert time.monotonic() < limit
            with suppress(StoreUnavailable):
                await self.send(*streams)


async def streams_of(store: RedisStore, *others: RedisStore) -> dict[StreamKey, StreamSurvey]:
    """When nobody sheds any more: a look is several commands."""
    limit = time.monotonic() + PATIENCE
    while any(one.state.over and one.state.trouble is None for one in (store, *others)):
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    survey = await store.owed.survey()
    assert not any(one.unbalanced for one in survey.streams)
    return {one.stream: one for one in survey.streams}


async def deliver(store: RedisStore, stream: StreamKey) -> int:
    count = 0
    for lane in Lane:
        while (got := await store.owed.claim(stream, lane, 200, 10**9)) is not None:
            count += (await store.owed.settle(got.lease, Settlement([one.id for one in got.entries]))).delivered
    return count


async def test_intake_goes_on_while_engagement_is_shed_and_stops_when_none_is_left() -> None:
    told: list[Notice] = []
    with valkey_server(maxmemory="24mb") as socket:
        async with relays(f"unix://{socket}", told) as (store,):
            sender, limit_bytes = Sender(store), int(24 * 1024**2 * 0.8)
            await sender.send(ORDERS, size=100)
            while sum(notice.count for notice in told if isinstance(notice, EntriesShed)) < 6_000:
                await sender.send(SHOP, APP)
            await sender.send(ORDERS, size=100)
            looked = await streams_of(store)
            assert not [notice for notice in told if isinstance(notice, StoreLost)], "a 200 for everything"
            assert looked[ORDERS].books == {"accepted": 200}
            shed = {stream: looked[stream].books["shed"] for stream in (SHOP, APP)}
            assert abs(shed[SHOP] - shed[APP]) <= 250, "both came at the same time, so both give"
            used = (await store.owed.survey()).used_bytes
            assert limit_bytes * 0.88 < used < limit_bytes * 1.0, "about at the watermarks: none is shed for nothing"
            await sender.until(StoreTrouble.OVER_LIMIT, ORDERS)
            assert "no engagement is left" in store.state.detail
            looked = await streams_of(store)
            assert (looked[SHOP].owed, looked[APP].owed) == (0, 0)
            assert looked[ORDERS].books == {"accepted": looked[ORDERS].owed}
            assert await deliver(store, ORDERS) == looked[ORDERS].owed, "what is full drains"
            await sender.until(None, SHOP)
            await sender.send(SHOP)


async def test_two_replicas_shed_no_more_than_one() -> None:
    told: list[Notice] = []
    with valkey_server(maxmemory="16mb") as socket:
        async with relays(f"unix://{socket}", told, 2) as stores:
            sender, limit_bytes = Sender(stores[0]), int(16 * 1024**2 * 0.8)
            lowest = 1.0
            while sum(notice.count for notice in told if isinstance(notice, EntriesShed)) < 6_000:
                await sender.send(SHOP, size=25)
                if any(isinstance(notice, EntriesShed) for notice in told):
                    lowest = min(lowest, (await stores[1].owed.survey()).used_bytes / limit_bytes)
            assert 0.88 < lowest < 0.97
            looked = await streams_of(*stores)
            assert looked[SHOP].books["shed"] == sum(one.count for one in told if isinstance(one, EntriesShed)) > 0


async def test_an_archive_causes_no_503_and_gives_way_to_what_is_owed() -> None:
    """Nobody hears one before the store is full of what is owed.

    Everything is delivered at once and archived, until the store is full of it; then TikTok is down.
    """
    told: list[Notice] = []
    options = StoreOptions(high=0.95, low=0.90, archive=True)
    with valkey_server(maxmemory="16mb") as socket:
        async with relays(f"unix://{socket}", told, 2, options) as (store, other):
            sender, limit_bytes = Sender(store), int(16 * 1024**2 * 0.8)

            def shed() -> int:
                return sum(notice.count for notice in told if isinstance(notice, ArchiveShed))

            while shed() < 3_000:
                await sender.send(SHOP)
                await deliver(other, SHOP)
            assert not [notice for notice in told if isinstance(notice, StoreLost)], "a 200 for everything"
            survey = await store.owed.survey()
            assert survey.archive is not None
            assert survey.used_bytes > limit_bytes * 0.85, "no more gives way than must"
            kept = survey.archive.events[EntryClass.ENGAGEMENT]
            assert kept + shed() <= sender.count
            owed = 0
            while survey.archive.events[EntryClass.ENGAGEMENT]:
                await sender.send(ORDERS, size=100)
                owed += 100
                survey = await store.owed.survey()
                assert survey.archive is not None
            assert not [notice for notice in told if isinstance(notice, StoreLost)]
            await sender.until(StoreTrouble.OVER_LIMIT, ORDERS)
            looked = await streams_of(store)
            assert looked[ORDERS].owed > max(owed, kept // 2), "now it is full of what is owed"
            assert await deliver(store, ORDERS) == looked[ORDERS].owed
            survey = await store.owed.survey()
            assert survey.archive is not None
            assert 0 < survey.archive.events[EntryClass.CONVERSION] < looked[ORDERS].owed, "kept once there was room"
            await sender.until(None, SHOP)
