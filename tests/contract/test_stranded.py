"""What nobody is configured to deliver is told, and a store that lost its data keeps its digest key."""

from __future__ import annotations

import asyncio

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemChance, SystemClock
from relay.core.event import EntryClass, Lane, NewEntry, StreamKey
from relay.core.notices import EntriesDelivered, Notice, StoreWarned
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts, Destination
from relay.engine.survey import Survey
from tests.contract.valkey import valkey_server
from tests.twins.tiktok import PlainMapping, ScriptedTikTok

SHOP, OTHER = StreamKey("shop", EntryClass.CONVERSION), StreamKey("other", EntryClass.CONVERSION)


async def test_entries_of_a_destination_that_is_gone_are_told() -> None:
    clock = SystemClock()
    with valkey_server() as socket:
        store = await RedisStore.open(connect(f"unix://{socket}"), [SHOP], clock)
        await store.inbox.append([NewEntry(SHOP, "1", b"{}", clock.now_ms(), "segment")])
        await store.close()
        renamed = await RedisStore.open(connect(f"unix://{socket}"), [OTHER], clock)
        health = await examine(renamed.client, [OTHER], clock.now_ms)
        (told,) = [finding for finding in health.findings if finding.topic == "destinations"]
        assert told.level is Level.WARNING
        assert "shop:conversion (1)" in told.text
        health = await examine(renamed.client, [OTHER, SHOP], clock.now_ms)
        assert all(finding.level is Level.OK for finding in health.findings if finding.topic == "destinations")
        await renamed.close()


async def test_a_store_that_lost_its_data_keeps_its_digest_key() -> None:
    clock = SystemClock()
    with valkey_server() as socket:
        store = await RedisStore.open(connect(f"unix://{socket}"), [SHOP], clock)
        before = await store.client.run("HGET", keys.meta(), "digest_key")
        await store.client.run("FLUSHALL")
        assert await store.inbox.append([NewEntry(SHOP, "1", b"{}", clock.now_ms(), "segment")]) == [True]
        await store.verify()
        assert await store.client.run("HGET", keys.meta(), "digest_key") == before
        await store.close()
        again = await RedisStore.open(connect(f"unix://{socket}"), [SHOP], clock)
        assert await again.inbox.append([NewEntry(SHOP, "1", b"{}", clock.now_ms(), "segment")]) == [False]
        await again.close()


async def test_a_damaged_key_stops_its_destination_and_nobody_else() -> None:
    clock, told = SystemClock(), list[Notice]()
    with valkey_server() as socket:
        streams = [StreamKey(name, klass) for name in ("shop", "other") for klass in EntryClass]
        store = await RedisStore.open(connect(f"unix://{socket}"), streams, clock)
        await store.client.run("SET", keys.owed(SHOP), "not a stream")
        await store.inbox.append(
            [NewEntry(OTHER, "1", b'{"id":"1","time":%d}' % (clock.now_ms() // 1000), clock.now_ms(), "segment")]
        )
        tiktok = ScriptedTikTok()
        destinations = [Destination(name, PlainMapping(), tiktok) for name in ("shop", "other")]
        parts = DeliveryParts(store.owed, store.gates, clock, SystemChance(), told.append, store.modes, store.roster)
        survey = Survey(store.owed, clock, told.append, gates=dict, paces=dict)
        stopping = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(Delivery(destinations, parts, DeliveryOptions("r")).run(stopping))
            while not any(isinstance(notice, EntriesDelivered) for notice in told):
                await asyncio.sleep(0.02)
            await survey.look()
            stopping.set()
        assert survey.trouble is not None
        assert {notice.topic for notice in told if isinstance(notice, StoreWarned)} == {"shop"}
        await store.close()


async def test_a_lease_from_before_the_clock_was_set_back_is_due() -> None:
    clock = SystemClock()
    with valkey_server() as socket:
        store = await RedisStore.open(connect(f"unix://{socket}"), [SHOP], clock)
        await store.inbox.append([NewEntry(SHOP, "1", b"{}", clock.now_ms(), "segment")])
        claimed = await store.owed.claim(SHOP, Lane.LIVE, 10, 100_000)
        assert claimed is not None
        lease = (await store.client.run("HGET", keys.leases(SHOP), claimed.lease.first_id)).decode().split()
        ahead = " ".join([lease[0], str(claimed.now_ms + 3_600_000), *lease[2:]])
        await store.client.run("HSET", keys.leases(SHOP), claimed.lease.first_id, ahead)
        again = await store.owed.claim(SHOP, Lane.LIVE, 10, 100_000)
        assert again is not None
        assert again.lease.number > claimed.lease.number
        await store.close()
