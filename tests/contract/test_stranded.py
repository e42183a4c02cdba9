"""What nobody is configured to deliver is told, and a store that lost its data keeps its digest key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.state import Watch
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemChance, SystemClock
from relay.core.errors import StoreMisused, StoreTrouble
from relay.core.event import EntryClass, Lane, NewEntry, StreamKey
from relay.core.notices import (
    DestinationPaused,
    EntriesDelivered,
    Notice,
    StoreLost,
    StoreRestored,
    StoreWarned,
)
from relay.core.tiktok.reply import Call, Reply
from relay.engine import delivery as delivery_module
from relay.engine import pump, settle
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts, Destination
from relay.engine.survey import Survey
from tests.contract.valkey import valkey_server
from tests.twins.tiktok import OK, REVOKED, TIMEOUT, PlainMapping

SHOP, OTHER = StreamKey("shop", EntryClass.CONVERSION), StreamKey("other", EntryClass.CONVERSION)
STREAMS = [StreamKey(name, klass) for name in ("shop", "other") for klass in EntryClass]
LOOK_S = 0.2
"""Between two looks at a damaged key, here."""


class Scene:
    """Two destinations in a real store, whose keys are damaged and mended."""

    def __init__(self, store: RedisStore, clock: SystemClock, socket: Path) -> None:
        self.store, self.clock, self.socket = store, clock, socket
        self.told, self.calls, self.owed = list[Notice](), Counter[str](), Counter[str]()
        self.reply = OK  # to the call in which that happens
        self.during: Callable[[], Awaitable[None]] | None = None  # happens once, in the middle of a call for the shop

    async def send(self, call: Call) -> Reply:
        self.calls[call.destination] += 1
        if call.destination == "shop" and self.during is not None:
            happens, self.during = self.during, None
            await happens()
            return self.reply
        return OK

    async def owe(self, stream: StreamKey) -> None:
        self.owed[stream.destination] += 1
        name, now_ms = str(self.owed[stream.destination]), self.clock.now_ms()
        raw = b'{"id":"%s","time":%d}' % (name.encode(), now_ms // 1000)
        await self.store.inbox.append([NewEntry(stream, name, raw, now_ms, "segment")])

    async def damage(self, key: str) -> None:
        if await self.store.client.run("EXISTS", key):
            await self.store.client.run("RENAME", key, f"{key}:aside")
        await self.store.client.run("SET", key, "of another type")

    async def mend(self, key: str) -> None:
        """In one step: a relay that found nothing there would begin a key of its own, and lose it to the old one."""
        if await self.store.client.run("EXISTS", f"{key}:aside"):
            await self.store.client.run("RENAME", f"{key}:aside", key)
        else:
            await self.store.client.run("DEL", key)

    @property
    def delivered(self) -> Counter[str]:
        counts = Counter[str]()
        for notice in self.told:
            if isinstance(notice, EntriesDelivered):
                counts[notice.stream.destination] += len(notice.delays)
        return counts

    @property
    def warnings(self) -> list[StoreWarned]:
        return [notice for notice in self.told if isinstance(notice, StoreWarned)]

    @property
    def warned(self) -> set[str]:
        return {notice.topic for notice in self.warnings}

    @asynccontextmanager
    async def delivering(self, *paused: str) -> AsyncIterator[Survey]:
        store, stopping = self.store, asyncio.Event()
        destinations = [Destination(name, PlainMapping(), self) for name in ("shop", "other")]
        parts = DeliveryParts(
            store.owed, store.gates, self.clock, SystemChance(), self.told.append, store.modes, store.roster
        )
        delivery = Delivery(destinations, parts, DeliveryOptions("r", drain_s=0.5))
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            await delivery.declare(paused)
            tasks.create_task(delivery.run(stopping))
            yield Survey(store.owed, self.clock, self.told.append, gates=dict, paces=dict)
            stopping.set()

    async def until(self, check: Callable[[], bool]) -> None:
        while not check():
            await asyncio.sleep(0.02)


@pytest.fixture
async def scene(running_valkey: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    for module in (pump, settle, delivery_module):
        monkeypatch.setattr(module, "MISUSED_S", LOOK_S)
    monkeypatch.setattr(delivery_module, "TEND_S", LOOK_S)
    clock, client = SystemClock(), connect(f"unix://{running_valkey}")
    await client.run("FLUSHALL")
    store = await RedisStore.open(client, STREAMS, clock)
    yield Scene(store, clock, running_valkey)
    await store.close()


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


DAMAGING = [
    *(pytest.param(make(SHOP), id=make.__name__) for make in (keys.owed, keys.leases, keys.mark, keys.books)),
    *(pytest.param(make("shop"), id=make.__name__) for make in (keys.dead, keys.gate, keys.mode)),
]
"""Keys without which a destination cannot work."""
HARMLESS = [pytest.param(make("shop"), id=make.__name__) for make in (keys.attempts, keys.incidents)]


@pytest.mark.parametrize("key", DAMAGING)
async def test_a_damaged_key_stops_its_destination_and_nobody_else(scene: Scene, key: str) -> None:
    await scene.owe(SHOP)
    await scene.damage(key)
    async with scene.delivering() as survey:
        await scene.owe(OTHER)
        await scene.until(lambda: scene.delivered["other"] == 1)
        await asyncio.sleep(5 * LOOK_S)
        await survey.look()
        assert (survey.trouble is None) is (key in (keys.gate("shop"), keys.mode("shop")))
        assert scene.calls["shop"] == 0
        assert scene.warned == {"shop"}
        assert len(scene.warnings) < 20
        await scene.mend(key)
        await scene.until(lambda: scene.delivered["shop"] == 1)
    assert scene.calls["shop"] == 1


@pytest.mark.parametrize("key", DAMAGING)
async def test_what_is_on_the_way_when_a_key_is_damaged_is_sent_once_and_settled_when_it_is_mended(
    scene: Scene, key: str
) -> None:
    scene.during = partial(scene.damage, key)
    await scene.owe(SHOP)
    async with scene.delivering():
        await scene.until(lambda: scene.calls["shop"] == 1 and scene.warned == {"shop"})
        await scene.owe(OTHER)
        await scene.until(lambda: scene.delivered["other"] == 1)
        if key not in (keys.owed(SHOP), keys.books(SHOP)):
            await scene.owe(SHOP)  # these two intake needs as well
        await asyncio.sleep(5 * LOOK_S)
        assert scene.calls["shop"] == 1
        assert scene.delivered["shop"] == (key in (keys.gate("shop"), keys.mode("shop")))
        await scene.mend(key)
        await scene.until(lambda: scene.delivered["shop"] == scene.owed["shop"])
    assert scene.calls["shop"] == scene.owed["shop"]
    assert scene.warned == {"shop"}


async def sent_once_and_refused(scene: Scene) -> None:
    """One is owed and leaves in a call; what came of that is refused by the store, and told."""
    await scene.owe(SHOP)
    await scene.until(lambda: scene.warned == {"shop"})


async def test_a_reply_that_a_damaged_gate_cannot_note_changes_nothing_else(scene: Scene) -> None:
    key = keys.gate("shop")
    scene.during, scene.reply = partial(scene.damage, key), REVOKED
    async with scene.delivering():
        await sent_once_and_refused(scene)
        await scene.owe(OTHER)
        await scene.until(lambda: scene.delivered["other"] == 1)
        assert scene.calls["shop"] == 1
        await scene.mend(key)
        await scene.until(lambda: scene.delivered["shop"] == 1)
    assert scene.calls["shop"] == 2


async def test_where_a_refused_settlement_ends_nothing_no_more_is_sent_either(scene: Scene) -> None:
    key = keys.dead("shop")
    scene.during, scene.reply = partial(scene.damage, key), TIMEOUT
    async with scene.delivering():
        await sent_once_and_refused(scene)
        await scene.owe(SHOP)
        await asyncio.sleep(5 * LOOK_S)
        assert scene.calls["shop"] == 1
        await scene.mend(key)
        await scene.until(lambda: scene.delivered["shop"] == 1)  # what was sent in vain is leased for half a minute
    assert scene.calls["shop"] == 2


@pytest.mark.parametrize("key", HARMLESS)
async def test_without_a_log_or_a_report_it_is_sent_all_the_same(scene: Scene, key: str) -> None:
    scene.during = partial(scene.damage, key)
    await scene.owe(SHOP)
    async with scene.delivering():
        await scene.until(lambda: scene.delivered["shop"] == 1)
        await scene.owe(SHOP)
        await scene.until(lambda: scene.delivered["shop"] == 2)
    assert scene.warnings == []


async def test_a_stop_does_not_wait_for_the_mend(scene: Scene) -> None:
    scene.during = partial(scene.damage, keys.dead("shop"))
    await scene.owe(SHOP)
    async with asyncio.timeout(5), scene.delivering():
        await scene.until(lambda: scene.warned == {"shop"})


async def test_what_is_to_start_paused_is_so_after_the_mend(scene: Scene) -> None:
    await scene.damage(keys.gate("shop"))
    await scene.owe(SHOP)
    async with scene.delivering("shop"):
        await scene.until(lambda: scene.warned == {"shop"})
        await scene.mend(keys.gate("shop"))
        await scene.until(lambda: any(isinstance(notice, DestinationPaused) for notice in scene.told))
        await asyncio.sleep(5 * LOOK_S)
    assert scene.calls["shop"] == 0


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        (keys.gate("shop"), "state", "ajar"),
        (keys.gate("shop"), "version", "many"),
        (keys.mode("shop"), "mode", "absent"),
        (keys.books(SHOP), "delivered", "many"),
        (keys.mark(SHOP), "id", "here"),
        (keys.leases(SHOP), "1-1", "mine"),
    ],
)
async def test_what_somebody_wrote_into_a_key_does_no_more(scene: Scene, key: str, field: str, value: str) -> None:
    await scene.owe(SHOP)
    await scene.store.client.run("HSET", key, field, value)
    async with scene.delivering() as survey:
        await scene.owe(OTHER)
        await scene.until(lambda: scene.delivered["other"] == 1)
        await survey.look()
        await asyncio.sleep(5 * LOOK_S)


async def test_what_somebody_wrote_among_our_records_is_a_refusal_and_no_bug(scene: Scene) -> None:
    client, store = scene.store.client, scene.store
    await client.run("XADD", keys.dead("shop"), "*", "d", "yesterday", "n", "many")
    await client.run("XADD", keys.archive(EntryClass.CONVERSION), "*", "d", b"\xff")
    await client.run("HSET", keys.incidents("shop"), "first", "", "2", "")
    await client.run("HSET", keys.replay(), "state", "resting")
    await client.run("SADD", keys.streams(), "no stream of ours")
    await client.run("HSET", keys.meta(), "digest_key", "a secret")
    for asked in (
        store.dead_letters.list("shop"),
        store.bounds.trim_letters("shop"),
        store.bounds.trim_reports("shop"),
        store.archive.page(EntryClass.CONVERSION),
        store.replays.load(),
        store.erasure.places(),
        store.verify(),
    ):
        with pytest.raises(StoreMisused, match=r"relay:\{0\}:\S+ is damaged"):
            await asked


async def test_a_store_with_damaged_keys_is_opened_and_they_are_named(scene: Scene) -> None:
    await scene.damage(keys.dead("shop"))
    await scene.damage(keys.owed(StreamKey("gone", EntryClass.CONVERSION)))
    await scene.store.client.run("SADD", keys.streams(), "gone:conversion", "no stream of ours")
    health = await examine(scene.store.client, STREAMS, scene.clock.now_ms)
    assert health.refusals == []
    (told,) = [finding for finding in health.findings if finding.topic == "keys"]
    assert told.level is Level.WARNING
    assert "dead:shop" in told.text
    assert "owed:gone:conversion" in told.text


def trouble_of(store: RedisStore) -> StoreTrouble | None:
    return store.state.trouble


async def test_a_damaged_description_is_trouble_until_it_is_mended(scene: Scene) -> None:
    looks = Watch(scene.store.client, scene.store.state, scene.clock, scene.told.append, scene.store.verify)
    await scene.damage(keys.meta())
    await looks.look()
    assert trouble_of(scene.store) is StoreTrouble.AWAY
    again = await RedisStore.open(connect(f"unix://{scene.socket}"), STREAMS, scene.clock)
    assert trouble_of(again) is StoreTrouble.AWAY
    await again.close()
    await scene.mend(keys.meta())
    await looks.look()
    assert trouble_of(scene.store) is None
    assert [type(notice) for notice in scene.told] == [StoreLost, StoreRestored]


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
