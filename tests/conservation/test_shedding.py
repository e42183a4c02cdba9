"""Shedding under the same storm, by two replicas with crashes, and planted faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.adapters.redis.connect import connect
from relay.adapters.redis.overflow import RedisOverflow
from relay.adapters.redis.store import RedisStore
from relay.core.event import EntryClass, Shed, StreamKey
from tests.conservation.shedding import SheddingWorld
from tests.conservation.test_conservation import LATER_MS, PROOF_SEEDS, SEEDS, STEPS
from tests.conservation.timed import TellsTime, scripts_on_told_time
from tests.conservation.watch import Witness
from tests.conservation.world import LIVE_AGE_MS, STREAMS
from tests.contract.valkey import running_valkey
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryOverflow, MemoryStore
from tests.twins.shelves import Id, Stream

__all__ = ["running_valkey"]  # a fixture

PIECE = 7
FAULT_SEEDS = 60


def memory_world(seed: int) -> SheddingWorld:
    clock = FakeClock()
    store = MemoryStore(STREAMS, clock, live_age_ms=LIVE_AGE_MS)
    store.overflow.pressed, store.overflow.piece = True, PIECE
    return SheddingWorld(seed, store, clock, Witness(LIVE_AGE_MS), full=store)


async def run_on_valkey(seed: int, socket: Path, patch: pytest.MonkeyPatch) -> None:
    scripts_on_told_time(patch)
    client = connect(f"unix://{socket}")
    await client.run("FLUSHDB")
    time = TellsTime(client, patch)
    clock = FakeClock(LATER_MS, busy=time.busy)

    async def tell() -> None:
        await time.tell(clock.now_ms())

    store = await RedisStore.open(client, STREAMS, clock)
    store.overflow = RedisOverflow(client, STREAMS, store.state, PIECE)
    store.state.room_bytes = 1
    try:
        world = SheddingWorld(seed, store, clock, Witness(LIVE_AGE_MS), tell, full=store, alone=False)
        await world.run(STEPS)
    finally:
        await store.close()


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
    shed = delivered = 0
    for seed in range(SEEDS):
        world = memory_world(seed)
        await world.run(STEPS)
        settled = world.witness.settled
        shed += sum(count for (_, ending), count in settled.items() if ending == "shed")
        delivered += sum(count for (one, ending), count in settled.items() if (one.klass, ending) == DELIVERED)
    assert min(shed, delivered) > 10 * SEEDS, (shed, delivered)


DELIVERED = (EntryClass.ENGAGEMENT, "delivered")


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


def a_conversion_is_shed(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow._loose

    def loose(key: StreamKey, one: Stream) -> list[Id]:
        return honest(StreamKey(key.destination, EntryClass.ENGAGEMENT), one)

    patch.setattr(MemoryOverflow, "_loose", staticmethod(loose))


def a_leased_entry_is_shed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryOverflow, "_loose", staticmethod(lambda key, one: one.ids[:] if engaging(key) else []))


def engaging(key: StreamKey) -> bool:
    return key.klass is EntryClass.ENGAGEMENT


def what_tiktok_may_have_is_shed(patch: pytest.MonkeyPatch) -> None:
    """A lease that is due holds nothing any more."""

    def loose(key: StreamKey, one: Stream) -> list[Id]:
        now = {id_ for held in one.leases.values() if held.due_ms for id_ in one.inside(held.first, held.last)}
        return [id_ for id_ in one.ids if id_ not in now] if engaging(key) else []

    patch.setattr(MemoryOverflow, "_loose", staticmethod(loose))


def shed_without_a_line_in_the_books(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow._give_up

    def give_up(self: MemoryOverflow, stream: StreamKey, until_ms: int) -> int:
        count = honest(self, stream, until_ms)
        self._state.stream(stream).books["shed"] -= count
        return count

    patch.setattr(MemoryOverflow, "_give_up", give_up)


def more_is_told_than_was_shed(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryOverflow.shed

    async def shed(self: MemoryOverflow) -> Shed | None:
        done = await honest(self)
        return done and Shed(done.stream, done.count + 1)

    patch.setattr(MemoryOverflow, "shed", shed)


@pytest.mark.parametrize(
    "plant",
    [
        a_conversion_is_shed,
        a_leased_entry_is_shed,
        what_tiktok_may_have_is_shed,
        shed_without_a_line_in_the_books,
        more_is_told_than_was_shed,
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
