"""Modes under the same storm: failovers, failbacks and lapses with crashes, two replicas, and planted faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import orjson
import pytest

from relay.adapters.redis import keys
from relay.adapters.redis.codec import Codec, load_dictionaries
from relay.adapters.redis.connect import Client, connect
from relay.adapters.redis.store import RedisStore
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import Lapsed, StreamKey
from tests.conservation.standby import StandbyWorld
from tests.conservation.test_conservation import LATER_MS, PROOF_SEEDS, SEEDS, STEPS
from tests.conservation.timed import TellsTime, scripts_on_told_time
from tests.conservation.watch import Witness
from tests.conservation.world import LIVE_AGE_MS, STREAMS
from tests.contract.valkey import running_valkey
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryModes, MemoryStore
from tests.twins.shelves import Id, Stream, Window

__all__ = ["running_valkey"]  # a fixture

FAULT_SEEDS = 60


def memory_world(seed: int) -> StandbyWorld:
    clock = FakeClock()
    store = MemoryStore(STREAMS, clock, live_age_ms=LIVE_AGE_MS)

    async def owed_now(stream: StreamKey) -> Mapping[str, int]:
        entries = store.state.streams[stream].entries.values()
        return {orjson.loads(entry.raw)["id"]: entry.received_ms for entry in entries}

    return StandbyWorld(seed, store, clock, Witness(LIVE_AGE_MS), owed_now=owed_now)


async def run_on_valkey(seed: int, socket: Path, patch: pytest.MonkeyPatch) -> None:
    scripts_on_told_time(patch)
    client = connect(f"unix://{socket}")
    await client.run("FLUSHDB")
    time = TellsTime(client, patch)
    clock = FakeClock(LATER_MS, busy=time.busy)

    async def tell() -> None:
        await time.tell(clock.now_ms())

    store = await RedisStore.open(client, STREAMS, clock)
    try:
        world = StandbyWorld(seed, store, clock, Witness(LIVE_AGE_MS), tell, owed_now=looks_into(client))
        await world.run(STEPS)
    finally:
        await store.close()


def looks_into(client: Client) -> Callable[[StreamKey], Awaitable[Mapping[str, int]]]:
    codec = Codec(load_dictionaries())

    async def owed_now(stream: StreamKey) -> Mapping[str, int]:
        found = {}
        for _, fields in await client.run("XRANGE", keys.owed(stream), "-", "+"):
            found[orjson.loads(codec.decode(fields[b"e"]))["id"]] = int(fields[b"m"].partition(b"|")[0])
        return found

    return owed_now


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_on_the_twin(seed: int) -> None:
    await memory_world(seed).run(STEPS)


@pytest.mark.parametrize("seed", range(PROOF_SEEDS, PROOF_SEEDS + SEEDS))
async def test_on_valkey_with_the_real_scripts(
    seed: int, running_valkey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_on_valkey(seed, running_valkey, monkeypatch)


async def test_the_storm_has_all_of_it() -> None:
    """Otherwise the laws above would hold for nothing."""
    seen = Counter[str]()
    for seed in range(SEEDS):
        world = memory_world(seed)
        await world.run(STEPS)
        seen.update(mode.value for mode in world.turns)
        seen["taken over"] += len(world.must_end)
        seen["lapsed"] += sum(count for (_, ending), count in world.witness.settled.items() if ending == "lapsed")
    assert min(seen.values()) > SEEDS, seen
    assert set(seen) >= {"standby", "failover", "failback", "taken over", "lapsed"}


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_many_seeds_on_the_twin() -> None:
    for seed in range(SEEDS, PROOF_SEEDS):
        await memory_world(seed).run(STEPS)


@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_many_seeds_on_valkey(running_valkey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(PROOF_SEEDS + SEEDS, 2 * PROOF_SEEDS):
        with monkeypatch.context() as patch:
            await run_on_valkey(seed, running_valkey, patch)


def lapses(patch: pytest.MonkeyPatch, chosen: Callable[[Stream, Id], bool], *, booked: bool = True) -> None:
    async def lapse(self: MemoryModes, stream: StreamKey) -> Lapsed:
        one = self._state.stream(stream)
        bound = self._state.clock.now_ms() - self._retention_ms
        gone = [id_ for id_ in one.ids if max(id_[0], one.entries[id_].received_ms) <= bound and chosen(one, id_)]
        for id_ in gone:
            one.remove(id_)
        one.books["lapsed"] += len(gone) * booked
        return Lapsed(len(gone))

    patch.setattr(MemoryModes, "lapse", lapse)


def leased(one: Stream, id_: Id) -> bool:
    return any(held.first <= id_ <= held.last for held in one.leases.values())


def a_leased_entry_lapses(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: leased(one, id_) or not one.window.holds(id_))


def what_was_taken_over_lapses(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: not leased(one, id_))


def lapsed_without_a_line_in_the_books(patch: pytest.MonkeyPatch) -> None:
    lapses(patch, lambda one, id_: not leased(one, id_) and not one.window.holds(id_), booked=False)


def entries_at_the_boundary_forgotten(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryModes._first

    def first(one: Stream, since_ms: int, former: Id | None) -> Id:
        found = honest(one, since_ms, former)
        return (found[0], found[1] + 1)

    patch.setattr(MemoryModes, "_first", staticmethod(first))


def a_failover_without_a_future(patch: pytest.MonkeyPatch) -> None:
    """It takes over what there is, and not what comes."""
    honest = MemoryModes._open

    def opened(self: MemoryModes, one: Stream, record: ModeRecord, stored: ModeRecord | None) -> None:
        honest(self, one, record, stored)
        if record.mode is Mode.FAILOVER:
            one.window.last = one.sequence.last

    patch.setattr(MemoryModes, "_open", opened)


def a_failover_forgets_the_failback_before(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryModes._first
    patch.setattr(MemoryModes, "_first", staticmethod(lambda one, since_ms, _: honest(one, since_ms, None)))
    patch.setattr("relay.engine.standby.failed_over", anew)


def anew(record: ModeRecord, since_ms: int) -> ModeRecord:
    return ModeRecord(Mode.FAILOVER, record.version, since_ms)


def a_failback_stops_before_finishing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryModes, "_early", lambda *_: False)


def who_stands_by_claims(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stream, "claimable", lambda self: (0, len(self.ids)))
    patch.setattr(Window, "holds", lambda *_: True)


@pytest.mark.parametrize(
    "plant",
    [
        a_leased_entry_lapses,
        what_was_taken_over_lapses,
        lapsed_without_a_line_in_the_books,
        entries_at_the_boundary_forgotten,
        a_failover_without_a_future,
        a_failover_forgets_the_failback_before,
        a_failback_stops_before_finishing,
        who_stands_by_claims,
    ],
)
async def test_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(FAULT_SEEDS):
        try:
            await memory_world(seed).run(STEPS)
        except (AssertionError, ExceptionGroup):
            return
    pytest.fail(f"{plant.__name__} went unseen in {FAULT_SEEDS} seeds")
