"""What nobody is configured to deliver is told, and a store that lost its data keeps its digest key."""

from __future__ import annotations

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.event import EntryClass, NewEntry, StreamKey
from tests.contract.valkey import valkey_server

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
