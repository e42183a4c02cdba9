"""Bad events in a backlog, by processes: TikTok says in five ways which one it means, or does not. And a bad key."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.benchmarks.bench_drain import batches
from tests.benchmarks.load import run_fire
from tests.e2e.processes import Relay, Simulator, playground, wait_for

NAMED = ("data[2]", "data.2", "index 2")
UNNAMED = ("none", "vague")


def orders(prefix: str, count: int) -> list[bytes]:
    """Events that a preset matches; the id tells TikTok's item."""
    properties: dict[str, Any] = {"value": 10.5, "currency": "EUR"}
    event = {"type": "track", "event": "Order Completed", "userId": "jane", "properties": properties}
    return [json.dumps(event | {"messageId": f"{prefix}-{number}"}).encode() for number in range(count)]


def extra_calls(relay: Relay, simulator: Simulator, style: str, count: int, bad: int) -> int:
    """Owe, then drain with ``bad`` of them refused; calls beyond the full ones."""
    prefix = f"{style}/{count}"
    wrong = [f"{prefix}-{number}" for number in random.Random(count).sample(range(count), bad)]
    simulator.control(index_style=style, refuse_ids=wrong)
    relay.admin("/api/destinations/tiktok/pause", "POST", {})
    run_fire(relay.port, batches(orders(prefix, count)), 1)
    before = simulator.counted()
    relay.admin("/api/destinations/tiktok/resume", "POST", {})
    relay.drained()
    after = simulator.counted()
    assert after["unique"] - before["unique"] == count - bad
    assert after["duplicate"] == 0
    extra: int = after["requests"] - before["requests"] - count // 500
    print(f"{bad} bad in {count:,}, index {style!r}: {extra} extra calls")
    return extra


@pytest.mark.e2e
@pytest.mark.timeout(240)
def test_bad_events_cost_few_calls_and_no_good_event(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        for style in (*NAMED, *UNNAMED):
            assert extra_calls(relay, simulator, style, 1_000, 1) <= (2 if style in NAMED else 22)
        assert extra_calls(relay, simulator, "data[2]", 10_000, 100) <= 220
        assert extra_calls(relay, simulator, "vague", 10_000, 100) <= 1_500
        letters = relay.admin("/api/dead-letters?destination=tiktok&limit=1000")["letters"]
        assert len(letters) == 5 + 2 * 100
        status = relay.admin("/api/status")
        assert status["destinations"][0]["gate"] == "closed"
        assert all(stream["unbalanced"] == 0 for stream in status["streams"])


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_a_damaged_key_ends_no_process_and_sends_nothing_twice(tmp_path: Path) -> None:
    """Damaged while calls are under way, over a restart, and mended under a running relay."""
    with playground(tmp_path) as (relay, simulator):
        store = redis.Redis(unix_socket_path=str(next(relay.folder.rglob("*.sock"))))
        simulator.control(latency=1_500)
        run_fire(relay.port, batches(orders("before", 100)), 1)
        time.sleep(0.5)
        store.set("relay:{0}:dead:tiktok", "of another type")
        wait_for("its complaint", lambda: "the store refused" in relay.tail())
        run_fire(relay.port, batches(orders("during", 100)), 1)
        counted = simulator.counted()["unique"]
        assert counted
        relay.kill()
        relay.up()
        time.sleep(35)
        run_fire(relay.port, batches(orders("after", 100)), 1)
        assert simulator.counted()["unique"] == counted
        assert simulator.counted()["duplicate"] == 0
        store.delete("relay:{0}:dead:tiktok")
        relay.drained(60)
        assert simulator.counted()["unique"] == 300
        assert simulator.counted()["duplicate"] <= counted  # what TikTok took before the crash, once more
        assert relay.child is not None
        assert relay.child.poll() is None
