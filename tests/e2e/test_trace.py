"""Why is this event not in TikTok? Five events with five different answers, from a real relay."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Relay, playground, sign, wait_for


def send(relay: Relay, message_id: str, **event: Any) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    properties = {"revenue": 12.5, "currency": "EUR", "products": [{"product_id": "p", "price": 12.5, "quantity": 1}]}
    document = {"type": "track", "event": "Order Completed", "messageId": message_id, "timestamp": now, "userId": "u"}
    body = json.dumps(document | {"properties": properties} | event).encode()
    headers = {"X-Signature": sign(body), "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(relay.webhook, body, headers), timeout=10) as answer:
        assert answer.status == 200


def trace(relay: Relay, message_id: str, *options: str) -> tuple[int, str]:
    """The command as an operator runs it."""
    command = [sys.executable, "-m", "relay", "trace", message_id, *options]
    done = subprocess.run(command, env=relay.environ, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.e2e
def test_five_events_five_answers(tmp_path: Path) -> None:
    hostile = "owed/ü?x=1&y #\t%2F"
    with playground(tmp_path) as (relay, simulator):
        send(relay, "delivered")
        wait_for("delivery", lambda: simulator.counted()["unique"] == 1)
        old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 20 * 86_400))
        send(relay, "dead", timestamp=old)
        wait_for("burial", lambda: relay.admin("/api/dead-letters?destination=tiktok")["letters"])
        send(relay, "filtered", event="Something Nobody Subscribes To")
        relay.drained()
        simulator.control(outage="503")
        send(relay, hostile)
        send(relay, "owed-too")
        wait_for("the gate to open", lambda: relay.admin("/api/status")["destinations"][0]["gate"] == "open")

        code, text = trace(relay, hostile, "--json")
        fate = json.loads(text)["destinations"][0]
        assert (code, fate["state"], fate["class"], fate["owed"]["behind"]) == (0, "owed", "conversion", 0)
        assert (fate["owed"]["value"], fate["owed"]["currency"]) == (12.5, "EUR")
        assert "the gate is" in fate["next"]
        assert "will pass its limit at" in fate["next"]
        assert fate["calls_made"] >= 1
        assert {call["code"] for call in fate["calls"]} == {"http_503"}
        assert "1 of its class are before it" in trace(relay, "owed-too")[1]

        code, text = trace(relay, "dead")
        assert code == 0
        assert "a dead letter" in text
        assert "expired" in text
        assert "relay dead-letters requeue tiktok" in text
        code, text = trace(relay, "delivered", "--destination", "tiktok")
        assert code == 0
        assert "it was accepted between" in text
        assert "Delivered: every other ending would have left a dead letter" in text
        code, text = trace(relay, "filtered")
        assert code == 0
        assert "no_subscription" in text
        code, text = trace(relay, "never-sent")
        assert code == 1
        assert "never accepted here" in text
        assert "nothing is known of never-sent" in text

        simulator.control(outage="none")
        relay.admin("/api/destinations/tiktok/probe", "POST", {})
        relay.drained()
        assert json.loads(trace(relay, hostile, "--json")[1])["destinations"][0]["state"] == "ended"
        relay.stop()
        assert trace(relay, "delivered")[0] == 3
