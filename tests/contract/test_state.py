"""Whether entries are taken, as a watched store sees it, and the other kinds of deployment: one code path."""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.connect import Client, connect
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.errors import ConfigError, StoreMismatch, StoreTrouble, StoreUnavailable
from relay.core.event import Lane, NewEntry, Settlement
from relay.core.notices import Notice, StoreLost, StoreRestored
from tests.contract.conftest import STREAMS, VIEWS
from tests.contract.valkey import valkey_server
from tests.e2e.processes import free_port

PATIENCE = 20.0


async def until(check: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < limit, "waited in vain"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(client: Client, told: list[Notice], options: StoreOptions | None = None) -> AsyncIterator[RedisStore]:
    stopping = asyncio.Event()
    store = await RedisStore.open(client, STREAMS, SystemClock(), options, told.append)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.watch(stopping))
        try:
            yield store
        finally:
            stopping.set()
    await store.close()


def entry(name: str, raw: bytes = b"{}") -> NewEntry:
    return NewEntry(VIEWS, name, raw, SystemClock().now_ms(), "web")


async def refusal(store: RedisStore) -> StoreTrouble | None:
    """Why an append is refused now, and that it takes no time to say so."""
    began = time.monotonic()
    try:
        await store.inbox.append([entry("refused?")])
    except StoreUnavailable as refused:
        assert time.monotonic() - began < 1
        return refused.trouble
    return None


async def round_trip(store: RedisStore) -> None:
    """An entry in, claimed, delivered; nothing special about where it is kept."""
    assert await store.inbox.append([entry("a"), entry("b"), entry("a")]) == [True, True, False]
    claimed = await store.owed.claim(VIEWS, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    settled = await store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
    assert settled.delivered == 2
    survey = await store.owed.survey()
    assert survey.streams[1].unbalanced == survey.streams[1].owed == 0
    assert await store.gates.save("shop", await store.gates.load("shop"), 0)


async def test_a_server_that_goes_away_is_told_and_noticed_when_it_is_back() -> None:
    told: list[Notice] = []
    with valkey_server() as socket:
        async with watched(connect(f"unix://{socket}", 1.0), told) as store:
            assert await refusal(store) is None
            pid = (await store.client.run("INFO", "server"))["process_id"]
            with _stopped(pid):
                await until(lambda: store.state.trouble is StoreTrouble.AWAY)
                assert await refusal(store) is StoreTrouble.AWAY
            await until(lambda: store.state.trouble is None)
            assert await refusal(store) is None
    assert [type(one) for one in told] == [StoreLost, StoreRestored]


class _stopped:  # noqa: N801 - reads as a word in a with statement
    """A process that hangs: it neither answers nor hangs up."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __enter__(self) -> None:
        subprocess.run(["kill", "-STOP", str(self.pid)], check=True)

    def __exit__(self, *_: object) -> None:
        subprocess.run(["kill", "-CONT", str(self.pid)], check=True)


async def test_a_store_that_is_not_there_yet_opens_and_takes_entries_once_it_is(tmp_path: Path) -> None:
    told: list[Notice] = []
    link = tmp_path / "later.sock"
    async with watched(connect(f"unix://{link}", 1.0), told) as store:
        assert await refusal(store) is StoreTrouble.AWAY
        with valkey_server() as socket:
            link.symlink_to(socket)
            await until(lambda: store.state.trouble is None)
            await round_trip(store)
            assert [type(one) for one in told] == [StoreLost, StoreRestored]


async def test_while_it_loads_the_store_says_how_far_it_is() -> None:
    with valkey_server(
        enable_debug_command="yes", key_load_delay="300", loading_process_events_interval_bytes="2048"
    ) as socket:
        async with watched(connect(f"unix://{socket}"), []) as store:
            fill = "for i = 1, 9000 do redis.call('SET', 'filler:' .. i, i) end"
            await store.client.run("EVAL", fill, 0)
            other = connect(f"unix://{socket}", 30)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(other.run("DEBUG", "RELOAD"))
                await until(lambda: store.state.trouble is StoreTrouble.LOADING)
                assert store.state.detail.startswith("loading ")
                assert store.state.detail.endswith(" %")
                assert await refusal(store) is StoreTrouble.LOADING
            await until(lambda: store.state.trouble is None)
            assert await refusal(store) is None
            await other.close()


async def test_above_the_high_watermark_nothing_is_taken_until_below_the_low_one() -> None:
    noise = random.Random(1).randbytes(8000)
    with valkey_server() as socket:
        client = connect(f"unix://{socket}")
        start = int((await client.run("INFO", "memory"))["used_memory"])
        options = StoreOptions(max_bytes=start + 6_000_000, high=0.9, low=0.6)
        async with watched(client, [], options) as store:
            taken = 0
            with suppress(StoreUnavailable):
                while True:
                    await store.inbox.append([entry(f"{taken}", b"%d" % taken + noise)])
                    taken += 1
                    await asyncio.sleep(0)
            assert store.state.trouble is StoreTrouble.OVER_LIMIT
            assert (await store.owed.survey()).max_bytes == start + 6_000_000
            while (await store.owed.survey()).used_bytes > options.max_bytes * 0.8:  # type: ignore[operator]
                claimed = await store.owed.claim(VIEWS, Lane.LIVE, 20, 10**9)
                assert claimed is not None
                await store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
            await asyncio.sleep(0.5)
            assert await refusal(store) is StoreTrouble.OVER_LIMIT, "below the high mark, above the low one"
            while (claimed := await store.owed.claim(VIEWS, Lane.LIVE, 50, 10**9)) is not None:
                await store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries]))
            await until(lambda: store.state.trouble is None)
            assert await refusal(store) is None


@pytest.mark.parametrize("field", ["schema", "partitions"])
async def test_a_store_created_otherwise_is_refused_with_the_way_out(running_valkey: Path, field: str) -> None:
    client = connect(f"unix://{running_valkey}")
    await client.run("HSET", keys.meta(), field, "7")
    with pytest.raises(StoreMismatch, match=f"{field} 7.*RELAY_REDIS_URL"):
        await RedisStore.open(client, STREAMS, SystemClock())
    await client.run("FLUSHALL")
    await client.close()


async def test_two_relays_agree_on_one_digest_key(running_valkey: Path) -> None:
    stores = [await RedisStore.open(connect(f"unix://{running_valkey}"), STREAMS, SystemClock()) for _ in range(2)]
    assert await stores[0].inbox.append([entry("a")]) == [True]
    assert await stores[1].inbox.append([entry("a")]) == [False]
    await stores[0].client.run("FLUSHALL")
    for store in stores:
        await store.close()


async def test_replicas_confirm_each_append_or_it_is_answered_503() -> None:
    port = str(free_port())
    with ExitStack() as stack:
        primary = stack.enter_context(valkey_server(aof=True, port=port, repl_diskless_sync_delay="0"))
        replica = stack.enter_context(valkey_server(aof=True, replicaof=f"127.0.0.1 {port}"))
        copy = connect(f"unix://{replica}")
        await until_async(copy, "master_link_status", "up")
        async with watched(connect(f"unix://{primary}", 2.0), [], StoreOptions(replicas=1)) as store:
            await until(lambda: store.state.trouble is None)
            assert await store.inbox.append([entry("a")]) == [True]
            assert await copy.run("XLEN", keys.owed(VIEWS)) == 1
            assert (await store.suppressions.write(["user:0"], on=True)).listed == 1
            assert await copy.run("XLEN", keys.suppressed()) == 1
            health = await examine(store.client, STREAMS, SystemClock().now_ms, StoreOptions(replicas=1))
            assert "1 replicas confirm" in health.durability
            mirror = await examine(copy, STREAMS, SystemClock().now_ms)
            assert any("replica" in text for text in mirror.refusals)
            pid = (await copy.run("INFO", "server"))["process_id"]
            with _stopped(pid):
                for write in (store.inbox.append([entry("b")]), store.suppressions.write(["user:1"], on=True)):
                    with pytest.raises(StoreUnavailable) as refused:
                        await write
                    assert refused.value.trouble is StoreTrouble.REPLICAS
            await until(lambda: store.state.trouble is None)
            assert await store.inbox.append([entry("b")]) == [False], "written all the same: safe to repeat"
        await copy.close()


async def until_async(client: Client, field: str, value: str) -> None:
    limit = time.monotonic() + PATIENCE
    while (await client.run("INFO", "replication")).get(field) != value:
        assert time.monotonic() < limit, f"{field} is not {value}"
        await asyncio.sleep(0.02)


async def test_a_replica_takes_nothing() -> None:
    with valkey_server(replicaof="127.0.0.1 1") as socket:
        async with watched(connect(f"unix://{socket}"), []) as store:
            assert await refusal(store) is StoreTrouble.READ_ONLY


async def test_the_same_through_sentinel(tmp_path: Path) -> None:
    port, watch_port = str(free_port()), free_port()
    conf = tmp_path / "sentinel.conf"
    conf.write_text(f"port {watch_port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor main 127.0.0.1 {port} 1\n")
    with (
        valkey_server(port=port, bind="127.0.0.1"),
        valkey_server(before=(str(conf), "--sentinel"), only=("unixsocket",)),
    ):
        client = connect(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{watch_port}/main")
        async with watched(client, []) as store:
            await until(lambda: store.state.trouble is None)
            await round_trip(store)


async def test_the_same_in_a_cluster() -> None:
    port = str(free_port())
    with valkey_server(port=port, bind="127.0.0.1", cluster_enabled="yes", cluster_port=str(free_port())) as socket:
        local = connect(f"unix://{socket}")
        await local.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        limit = time.monotonic() + PATIENCE
        while b"cluster_state:ok" not in await local.run("CLUSTER", "INFO"):
            assert time.monotonic() < limit
            await asyncio.sleep(0.02)
        await local.close()
        client = connect(f"valkey+cluster://127.0.0.1:{port}")
        with pytest.raises(ConfigError, match="replicas"):
            await RedisStore.open(client, STREAMS, SystemClock(), StoreOptions(replicas=1))
        async with watched(client, []) as store:
            await round_trip(store)
            await store.client.run("SCRIPT", "FLUSH")
            await store.gates.save("shop", await store.gates.load("shop"), 1)
            health = await examine(store.client, STREAMS, SystemClock().now_ms)
            assert not health.refusals
            assert any(one.level is Level.WARNING and one.topic == "durability" for one in health.findings)
