"""Every contract test runs over the in-memory twin, over embedded Valkey, and over Redis where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.redis.connect import connect
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.event import NO_WORTH, EntryClass, NewEntry, StreamKey, Worth
from relay.ports import (
    Archive,
    DeadLetters,
    GateStore,
    Inbox,
    Incidents,
    ModeStore,
    Overflow,
    Owed,
    Replays,
    Roster,
    Suppressions,
    Tracks,
)
from tests.contract.valkey import running_valkey, valkey_server
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

__all__ = ["running_redis", "running_valkey"]

ORDERS = StreamKey("shop", EntryClass.CONVERSION)
VIEWS = StreamKey("shop", EntryClass.ENGAGEMENT)
OTHER = StreamKey("app", EntryClass.CONVERSION)
STREAMS = (ORDERS, VIEWS, OTHER)
LEASE_MS = 30_000
LIVE_AGE_MS = 30_000
RETENTION_MS = 400
GRACE_MS = 60


@dataclass
class Subject:
    """One store under test, and how its time passes."""

    inbox: Inbox
    owed: Owed
    dead_letters: DeadLetters
    gates: GateStore
    incidents: Incidents
    modes: ModeStore
    clock: FakeClock | SystemClock
    tracks: Tracks
    roster: Roster
    overflow: Overflow
    archive: Archive
    replays: Replays
    suppressions: Suppressions

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()

    async def passes(self, ms: int) -> None:
        """Let time pass: at once where the clock is ours. Redis has its own, so its leases here are short."""
        if isinstance(self.clock, FakeClock):
            self.clock.jump(ms / 1000)
        else:
            await asyncio.sleep(ms / 1000)

    def entry(self, name: str, stream: StreamKey = VIEWS, *, age_ms: int = 0, **more: Any) -> NewEntry:
        """A new entry, received ``age_ms`` ago; ``micros`` and ``currency`` for its worth."""
        worth = Worth(more.get("micros", 0), more.get("currency", "")) if "micros" in more else NO_WORTH
        raw = more.get("raw", b'{"messageId":"%s"}' % name.encode("ascii", "replace"))
        return NewEntry(stream, name, raw, self.now_ms - age_ms, more.get("source", "web"), worth)

    async def add(self, *names: str, stream: StreamKey = VIEWS, age_ms: int = 0) -> None:
        """Owe new entries of these names."""
        assert all(await self.inbox.append([self.entry(name, stream, age_ms=age_ms) for name in names]))


def ports_of(store: MemoryStore | RedisStore, clock: FakeClock | SystemClock) -> Subject:
    return Subject(
        store.inbox,
        store.owed,
        store.dead_letters,
        store.gates,
        store.incidents,
        store.modes,
        clock,
        store.tracks,
        store.roster,
        store.overflow,
        store.archive,
        store.replays,
        store.suppressions,
    )


class Stores:
    """Opens stores of one kind; each test gets an empty one."""

    def __init__(self, kind: str, socket: Path | None) -> None:
        self.kind, self.socket = kind, socket
        self._opened: list[RedisStore] = []

    async def open(
        self,
        lease_ms: int = LEASE_MS,
        live_age_ms: int = LIVE_AGE_MS,
        streams: Sequence[StreamKey] = STREAMS,
        retention_ms: int = RETENTION_MS,
        grace_ms: int = GRACE_MS,
        *,
        archive: bool = False,
    ) -> Subject:
        if self.socket is None:
            clock = FakeClock(int(time.time() * 1000))
            memory = MemoryStore(streams, clock, lease_ms, live_age_ms, retention_ms, grace_ms, archive=archive)
            memory.overflow.pressed = True
            return ports_of(memory, clock)
        options = StoreOptions(
            lease_ms=lease_ms,
            live_age_ms=live_age_ms,
            retention_ms=retention_ms,
            failback_grace_ms=grace_ms,
            archive=archive,
            sheds=True,
        )
        store = await RedisStore.open(connect(f"unix://{self.socket}"), streams, SystemClock(), options)
        self._opened.append(store)
        store.state.room_bytes = 1  # whatever it uses is too much, for as long as nobody looks again
        return ports_of(store, SystemClock())

    async def close(self) -> None:
        for store in self._opened:
            await store.client.run("FLUSHALL")
            await store.close()


@pytest.fixture(scope="session")
def running_redis() -> Iterator[Path]:
    """Socket of a Redis from the distribution."""
    with valkey_server(binary=shutil.which("redis-server")) as path:
        yield path


@pytest.fixture(params=["memory", "valkey", pytest.param("redis", marks=pytest.mark.needs("redis-server"))])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    kind = request.param
    socket = None if kind == "memory" else request.getfixturevalue(f"running_{kind}")
    opened = Stores(kind, socket)
    yield opened
    await opened.close()


@pytest.fixture
async def subject(stores: Stores) -> Subject:
    return await stores.open()


@pytest.fixture
async def redis_store(running_valkey: Path) -> AsyncIterator[RedisStore]:
    """The store over Valkey alone, for what only a server can show."""
    store = await RedisStore.open(connect(f"unix://{running_valkey}"), STREAMS, SystemClock())
    yield store
    await store.client.run("FLUSHALL")
    await store.close()
