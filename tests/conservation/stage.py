"""Where a world plays: the twin of the store, or Valkey with the shipped scripts, and the clock that belongs to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson
import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.codec import Codec, load_dictionaries
from relay.adapters.redis.connect import Client, connect
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.overflow import RedisOverflow
from relay.adapters.redis.store import RedisStore
from relay.core.event import EntryClass, StreamKey
from relay.ports import Archive, DeadLetters, GateStore, Inbox, ModeStore, Overflow, Owed, Replays, Roster
from tests.conservation.timed import TellsTime, scripts_on_told_time
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

LIVE_AGE_MS = 30_000
LEASE_MS = 30_000
PIECE = 7
LATER_MS = 2_000_000_000_000
"""The server's own clock ends keys at a moment told in ours; from far ahead it ends none in mid-test."""


class Store(Protocol):
    """The ports that replicas and clients work with."""

    @property
    def inbox(self) -> Inbox: ...

    @property
    def owed(self) -> Owed: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    @property
    def gates(self) -> GateStore: ...

    @property
    def modes(self) -> ModeStore: ...

    @property
    def roster(self) -> Roster: ...

    @property
    def overflow(self) -> Overflow: ...

    @property
    def archive(self) -> Archive: ...

    @property
    def replays(self) -> Replays: ...


@dataclass(frozen=True)
class Stage:
    """``before`` runs ahead of each call that depends on the time; ``owed_now`` looks into a stream: ids → received.

    ``alone``: nothing else happens during a call. The overflow believes in a full store: whoever asks it sheds.
    """

    store: Store
    clock: FakeClock
    patch: pytest.MonkeyPatch
    before: Callable[[], Awaitable[None]]
    owed_now: Callable[[StreamKey], Awaitable[Mapping[str, int]]]
    alone: bool


def streams_of(names: Sequence[str]) -> list[StreamKey]:
    return [StreamKey(name, klass) for name in names for klass in EntryClass]


def on_the_twin(names: Sequence[str], patch: pytest.MonkeyPatch, *, archive: bool = False) -> Stage:
    clock = FakeClock()
    store = MemoryStore(streams_of(names), clock, LEASE_MS, LIVE_AGE_MS, archive=archive)
    store.overflow.pressed, store.overflow.piece = True, PIECE

    async def nothing() -> None:
        """A twin needs not be told the time."""

    async def owed_now(stream: StreamKey) -> Mapping[str, int]:
        entries = store.state.streams[stream].entries.values()
        return {orjson.loads(entry.raw)["id"]: entry.received_ms for entry in entries}

    return Stage(store, clock, patch, nothing, owed_now, alone=True)


@asynccontextmanager
async def on_valkey(
    names: Sequence[str], socket: Path, patch: pytest.MonkeyPatch, *, archive: bool = False
) -> AsyncIterator[Stage]:
    """An empty server on a clock of ours."""
    scripts_on_told_time(patch)
    client = connect(f"unix://{socket}")
    await client.run("FLUSHDB")
    time = TellsTime(client, patch)
    clock = FakeClock(LATER_MS, time.calls)

    async def tell() -> None:
        await time.tell(clock.now_ms())

    store = await RedisStore.open(client, streams_of(names), clock, StoreOptions(archive=archive))
    store.overflow = RedisOverflow(client, streams_of(names), store.state, PIECE)
    store.state.room_bytes = 1
    try:
        yield Stage(store, clock, patch, tell, _looks_into(client), alone=False)
    finally:
        await store.close()


def _looks_into(client: Client) -> Callable[[StreamKey], Awaitable[Mapping[str, int]]]:
    codec = Codec(load_dictionaries())

    async def owed_now(stream: StreamKey) -> Mapping[str, int]:
        found = {}
        for _, fields in await client.run("XRANGE", keys.owed(stream), "-", "+"):
            found[orjson.loads(codec.decode(fields[b"e"]))["id"]] = int(fields[b"m"].partition(b"|")[0])
        return found

    return owed_now
