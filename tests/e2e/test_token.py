"""Tokens that TikTok revokes, and their successors written into the same file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.benchmarks.bench_drain import batches
from tests.benchmarks.load import run_fire
from tests.e2e.processes import Relay, Simulator, wait_for
from tests.e2e.test_poison import orders

OWED = 200
TURNS = 3
"""Two of them must be in time: the third may meet a machine that is busy with something else."""
RESUMES_S = 5.0


def rotate(file: Path, token: str) -> None:
    """As orchestrators do: a whole new file in the old one's place."""
    fresh = file.with_suffix(".new")
    fresh.write_text(token)
    fresh.replace(file)


def gate(relay: Relay) -> str:
    return str(relay.admin("/api/status")["destinations"][0]["gate"])


def turn(relay: Relay, simulator: Simulator, file: Path, number: int) -> float:
    """Revoke, owe, rotate; seconds from the new file to the first delivery."""
    simulator.control(tokens=[f"token-{number}"])
    before = simulator.counted()["unique"]
    run_fire(relay.port, batches(orders(f"turn-{number}", OWED)), 1)
    wait_for("the hold", lambda: gate(relay) == "held")
    time.sleep(2.5)  # longer than a look at the file: an unchanged one wakes nobody
    assert gate(relay) == "held"
    assert simulator.counted()["unique"] == before
    rotate(file, f"token-{number}")
    rotated = time.monotonic()
    wait_for("deliveries", lambda: simulator.counted()["unique"] > before, 30)
    resumed_s = time.monotonic() - rotated
    relay.drained()
    wait_for("the gate to close", lambda: gate(relay) == "closed")
    assert simulator.counted()["unique"] == before + OWED
    return resumed_s


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_a_rotated_token_resumes_what_was_held(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token-0")
    simulator = Simulator.create(tmp_path)
    relay = Relay.create(tmp_path, simulator.url, RELAY_DESTINATIONS__0__ACCESS_TOKEN_FILE=str(file))
    del relay.environ["RELAY_DESTINATIONS__0__ACCESS_TOKEN"]
    try:
        simulator.up()
        relay.up()
        process = relay.child
        seconds = [turn(relay, simulator, file, number) for number in range(1, TURNS + 1)]
        print("resumed after " + ", ".join(f"{one:.1f} s" for one in seconds))
        assert sorted(seconds)[1] <= RESUMES_S
        assert relay.child is process, "without a restart"
        assert relay.admin("/api/dead-letters?destination=tiktok")["letters"] == []
        told = [json.loads(line) for line in relay.log.read_text().splitlines() if line.startswith("{")]
        moves = [(line["before"], line["after"]) for line in told if line["event"] == "gate_moved"]
        assert moves == TURNS * [("closed", "held"), ("held", "probing"), ("probing", "closed")]
    finally:
        if relay.child is not None and relay.child.poll() is None:
            relay.stop()
        relay.kill_valkey()
        simulator.kill()
