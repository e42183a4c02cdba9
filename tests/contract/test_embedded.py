"""The embedded server: one server a directory, whoever dies; entries survive; a full disk is survived."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from relay.adapters.redis.connect import connect
from relay.adapters.redis.embedded import REWRITE_S, EmbeddedOptions, EmbeddedValkey
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.errors import ConfigError, StoreTrouble, StoreUnavailable
from relay.core.event import Lane, NewEntry, Settlement
from relay.core.notices import EmbeddedChanged, Notice
from relay.core.segment.people import names_of
from relay.engine.eraser import Eraser
from relay.engine.suppression import Suppression
from tests.conftest import missing
from tests.contract.conftest import STREAMS, VIEWS

MIB = 1024**2
OPTIONS = EmbeddedOptions(max_memory=64 * MIB, disk_floor=MIB, ballast=MIB)
PATIENCE = 20.0


class Told(list[Notice]):
    """Notices, as a list."""

    def __call__(self, notice: Notice) -> None:
        self.append(notice)

    @property
    def changes(self) -> list[str]:
        return [one.change for one in self if isinstance(one, EmbeddedChanged)]


def lives(valkey: EmbeddedValkey) -> bool:
    return valkey.alive


async def until(check: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < limit, "waited in vain"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def watched(
    folder: Path, told: Told, options: EmbeddedOptions = OPTIONS
) -> AsyncIterator[tuple[EmbeddedValkey, RedisStore]]:
    """An embedded server and a store over it, both watched."""
    stopping = asyncio.Event()
    async with EmbeddedValkey(folder, options, SystemClock(), told) as valkey:
        store_options = StoreOptions(disk_low=valkey.disk_low, disk_free=valkey.disk_free_bytes)
        store = await RedisStore.open(connect(valkey.url), STREAMS, SystemClock(), store_options, told)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(valkey.watch(stopping))
            tasks.create_task(store.watch(stopping))
            try:
                yield valkey, store
            finally:
                stopping.set()
        await store.close()


async def owe(store: RedisStore, count: int, raw: bytes = b"{}", start: int = 0) -> list[bool]:
    now = SystemClock().now_ms()
    return await store.inbox.append([NewEntry(VIEWS, f"id-{start + at}", raw, now, "web") for at in range(count)])


async def owed(store: RedisStore) -> int:
    return (await store.owed.survey()).streams[1].owed


async def well(store: RedisStore) -> None:
    """Wait until the store answers, and its state says so."""
    limit = time.monotonic() + PATIENCE
    while True:
        with suppress(StoreUnavailable):
            await owed(store)
            if store.state.trouble is None:
                return
        assert time.monotonic() < limit, f"waited in vain: {store.state.trouble} {store.state.detail}"
        await asyncio.sleep(0.02)


async def test_it_listens_on_a_private_socket_only_and_fsyncs_always(tmp_path: Path) -> None:
    told = Told()
    async with watched(tmp_path, told) as (valkey, store):
        assert lives(valkey)
        assert valkey.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert valkey.socket_path.stat().st_mode & 0o077 == 0
        settings = {}
        for name in ("port", "appendfsync", "appendonly", "maxmemory", "maxmemory-policy", "set-max-intset-entries"):
            settings[name] = (await store.client.run("CONFIG", "GET", name))[1].decode()
        assert settings == {
            "port": "0",
            "appendfsync": "always",
            "appendonly": "yes",
            "maxmemory": str(64 * MIB),
            "maxmemory-policy": "noeviction",
            "set-max-intset-entries": "16384",
        }
        health = await examine(store.client, STREAMS, SystemClock().now_ms)
        assert [one for one in health.findings if one.level is not Level.OK] == []
        assert "survives a power cut" in health.durability
        pid = (await store.client.run("INFO", "server"))["process_id"]
        assert os.getsid(pid) == pid, "its own session: Ctrl-C must not reach it"
    assert not lives(valkey)
    assert told.changes == ["started", "ballast_restored", "stopped"]


async def test_a_second_relay_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    async with watched(tmp_path, Told()):
        with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
            await EmbeddedValkey(tmp_path, OPTIONS, SystemClock(), Told()).start()
    async with watched(tmp_path, Told()):
        pass


async def test_a_killed_server_comes_back_with_all_entries(tmp_path: Path) -> None:
    told = Told()
    async with watched(tmp_path, told) as (valkey, store):
        assert all(await owe(store, 50))
        pid = (await store.client.run("INFO", "server"))["process_id"]
        os.kill(pid, signal.SIGKILL)
        await until(lambda: told.changes.count("started") == 2 and valkey.alive)
        await well(store)
        assert await owed(store) == 50
        assert await owe(store, 50) == [False] * 50
    assert "died" in told.changes


ORPHAN = """
import asyncio, sys
from pathlib import Path
from relay.adapters.redis.embedded import REWRITE_S, EmbeddedOptions, EmbeddedValkey
from relay.adapters.system import SystemClock

async def main():
    options = EmbeddedOptions(max_memory=64 * 1024**2, disk_floor=1, ballast=1)
    valkey = EmbeddedValkey(Path(sys.argv[1]), options, SystemClock(), lambda notice: None)
    await valkey.start()
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_relay(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that runs an embedded server in ``folder``."""
    child = subprocess.Popen([sys.executable, "-c", ORPHAN, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate(timeout=10)


async def test_the_orphan_of_a_killed_relay_is_adopted_and_stopped(tmp_path: Path) -> None:
    relay = start_relay(tmp_path)
    with pytest.raises(ConfigError, match=f"process {relay.pid}"):
        await EmbeddedValkey(tmp_path, OPTIONS, SystemClock(), Told()).start()
    kill(relay)
    told = Told()
    async with watched(tmp_path, told) as (valkey, store):
        assert told.changes[0] == "adopted"
        assert lives(valkey)
        assert all(await owe(store, 5))
        assert (await store.client.run("CONFIG", "GET", "appendfsync"))[1] == b"always"
    assert not lives(valkey)
    async with watched(tmp_path, told) as (_, store):
        assert await owed(store) == 5


async def test_an_adopted_server_that_dies_is_replaced(tmp_path: Path) -> None:
    kill(start_relay(tmp_path))
    told = Told()
    async with watched(tmp_path, told) as (valkey, store):
        assert all(await owe(store, 5))
        os.kill((await store.client.run("INFO", "server"))["process_id"], signal.SIGKILL)
        await until(lambda: "started" in told.changes and valkey.alive)
        await well(store)
        assert await owed(store) == 5


async def test_a_lock_held_by_something_that_does_not_answer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.adapters.redis.embedded.START_S", 0.3)
    lock = tmp_path / "lock"
    holder = subprocess.Popen(["flock", str(lock), "sleep", "60"], start_new_session=True)
    try:
        await until(lock.exists)
        await asyncio.sleep(0.1)
        with pytest.raises(ConfigError, match="does not answer"):
            await EmbeddedValkey(tmp_path, OPTIONS, SystemClock(), Told()).start()
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait(10)
    async with watched(tmp_path, Told()):
        pass


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    stubborn = tmp_path / "valkey-server"
    stubborn.write_text("#!/bin/sh\necho 'no thanks'\nexit 1\n")
    stubborn.chmod(0o755)
    options = EmbeddedOptions(max_memory=MIB, valkey=stubborn)
    with pytest.raises(ConfigError, match="no thanks"):
        await EmbeddedValkey(tmp_path / "data", options, SystemClock(), Told()).start()
    with pytest.raises(ConfigError, match="cannot be started"):
        await EmbeddedValkey(
            tmp_path / "data", EmbeddedOptions(valkey=tmp_path / "nothing"), SystemClock(), Told()
        ).start()


async def test_a_data_directory_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="RELAY_DATA_DIR"):
        await EmbeddedValkey(tmp_path / "file" / "data", OPTIONS, SystemClock(), Told()).start()


async def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    async with watched(deep, Told()) as (valkey, store):
        assert not valkey.socket_path.is_relative_to(deep)
        assert valkey.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert all(await owe(store, 2))
    valkey.socket_path.parent.rmdir()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        missing("mounting a small tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def drain(store: RedisStore) -> int:
    drained = 0
    while (claimed := await store.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)) is not None:
        settled = await store.owed.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
        drained += settled.delivered
    return drained


async def test_below_the_floor_nothing_is_accepted_and_delivery_goes_on(small_disk: Path) -> None:
    told, noise = Told(), random.Random(1).randbytes(2000)
    options = EmbeddedOptions(max_memory=64 * MIB, disk_floor=8 * MIB, ballast=MIB)
    async with watched(small_disk / "data", told, options) as (valkey, store):
        taken = 0
        with suppress(StoreUnavailable):
            while True:
                taken += sum(await owe(store, 200, noise, taken))
        await until(lambda: store.state.trouble is StoreTrouble.DISK_LOW)
        assert valkey.disk_free_bytes() > 7 * MIB
        assert await owed(store) == taken > 1000
        assert await drain(store) == taken
        await well(store)  # a rewrite gave the room back
        assert all(await owe(store, 1, start=taken))
    assert "died" not in told.changes


async def test_a_server_that_died_of_a_full_disk_comes_back_on_the_ballast_and_drains(small_disk: Path) -> None:
    told, noise = Told(), random.Random(1).randbytes(2000)
    options = EmbeddedOptions(max_memory=64 * MIB, disk_floor=0, ballast=4 * MIB)
    async with watched(small_disk / "data", told, options) as (_, store):
        taken = 0
        with suppress(StoreUnavailable):
            while True:
                taken += sum(await owe(store, 200, noise, taken))
        await until(lambda: "ballast_given_up" in told.changes and told.changes.count("started") == 2)
        await well(store)
        assert await owed(store) >= taken > 3000, "everything that was acknowledged is there"
        assert await drain(store) >= taken
        await store.client.run("BGREWRITEAOF")
        await until(lambda: told.changes.count("ballast_restored") == 2)
        assert all(await owe(store, 10, start=10**6))
    assert await asyncio.to_thread((small_disk / "data" / "ballast").exists)


def on_disk(folder: Path, text: bytes) -> bool:
    found = False
    for file in (folder / "valkey" / "appendonlydir").iterdir():
        with suppress(FileNotFoundError):  # a rewrite ends while we look
            found |= text in file.read_bytes()
    return found


async def leave_something(store: RedisStore, folder: Path) -> None:
    """What was written and deleted again is still in the file."""
    await store.client.run("SET", "kept", "mara@example.com")
    await store.client.run("SET", "gone", "ines@example.com")
    await store.client.run("DEL", "gone")
    assert on_disk(folder, b"ines@example.com")


async def test_what_was_erased_leaves_the_disk_when_somebody_asks_for_it(tmp_path: Path) -> None:
    async with watched(tmp_path, Told()) as (valkey, store):
        await well(store)
        await leave_something(store, tmp_path)
        suppression = Suppression(store.suppressions, SystemClock(), Told())
        eraser = Eraser(store.erasure, suppression, SystemClock(), Told(), valkey.rewrite_soon)
        assert not (await eraser.erase(names_of(user_id="ines"), dry=True)).cursor
        await asyncio.sleep(1.5)
        assert on_disk(tmp_path, b"ines@example.com")
        assert not (await eraser.erase(names_of(user_id="ines"))).cursor
        await until(lambda: not on_disk(tmp_path, b"ines@example.com"))
        assert await store.client.run("GET", "kept") == b"mara@example.com"


async def test_what_is_gone_leaves_the_disk_within_about_a_day(tmp_path: Path) -> None:
    async with watched(tmp_path, Told()) as (_, store):
        await well(store)
        await leave_something(store, tmp_path)
        await asyncio.sleep(1.5)
        assert on_disk(tmp_path, b"ines@example.com")
        [base] = (tmp_path / "valkey" / "appendonlydir").glob("*.base.*")
        yesterday = time.time() - REWRITE_S
        os.utime(base, (yesterday, yesterday))
        await until(lambda: not on_disk(tmp_path, b"ines@example.com"))
