"""Durable intake ÷ an empty aiohttp handler: embedded Valkey, fsync always, signature checked, one event a request."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.load import cpu_seconds, events, requests, run_fire
from tests.e2e.processes import Relay, free_port, http_json, wait_for

ROUNDS = 5
COUNT = 20_000
TARGET = 0.45


def run(rounds: int = ROUNDS, count: int = COUNT) -> dict[str, Any]:
    """Alternate baseline and relay; the ratio is of the medians of one run. Nothing is delivered meanwhile."""
    rendered = [requests(events(seed, count)) for seed in range(rounds)]
    with tempfile.TemporaryDirectory() as name:
        relay = Relay.create(Path(name), "http://127.0.0.1:9", RELAY_DESTINATIONS__0__MODE="paused")
        port = free_port()
        empty = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.empty_handler", str(port)])
        try:
            relay.up()
            wait_for("the empty handler", lambda: run_fire(port, rendered[0][:10], 1))
            return rates(relay, port, rendered)
        finally:
            empty.kill()
            empty.wait()
            relay.stop()


def rates(relay: Relay, port: int, rendered: list[list[bytes]]) -> dict[str, Any]:
    assert relay.child is not None
    valkey = relay.valkey_pid()
    assert valkey is not None
    before = cpu_seconds(relay.child.pid), cpu_seconds(valkey)
    empty, durable = [], []
    for requests_of_round in rendered:
        empty.append(run_fire(port, requests_of_round))
        durable.append(run_fire(relay.port, requests_of_round))
    total = sum(map(len, rendered))
    assert http_json(f"{relay.url}/healthz") is not None
    return {
        "empty_handler_per_second": statistics.median(empty),
        "durable_per_second": statistics.median(durable),
        "ratio": statistics.median(durable) / statistics.median(empty),
        "target": f">= {TARGET}",
        "ok": statistics.median(durable) / statistics.median(empty) >= TARGET,
        "relay_cpu_us_per_event": (cpu_seconds(relay.child.pid) - before[0]) / total * 1e6,
        "valkey_cpu_us_per_event": (cpu_seconds(valkey) - before[1]) / total * 1e6,
    }
