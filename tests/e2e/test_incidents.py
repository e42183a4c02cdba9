"""An outage of a few seconds, told afterwards: the report's numbers are the simulator's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.processes import Relay, Sender, Simulator, wait_for

IMPATIENT = [sys.executable, "-m", "tests.e2e.impatient"]


def shop(prefix: str) -> Iterator[dict[str, Any]]:
    """Orders in two currencies, and carts."""
    number = 0
    while True:
        event = "Product Added" if number % 3 else "Order Completed"
        properties = {"value": 10.5, "currency": "USD" if number % 2 else "EUR", "email": "jane@example.com"}
        yield {
            "type": "track",
            "event": event,
            "messageId": f"{prefix}-{number}",
            "userId": "jane",
            "properties": properties,
        }
        number += 1


def send(relay: Relay, prefix: str, seconds: float, rate: float = 40) -> set[str]:
    """Ids that were answered 200."""
    sender = Sender(relay.webhook)
    asyncio.run(sender.run(shop(prefix), rate, time.monotonic() + seconds))
    assert not sender.refused
    return sender.owed


def told(relay: Relay) -> dict[str, Any]:
    incidents = relay.admin("/api/incidents")["incidents"]
    found: dict[str, Any] = relay.admin(f"/api/incidents/{incidents[0]['id']}") if incidents else {}
    return found


@pytest.mark.e2e
def test_the_report_of_a_short_outage_has_the_simulator_s_numbers(tmp_path: Path) -> None:
    simulator = Simulator.create(tmp_path)
    relay = Relay.create(tmp_path, simulator.url, IMPATIENT)
    relay.environ["PYTHONPATH"] = str(ROOT)
    try:
        simulator.up()
        relay.up()
        before = send(relay, "before", 1)
        relay.drained()
        wait_for("what came before", lambda: simulator.counted()["unique"] == len(before))
        assert relay.admin("/api/incidents") == {"incidents": []}
        assert relay.metric("relay_incident_open", destination="tiktok") == 0

        simulator.control(outage="502")
        during = send(relay, "during", 5)
        wait_for("an incident", lambda: relay.metric("relay_incident_open", destination="tiktok") == 1)
        assert told(relay)["open"]
        relay.kill()  # in the middle of it: the record is in the store
        relay.up()
        during |= send(relay, "again", 2)
        simulator.control(outage="none")
        wait_for("the incident to close", lambda: not told(relay)["open"], 90)
        wait_for("the metric", lambda: relay.metric("relay_incident_open", destination="tiktok") == 0)

        document = told(relay)
        ids = {id_: event for event, id_ in simulator.ids() if id_ not in before}
        assert set(ids) == during
        entries = document["entries"]
        assert document["id"] == "tiktok-1"
        assert entries["owed_before"] + entries["arrived"] == entries["delivered"] == len(during)
        assert entries["unaccounted"] == entries["owed_after"] == 0
        assert sum(entries["lost"].values()) == 0
        items = Counter[str]()
        for row in document["events"]:
            items[row["event"]] += row["items"]
            assert row["value"] == pytest.approx(10.5 * row["items"])
        assert items == Counter(ids.values())
        assert document["not_broken_down"] == 0
        assert sum(sample["delivered"] for sample in document["samples"]) == len(during)
        assert {code["code"] for code in document["codes"]} == {"http_502"}
        texts = [line["text"] for line in document["timeline"]]
        assert texts[0] == "incident opened: deliveries stopped"
        assert texts[-1] == "incident closed"
        assert "a relay process started" in texts
        check_files(relay, tmp_path, len(during))
    finally:
        if relay.child is not None and relay.child.poll() is None:
            relay.stop()
        relay.kill_valkey()
        simulator.kill()


def check_files(relay: Relay, folder: Path, delivered: int) -> None:
    """What a team would send on: no person and no secret in it."""
    command = [sys.executable, "-m", "relay", "incidents"]
    listed = subprocess.run(command, env=relay.environ, capture_output=True, text=True, check=False, timeout=60)
    assert listed.returncode == 0, listed.stderr
    assert "tiktok-1" in listed.stdout
    for form in ("md", "html", "json"):
        file = folder / f"report.{form}"
        command = [sys.executable, "-m", "relay", "report", "latest", "--format", form, "--output", str(file)]
        done = subprocess.run(command, env=relay.environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        text = file.read_text(encoding="utf-8")
        assert str(delivered) in text
        for secret in ("jane", "made-up-token", "made-up-admin-token", "made-up-shared-secret"):
            assert secret not in text
    assert json.loads((folder / "report.json").read_text())["id"] == "tiktok-1"
