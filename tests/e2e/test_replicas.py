"""Two relays on one Redis: one is killed in the middle of a drain, the other finishes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.bench_drain import batches
from tests.benchmarks.load import run_fire
from tests.contract.valkey import valkey_server
from tests.e2e.processes import Relay, Simulator, wait_for
from tests.e2e.test_poison import orders

LATENCY_MS = 300
BUSY = 3
"""How much longer than TikTok's own time a call may take on a machine with other work."""
LOOKS_S = 5.0
"""Looking for leases that fell due, and being told that all is settled."""


@contextlib.contextmanager
def two_relays(folder: Path, **environ: str) -> Iterator[tuple[Relay, Relay, Simulator]]:
    """Both with doors of their own, on a server that is nobody's child; stopped by the pids that were started."""
    with valkey_server(aof=True) as path:
        simulator = Simulator.create(folder)
        relays = []
        for name in ("one", "two"):
            home = folder / name
            home.mkdir()
            relays.append(Relay.create(home, simulator.url, None, RELAY_REDIS_URL=f"unix://{path}", **environ))
        try:
            simulator.up()
            yield relays[0].up(), relays[1].up(), simulator
        finally:
            for relay in relays:
                if relay.child is not None and relay.child.poll() is None:
                    relay.stop()
            simulator.kill()


def delivered(relay: Relay) -> float:
    return relay.metric("relay_events_delivered_total", destination="tiktok")


def takes_over(folder: Path, owed: int, lease_s: int, calls: int, items: int) -> None:
    """Kill one in mid-drain. What it had on the wire may be repeated, and waits for its leases at most."""
    pace = {
        "RELAY_JOURNAL__LEASE": f"{lease_s}s",
        "RELAY_DELIVERY__TIMEOUT": "3s",
        "RELAY_DELIVERY__BATCH_ITEMS": str(items),
        "RELAY_DELIVERY__CONCURRENCY": str(calls),
        "RELAY_DESTINATIONS__0__MODE": "paused",
    }
    with two_relays(folder, **pace) as (one, two, simulator):
        simulator.control(latency=LATENCY_MS)
        run_fire(one.port, batches(orders("owed", owed)), 1)
        wait_for("both to see it", lambda: one.owed() == two.owed() == owed)
        one.admin("/api/destinations/tiktok/resume", "POST", {})
        wait_for("a quarter of it", lambda: simulator.counted()["unique"] >= owed / 4)
        wait_for("both at work", lambda: min(delivered(one), delivered(two)) > 0)
        left = owed - simulator.counted()["unique"]
        one.kill()
        killed = time.monotonic()
        two.drained(3 * lease_s + 60)
        seconds = time.monotonic() - killed
        counted = simulator.counted()
        status = two.admin("/api/status")
    print(f"{left} left at the kill, all settled after {seconds:.1f} s, {counted['duplicate']} items repeated")
    assert left > 0
    assert counted["unique"] == owed, "nothing is lost"
    assert counted["doubled"] == 0
    assert counted["duplicate"] <= calls * items
    assert seconds <= lease_s + BUSY * left / (calls * items / (LATENCY_MS / 1000)) + LOOKS_S, (
        "the lease, then the rest"
    )
    assert all(stream["unbalanced"] == 0 for stream in status["streams"])


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_other_finishes_what_a_killed_replica_had_claimed(tmp_path: Path) -> None:
    takes_over(tmp_path, 12_000, lease_s=5, calls=4, items=100)


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_the_other_finishes_with_everything_as_configured_by_default(tmp_path: Path) -> None:
    takes_over(tmp_path, 150_000, lease_s=30, calls=16, items=500)
