"""A mapping file edited under a running relay: what is owed leaves by the mapping that is in force."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Relay, Simulator, playground, sign, wait_for


def subscriptions(event: object, trigger: str = 'type = "track"') -> str:
    """What Segment's Public API answers, settings as text."""
    settings = {"event_source": "web", "event": event, "event_id": {"@path": "$.messageId"}}
    one = {"id": "s", "name": "Mine", "actionSlug": "reportWebEvent", "enabled": True, "trigger": trigger}
    return json.dumps({"data": {"subscriptions": [{**one, "settings": json.dumps(settings)}], "pagination": {}}})


def send(relay: Relay, *ids: str) -> None:
    for message_id in ids:
        body = json.dumps({"type": "track", "event": "Anything", "messageId": message_id, "userId": "u"}).encode()
        request = urllib.request.Request(relay.webhook, body, {"X-Signature": sign(body)})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def reloads(relay: Relay, result: str) -> float:
    return relay.metric("relay_mapping_reloads_total", destination="tiktok", result=result)


def name_in_preview(relay: Relay) -> Any:
    shown = relay.admin("/api/preview", "POST", {"events": [{"type": "track", "messageId": "p"}]})
    return shown["events"][0]["results"][0]["item"]["event"]


def counted(simulator: Simulator, event: str) -> set[str]:
    return {message_id for (name, message_id) in simulator.ids() if name == event}


@pytest.mark.e2e
def test_a_corrected_mapping_applies_to_everything_owed(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    file.write_text(subscriptions("Lead"))
    paused, tried = {f"a-{number}" for number in range(20)}, {f"b-{number}" for number in range(20)}
    with playground(tmp_path, RELAY_DESTINATIONS__0__MAPPING=str(file)) as (relay, simulator):
        relay.admin("/api/destinations/tiktok/pause", "POST")
        send(relay, *sorted(paused))
        file.write_text(subscriptions("Contact")[:-30])
        wait_for("the refusal", lambda: relay.metric("relay_mapping_refused", destination="tiktok") == 1)
        assert (reloads(relay, "refused"), reloads(relay, "reloaded")) == (1, 0)
        assert name_in_preview(relay) == "Lead"
        assert relay.owed() == 20
        file.write_text(subscriptions("Contact"))
        wait_for("the mapping, by itself", lambda: reloads(relay, "reloaded") == 1)
        assert relay.metric("relay_mapping_refused", destination="tiktok") == 0
        assert name_in_preview(relay) == "Contact"
        relay.admin("/api/destinations/tiktok/resume", "POST")
        relay.drained()
        assert counted(simulator, "Contact") == paused

        simulator.control(outage="503")
        send(relay, *sorted(tried))
        wait_for("a failed call", lambda: relay.metric("relay_tiktok_requests_total", verdict="retry") > 0)
        file.write_text(subscriptions("SubmitForm"))
        assert relay.child is not None
        relay.child.send_signal(signal.SIGHUP)
        wait_for("the mapping, when asked", lambda: reloads(relay, "reloaded") >= 2, 5)
        simulator.control(outage="none")
        relay.admin("/api/destinations/tiktok/probe", "POST")
        relay.drained()
        assert counted(simulator, "SubmitForm") == tried
        assert counted(simulator, "Contact") == paused
        assert counted(simulator, "Lead") == set()
        said = relay.tail(100_000)
        assert '"event": "mapping_refused"' in said
        assert "not JSON: Unterminated string" in said
        assert "Traceback" not in said


@pytest.mark.e2e
def test_every_problem_of_a_mapping_is_said_at_once_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text(subscriptions({"@bar": 1}, 'event = "x'))
    (tmp_path / "relay.toml").write_text('[[destinations]]\nname = "b"\nevent_source_id = "X"\naccess_token = "t"\n')
    with (tmp_path / "relay.toml").open("a") as toml:
        toml.write('mapping = "shop.json"\n')
    missing = str(tmp_path / "none.json")
    extra = {"RELAY_CONFIG": str(tmp_path / "relay.toml"), "RELAY_DESTINATIONS__0__MAPPING": missing}
    relay = Relay.create(tmp_path, "http://127.0.0.1:1", None, **extra)
    relay.start()
    assert relay.child is not None
    assert relay.child.wait(30) == 2
    mine = f"  destinations.b.mapping: {tmp_path}/shop.json: Mine:"
    assert relay.tail().splitlines() == [
        "The relay was not started:",
        f"{mine} trigger: the text that opens at position 9 is not closed",
        f"{mine} /event has an invalid directive: @bar.",
        f"  destinations.tiktok.mapping: {missing}: cannot be read (No such file or directory)",
    ]
