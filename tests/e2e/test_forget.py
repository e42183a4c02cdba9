"""An erasure request during an outage, by processes: TikTok never gets it, and nothing of the person is left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Relay, playground, sign, wait_for
from tests.e2e.thief import Thief

EMAIL = "Ines.Duarte@example.com"


def send(relay: Relay, *events: dict[str, Any]) -> None:
    """Each in a request of its own: Segment signs only the first of a batch."""
    for event in events:
        body = json.dumps(event).encode()
        headers = {"X-Signature": sign(body), "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(relay.webhook, body, headers), timeout=10) as answer:
            assert answer.status == 200


def order(name: str, user: str, email: str = "", age_s: float = 0) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age_s))
    properties: dict[str, Any] = {"revenue": 12.5, "currency": "EUR"} | ({"email": email} if email else {})
    event = {"type": "track", "event": "Order Completed", "messageId": name, "userId": user, "timestamp": at}
    return event | {"properties": properties}


def forget(relay: Relay, *arguments: str) -> tuple[int, str]:
    """The command as an operator runs it."""
    command = [sys.executable, "-m", "relay", "forget", *arguments]
    done = subprocess.run(command, env=relay.environ, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.e2e
def test_a_person_is_forgotten_while_tiktok_is_down(tmp_path: Path) -> None:
    archive = {"RELAY_JOURNAL__ARCHIVE": "true"}
    with playground(tmp_path, **archive) as (relay, simulator):
        send(relay, order("before", "ines", EMAIL), order("kept-before", "mara"))
        wait_for("delivery", lambda: simulator.counted()["unique"] == 2)
        send(relay, order("too-old", "ines", age_s=20 * 86_400))
        wait_for("a dead letter", lambda: relay.admin("/api/dead-letters?destination=tiktok")["letters"])
        simulator.control(outage="503")
        send(relay, *(order(f"ines-{n}", "ines") for n in range(20)), *(order(f"mara-{n}", "mara") for n in range(20)))
        send(relay, order("ines-by-mail", "somebody", EMAIL.upper()))
        wait_for("the gate to open", lambda: relay.admin("/api/status")["destinations"][0]["gate"] == "open")

        thief = Thief([{"email": EMAIL}])
        assert thief.found_in_store(relay.folder) == {EMAIL}
        code, text = forget(relay, "ines", "--email", EMAIL, "--dry-run")
        assert code == 0, text
        assert "would be erased: 21 owed, 1 dead letters, 1 archived" in text
        code, text = forget(relay, "ines", "--email", EMAIL, "--yes", "--json")
        done = json.loads(text)
        assert (code, done["dead_letters"], done["archive"], done["unreadable"]) == (0, 1, 1, 0)
        assert done["owed"] + done["leased"] == 21
        send(relay, order("after", "ines"), {"type": "delete", "messageId": "delete-1", "userId": "mara"})
        send(relay, {"messageId": "no-event", "userId": "ines", "quantity": 1})
        assert relay.metric("relay_events_turned_away_total", why="suppressed") == 2
        foreseen = relay.admin("/api/events?dry_run=true", "POST", [order("dry", "ines"), order("dry-2", "jo")])
        assert (foreseen["filtered"], foreseen["destinations"]["tiktok"]["sendable"]["entries"]) == (
            {"suppressed": 1},
            1,
        )
        weighed = relay.admin("/api/replays", "POST", {"since": "1h", "dry_run": True})
        assert (weighed["entries"], weighed["left"]) == (0, {"suppressed": 1}), "mara's, until the sweep"

        simulator.control(outage="none")
        relay.admin("/api/destinations/tiktok/probe", "POST", {})
        relay.drained()
        assert {id_ for _, id_ in simulator.ids()} == {"before", "kept-before"}
        streams = relay.admin("/api/status")["streams"]
        assert sum(stream["books"].get("forgotten", 0) for stream in streams) == 41
        assert all(stream["unbalanced"] == 0 for stream in streams)
        left = relay.admin("/api/forget", "POST", {"user_id": "ines", "email": EMAIL, "dry_run": True})
        assert (left["owed"], left["dead_letters"], left["archive"], left["leased"]) == (0, 0, 0, 0)
        assert forget(relay, "ines", "--email", EMAIL, "--yes")[0] == 0  # what was leased has gone as well by now
        wait_for("the file to be rewritten", lambda: not thief.found_in_store(relay.folder))

        assert relay.admin("/api/forget", "POST", {"user_id": "ines", "lift": True})["lifted"]
        send(relay, order("again", "ines"))
        wait_for("who is welcome again", lambda: "again" in {id_ for _, id_ in simulator.ids()})
        said = relay.log.read_text(encoding="utf-8").lower()
        assert "people_suppressed" in said
        assert "entries_forgotten" in said
        assert not re.search(r"\b(ines|mara)\b|duarte", said)
