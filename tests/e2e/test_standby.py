"""The standby drill: Segment's own destination, played by a primary, sends the same events and loses some silently."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relay.core.event import JsonObject
from relay.core.mapping import load_presets
from relay.core.mapping.destination import DestinationMapping, compile_destination
from relay.simulator.traffic import traffic
from tests.e2e.processes import PIXEL, Relay, Sender, Simulator, clean_environ, playground, wait_for

PERIOD = 40
"""Events of each part of the drill."""


def command(relay: Relay, *words: str) -> str:
    """A command of ours against this relay, as an operator types it."""
    environ = clean_environ(RELAY_ADMIN_PORT=str(relay.admin_port), RELAY_ADMIN_TOKEN="made-up-admin-token")
    done = subprocess.run(
        [sys.executable, "-m", "relay", *words], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


@dataclass
class Primary:
    """Sends what Segment's destination would send, one item a call; ``losing``: it says yes and sends nothing."""

    tiktok: str
    mapping: DestinationMapping
    losing: bool = False
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def send(self, session: aiohttp.ClientSession, event: JsonObject) -> None:
        for item in self.mapping.items(event, int(time.time())):
            if item.error is None and item.data is not None and not self.losing:
                body = {"event_source": "web", "event_source_id": PIXEL, "data": [item.data]}
                url = f"{self.tiktok}/open_api/v1.3/event/track/"
                async with session.post(url, json=body, headers={"Access-Token": "made-up-token"}) as answer:
                    assert (await answer.json())["code"] == 0
                self.sent[item.data["event"], item.data["event_id"]] += 1


@dataclass
class Drill:
    """Everything on stage. ``wanted``: what TikTok must count, once each."""

    relay: Relay
    simulator: Simulator
    primary: Primary
    events: Iterator[JsonObject]
    wanted: set[tuple[str, str]] = field(default_factory=set)

    def play(self, count: int) -> set[tuple[str, str]]:
        """Events to both; what TikTok must count of them."""
        return asyncio.run(self._play(count))

    async def _play(self, count: int) -> set[tuple[str, str]]:
        sender = Sender(self.relay.webhook)
        wanted: set[tuple[str, str]] = set()
        async with aiohttp.ClientSession() as session:
            while len(wanted) < count:
                event = next(self.events)
                assert await sender.send(session, event)
                await self.primary.send(session, event)
                items = self.primary.mapping.items(event, int(time.time()))
                data = [item.data for item in items if item.error is None and item.data is not None]
                wanted |= {(one["event"], one["event_id"]) for one in data}
        self.wanted |= wanted
        return wanted

    def destination(self) -> dict[str, Any]:
        [part] = self.relay.admin("/api/status")["destinations"]
        return dict(part)


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_a_silent_loss_is_made_good_and_everything_counts_once(tmp_path: Path) -> None:
    environ = {"RELAY_DESTINATIONS__0__MODE": "standby", "RELAY_JOURNAL__TIMEOUT": "3"}
    mapping = compile_destination("tiktok-conversions", PIXEL, load_presets("tiktok-conversions"))
    with playground(tmp_path, **environ) as (relay, simulator):
        drill = Drill(relay, simulator, Primary(simulator.url, mapping), traffic(5, time.time_ns() // 1_000_000))
        for turn in (1, 2):
            run_turn(drill, turn)
        log = [json.loads(line) for line in relay.log.read_text().splitlines() if line.startswith("{")]
        told = Counter(line["event"] for line in log)
        assert (told["failover_started"], told["failback_started"], told["failback_finished"]) == (2, 2, 2)


def run_turn(drill: Drill, turn: int) -> None:
    """All is well, a silent loss, failover, failback."""
    relay, simulator = drill.relay, drill.simulator
    well = drill.play(PERIOD)
    time.sleep(1.1)
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    drill.primary.losing = True
    lost = drill.play(PERIOD)
    assert not lost & set(simulator.ids()), "the loss is real"
    part = drill.destination()
    assert (part["mode"], part["backlog"], part["oldest_age_seconds"]) == ("standby", 0, None)
    stood_by = part["standing_by"]
    assert stood_by >= turn * 2 * PERIOD - 5

    assert "sends everything received since" in command(relay, "failover", "tiktok", "--since", since)
    command(relay, "failover", "tiktok", "--since", since)
    wait_for("what was lost", lambda: lost <= set(simulator.ids()))
    during = drill.play(PERIOD)
    wait_for("what comes", lambda: during <= set(simulator.ids()))
    assert "failing over since" in command(relay, "status")
    assert relay.metric("relay_destination_mode", mode="failover") == 1

    drill.primary.losing = False
    command(relay, "failback", "tiktok")
    overlap = drill.play(PERIOD)  # both send for a moment, twice journal.timeout long
    command(relay, "failback", "tiktok")
    wait_for("the failback to finish", lambda: drill.destination()["mode"] == "standby")
    after = drill.play(PERIOD)
    time.sleep(1.5)
    counted = simulator.ids()
    assert drill.wanted <= set(counted)
    assert simulator.counted()["doubled"] == 0
    sent = drill.primary.sent
    twice = {key: counted[key] for key in well | after if counted[key] != sent[key]}
    assert not twice, "who stands by sends nothing"
    assert any(counted[key] > sent[key] for key in overlap), "both sent, and TikTok counted once"
    status = relay.admin("/api/status")
    assert all(stream["unbalanced"] == 0 for stream in status["streams"])
    assert "standby" in command(relay, "status")


@pytest.mark.e2e
def test_what_stands_by_lapses_and_a_failover_outlives_a_kill(tmp_path: Path) -> None:
    environ = {"RELAY_DESTINATIONS__0__MODE": "standby", "RELAY_JOURNAL__RETENTION": "3s"}
    mapping = compile_destination("tiktok-conversions", PIXEL, load_presets("tiktok-conversions"))
    with playground(tmp_path, **environ) as (relay, simulator):
        drill = Drill(relay, simulator, Primary(simulator.url, mapping), traffic(6, time.time_ns() // 1_000_000))
        drill.primary.losing = True
        drill.play(PERIOD)
        wait_for("lapsing", lambda: drill.destination()["lapsed"] and not drill.destination()["owed"], 30)
        assert relay.metric("relay_entries_settled_total", ending="lapsed") > 0
        assert simulator.counted()["unique"] == 0
        relay.admin("/api/destinations/tiktok/failover", "POST", {"since": "0s"})
        relay.kill()
        relay.up()
        taken = drill.play(PERIOD)
        wait_for("deliveries after the restart", lambda: taken <= set(simulator.ids()))
        assert drill.destination()["mode"] == "failover"
