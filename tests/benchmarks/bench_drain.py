"""Drain: owed → mapped → accepted by a simulator without latency, against decoding and encoding the same events."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.load import cpu_seconds, events, peak_rss_mb, run_fire
from tests.e2e.processes import Relay, Simulator, sign, wait_for

TARGET = 0.08
COUNT = 200_000
BATCH = 500


def batches(bodies: list[bytes]) -> list[bytes]:
    """Signed requests of 500 events; the signature covers the whole array."""
    rendered = []
    for start in range(0, len(bodies), BATCH):
        body = b"[" + b",".join(bodies[start : start + BATCH]) + b"]"
        head = "POST /webhook/segment HTTP/1.1\r\nHost: relay.example.com\r\nContent-Type: application/json\r\n"
        head += f"X-Signature: {sign(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
        rendered.append(head.encode() + body)
    return rendered


def baseline(bodies: list[bytes]) -> float:
    """orjson.loads + orjson.dumps, events a second, median of 5."""
    found = []
    for _ in range(5):
        start = time.perf_counter()
        for body in bodies:
            orjson.dumps(orjson.loads(body))
        found.append(len(bodies) / (time.perf_counter() - start))
    return statistics.median(found)


def run(count: int = COUNT) -> dict[str, Any]:
    """Take in while paused, then resume and wait until TikTok has counted all that a preset matches."""
    bodies = events(4711, 20_000)
    decode_encode = baseline(bodies)
    with tempfile.TemporaryDirectory() as name:
        simulator = Simulator.create(Path(name))
        relay = Relay.create(Path(name), simulator.url, RELAY_DESTINATIONS__0__MODE="paused")
        try:
            simulator.up()
            relay.up()
            for seed in range(count // 20_000 * 2):
                if relay.owed() >= count:
                    break
                run_fire(relay.port, batches(events(seed, 20_000)), 2)
            return drain(relay, simulator, decode_encode)
        finally:
            relay.stop()
            simulator.kill()


def drain(relay: Relay, simulator: Simulator, decode_encode: float) -> dict[str, Any]:
    valkey = relay.valkey_pid()
    assert relay.child is not None
    assert simulator.child is not None
    assert valkey is not None
    pids = {"relay": relay.child.pid, "valkey": valkey, "simulator": simulator.child.pid}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    owed = relay.owed()
    start = time.perf_counter()
    relay.admin("/api/destinations/tiktok/resume", "POST", {})
    wait_for("the drain", lambda: simulator.counted()["unique"] >= owed, 120)
    seconds = time.perf_counter() - start
    rate = owed / seconds
    return {
        "owed": owed,
        "drained_per_second": rate,
        "decode_encode_per_second": decode_encode,
        "ratio": rate / decode_encode,
        "target": f">= {TARGET}",
        "ok": rate / decode_encode >= TARGET,
        "relay_peak_rss_mb": peak_rss_mb(relay.child.pid),
        **{f"{name}_cpu_us_per_event": (cpu_seconds(pid) - before[name]) / owed * 1e6 for name, pid in pids.items()},
    }
