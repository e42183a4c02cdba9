"""A day that TikTok forgot, sent again from the archive by the commands an operator types."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Relay, http_json, playground, sign, wait_for

ARCHIVE = {"RELAY_JOURNAL__ARCHIVE": "true", "RELAY_JOURNAL__LEASE": "2.6", "RELAY_DELIVERY__TIMEOUT": "0.6"}


def subscriptions(*triggers: str) -> str:
    settings = {"event_source": "web", "event": {"@path": "$.event"}, "event_id": {"@path": "$.messageId"}}
    each = [
        {"id": name, "name": name, "actionSlug": "reportWebEvent", "enabled": True}
        | {"trigger": f'event = "{name}"', "settings": json.dumps(settings)}
        for name in triggers
    ]
    return json.dumps({"data": {"subscriptions": each, "pagination": {}}})


def send(relay: Relay, event: str, *ids: str) -> None:
    body = json.dumps([{"type": "track", "event": event, "messageId": id_, "userId": "u"} for id_ in ids]).encode()
    request = urllib.request.Request(relay.webhook, body, {"X-Signature": sign(body)})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def command(relay: Relay, *words: str) -> str:
    """A command as an operator types it; it must succeed."""
    words = (sys.executable, "-m", "relay", *words)
    done = subprocess.run(words, env=relay.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def replay(relay: Relay) -> dict[str, Any]:
    return dict(relay.admin("/api/replays")["replay"])


def books(relay: Relay) -> dict[str, int]:
    """All lines of the ledger; they balance."""
    streams = relay.admin("/api/status")["streams"]
    assert not any(stream["unbalanced"] for stream in streams)
    lines = {line for stream in streams for line in stream["books"]}
    return {line: sum(stream["books"].get(line, 0) for stream in streams) for line in lines}


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


@pytest.mark.e2e
def test_what_tiktok_forgot_and_what_a_mapping_overlooked_is_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    file.write_text(subscriptions("Bought"))
    with playground(tmp_path, RELAY_DESTINATIONS__0__MAPPING=str(file), **ARCHIVE) as (relay, simulator):
        relay.environ["RELAY_TIKTOK_BASE_URL"] = simulator.url
        send(relay, "Bought", *names("b", 60))
        send(relay, "Signed", *names("s", 20))
        send(relay, "Signed", *names("s", 20))
        wait_for("delivery", lambda: simulator.counted()["unique"] == 60)
        relay.drained()
        assert "delivered at" in command(relay, "trace", "b-1")
        http_json(f"{simulator.url}/counted", "DELETE")

        dry = relay.admin("/api/replays", "POST", {"since": "1h", "dry_run": True})
        assert (dry["entries"], dry["left"]) == (60, {"unwanted": 20})
        assert simulator.counted()["unique"] == 0
        assert "done, 60 of about 60 owed again" in command(relay, "replay", "--since", "1h", "--yes")
        relay.drained()
        assert simulator.ids() == {("Bought", name): 1 for name in names("b", 60)}
        assert sum(relay.admin("/api/status")["archive"]["events"].values()) == 80

        file.write_text(subscriptions("Bought", "Signed"))
        assert relay.child is not None
        relay.child.send_signal(signal.SIGHUP)
        loaded = {"destination": "tiktok", "result": "reloaded"}
        wait_for("the mapping", lambda: relay.metric("relay_mapping_reloads_total", **loaded) >= 1)
        assert "20 to send again" in command(relay, "replay", "--since", "1h", "--event", "Signed", "--yes")
        relay.drained()
        wait_for("what was overlooked", lambda: simulator.counted()["unique"] == 80)
        send(relay, "Signed", *names("s", 20))
        relay.drained()
        assert set(simulator.ids().values()) == {1}, "what Segment repeats now is a duplicate"
        found = books(relay)
        assert (found["accepted"], found["requeued"], found["delivered"], found["duplicates"]) == (60, 80, 140, 20)


@pytest.mark.e2e
def test_a_replay_outlives_its_relay(tmp_path: Path) -> None:
    """Paused, resumed, and the relay killed in mid replay: everything is owed again once, whoever does it."""
    file = tmp_path / "mapping.json"
    file.write_text(subscriptions("Bought"))
    with playground(tmp_path, RELAY_DESTINATIONS__0__MAPPING=str(file), **ARCHIVE) as (relay, simulator):
        send(relay, "Bought", *names("b", 150))
        wait_for("delivery", lambda: simulator.counted()["unique"] == 150)
        relay.drained()
        http_json(f"{simulator.url}/counted", "DELETE")
        relay.admin("/api/replays", "POST", {"since": "1h", "rate": 40})
        wait_for("the beginning", lambda: replay(relay)["moved"] >= 20)
        relay.admin("/api/replays/pause", "POST")
        moved = replay(relay)["moved"]
        relay.drained()
        assert replay(relay)["moved"] == moved < 150
        relay.admin("/api/replays/resume", "POST")
        wait_for("more", lambda: replay(relay)["moved"] > moved)
        relay.kill()
        relay.up()
        wait_for("the end", lambda: replay(relay)["state"] == "done")
        relay.drained()
        assert replay(relay)["moved"] == 150
        found = books(relay)
        assert (found["accepted"], found["requeued"], found["delivered"]) == (150, 150, 300)
        counted = simulator.counted()
        assert (counted["unique"], counted["doubled"]) == (150, 0)
        assert '"change": "taken_over"' in relay.tail(100_000)
