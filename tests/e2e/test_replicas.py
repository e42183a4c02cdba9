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

OWED = 12_000
LEASE_S = 5
IN_FLIGHT = 16 * 500
"""What one replica may have on the wire: calls times items."""


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


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_other_finishes_what_a_killed_replica_had_claimed(tmp_path: Path) -> None:
    pace = {
        "RELAY_JOURNAL__LEASE": f"{LEASE_S}s",
        "RELAY_DELIVERY__TIMEOUT": "3s",
        "RELAY_DELIVERY__BATCH_ITEMS": "100",
        "RELAY_DELIVERY__CONCURRENCY": "4",
        "RELAY_DESTINATIONS__0__MODE": "paused",
    }
    with two_relays(tmp_path, **pace) as (one, two, simulator):
        simulator.control(latency=300)
        run_fire(one.port, batches(orders("owed", OWED)), 1)
        wait_for("both to see it", lambda: one.owed() == two.owed() == OWED)
        one.admin("/api/destinations/tiktok/resume", "POST", {})
        wait_for("a quarter of it", lambda: simulator.counted()["unique"] >= OWED / 4)
        wait_for("both at work", lambda: min(delivered(one), delivered(two)) > 0)
        left = OWED - simulator.counted()["unique"]
        one.kill()
        killed = time.monotonic()
        two.drained()
        seconds = time.monotonic() - killed
        counted = simulator.counted()
        status = two.admin("/api/status")
    print(f"{left} left at the kill, all settled after {seconds:.1f} s, {counted['duplicate']} items repeated")
    assert left > 0
    assert counted["unique"] == OWED, "nothing is lost"
    assert counted["doubled"] == 0
    assert counted["duplicate"] <= IN_FLIGHT
    assert seconds <= 6 * LEASE_S, "the lease, and time for a busy machine"
    assert all(stream["unbalanced"] == 0 for stream in status["streams"])
