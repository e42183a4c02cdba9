"""The relay stays small while a long outage is taken in, owed and drained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.bench_drain import batches
from tests.benchmarks.load import events, peak_rss_mb, run_fire
from tests.e2e.processes import Relay, Simulator, playground, wait_for

LIMIT_MB = 150
SLICE = 20_000


def outage(relay: Relay, simulator: Simulator, slices: int) -> tuple[int, float]:
    """Take in while TikTok is down, then let it drain; entries owed at the peak and VmHWM in MB."""
    assert relay.child is not None
    simulator.control(outage="503")
    for seed in range(slices):
        run_fire(relay.port, batches(events(1000 + seed, SLICE)), 4)
    owed = relay.owed()
    simulator.control(outage="none")
    relay.drained(60 + slices * 6)
    assert simulator.counted()["doubled"] == 0
    wait_for("the books", lambda: all(stream["unbalanced"] == 0 for stream in relay.admin("/api/status")["streams"]))
    return owed, peak_rss_mb(relay.child.pid)


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_peak_memory_of_a_small_outage(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        owed, peak = outage(relay, simulator, 3)
    print(f"{owed} owed at the peak, VmHWM {peak:.0f} MB")
    assert owed > 20_000
    assert peak < LIMIT_MB


@pytest.mark.proof
@pytest.mark.timeout(3000)
def test_peak_memory_of_a_million(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        owed, peak = outage(relay, simulator, 50)
    print(f"{owed} owed at the peak of 1,000,000 taken in, VmHWM {peak:.0f} MB")
    assert peak < LIMIT_MB
