"""Durable intake ÷ an empty aiohttp handler: embedded Valkey, fsync always, signature checked, one event a request.

Judged with few connections. Each round measures both, one right after the other, and gives one ratio: on a machine that
is now fast and now slow, only neighbours can be compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from operator import truediv
from pathlib import Path
from typing import Any

from tests.benchmarks.load import cpu_seconds, events, requests, run_fire
from tests.e2e.processes import Relay, free_port, wait_for

ROUNDS = 5
COUNT = 20_000
FEW, MANY = 64, 256
TARGET = 0.45


def run(rounds: int = ROUNDS, count: int = COUNT) -> dict[str, Any]:
    """Alternate baseline and relay; the ratio is the median of the rounds'. Nothing is delivered meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        relay = Relay.create(Path(name), "http://127.0.0.1:9", None, RELAY_DESTINATIONS__0__MODE="paused")
        port = free_port()
        empty = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.empty_handler", str(port)])
        try:
            relay.up()
            wait_for("the empty handler", lambda: run_fire(port, requests(events(999, 10)), 1))
            few = rates(relay, empty.pid, port, [requests(events(seed, count)) for seed in range(rounds)], FEW)
            seeds = range(rounds, 2 * rounds)
            many = rates(relay, empty.pid, port, [requests(events(seed, count)) for seed in seeds], MANY)
            return {**few, **many, "target": f">= {TARGET} with {FEW}", "ok": few[f"ratio_with_{FEW}"] >= TARGET}
        finally:
            empty.kill()
            empty.wait()
            relay.stop()


def rates(relay: Relay, empty_pid: int, port: int, rounds: list[list[bytes]], connections: int) -> dict[str, Any]:
    """Requests a second and processor time, for the empty handler and for the relay."""
    assert relay.child is not None
    valkey = relay.valkey_pid()
    assert valkey is not None
    pids = {"empty": empty_pid, "relay": relay.child.pid, "valkey": valkey}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    empty, durable = [], []
    for rendered in rounds:
        empty.append(run_fire(port, rendered, connections))
        durable.append(run_fire(relay.port, rendered, connections))
    total = sum(map(len, rounds))
    spent = {name: (cpu_seconds(pid) - before[name]) / total * 1e6 for name, pid in pids.items()}
    return {
        f"empty_handler_per_second_with_{connections}": statistics.median(empty),
        f"durable_per_second_with_{connections}": statistics.median(durable),
        f"ratio_with_{connections}": statistics.median(map(truediv, durable, empty)),
        f"ratios_with_{connections}": " ".join(f"{ratio:.2f}" for ratio in map(truediv, durable, empty)),
        **{f"{name}_cpu_us_per_event_with_{connections}": micros for name, micros in spent.items()},
    }
