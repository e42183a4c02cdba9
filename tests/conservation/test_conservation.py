"""Seeds × random replies × crashes × two replicas: the books balance after every step, nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.adapters.redis.connect import connect
from relay.adapters.redis.store import RedisStore
from tests.conservation.timed import TellsTime, scripts_on_told_time
from tests.conservation.watch import Witness
from tests.conservation.world import LIVE_AGE_MS, STREAMS, World
from tests.contract.valkey import running_valkey
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

__all__ = ["running_valkey"]  # a fixture

STEPS = 40
SEEDS = 20
PROOF_SEEDS = 1_000
LATER_MS = 2_000_000_000_000
"""The server's own clock ends keys at a moment told in ours; from far ahead it ends none in mid-test."""


def memory_world(seed: int) -> World:
    clock = FakeClock()
    return World(seed, MemoryStore(STREAMS, clock, live_age_ms=LIVE_AGE_MS), clock, Witness(LIVE_AGE_MS))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_on_the_twin(seed: int) -> None:
    await memory_world(seed).run(STEPS)


@pytest.mark.parametrize("seed", range(PROOF_SEEDS, PROOF_SEEDS + SEEDS))
async def test_on_valkey_with_the_real_scripts(
    seed: int, running_valkey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_on_valkey(seed, running_valkey, monkeypatch)


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
        await World(seed, store, clock, Witness(LIVE_AGE_MS), tell).run(STEPS)
    finally:
        await store.close()
