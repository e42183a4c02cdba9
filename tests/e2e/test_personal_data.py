"""With encryption on, no personal data of the example events is in the append-only file, logs, metrics or reports."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.processes import Relay, Simulator, sign, wait_for
from tests.e2e.test_incidents import IMPATIENT
from tests.e2e.thief import SHORTEST, Thief, personal

KEY = base64.b64encode(bytes(range(32))).decode()
WRITE_KEY = "made-up-write-key"
KNOWN = {"mara.lindqvist@example.com", "+12025550143", "Lindqvist", "203.0.113.24"}
KNOWN |= {"Mara", "Inês", "12207", "Albany", "Leeds", "12 Elm St", "Example Trail Club"}
NOT_KEPT = {"test@example.org"}
"""Of Segment's Event Tester, whose events are only counted."""
TIMES = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")


def post(url: str, body: bytes, **headers: str) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def send(relay: Relay, via: str, event: dict[str, Any]) -> int:
    """As the sender of this example sends it."""
    body = json.dumps(event).encode()
    if via == "webhook":
        return post(relay.webhook, body, **{"X-Signature": sign(body)})
    path = "batch" if via == "tracking_api_batch" else event.get("type", "track")
    basic = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    return post(f"{relay.url}/v1/{path}", body, Authorization=f"Basic {basic}")


def fresh(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The event as if it happened now; the examples themselves are too old to be sent."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return event | {name: now for name in TIMES if name in event} | {"messageId": f"fresh-{number}"}


def run(relay: Relay, *arguments: str) -> bytes:
    """A command as an operator runs it; everything it prints."""
    command = [sys.executable, "-m", "relay", *arguments]
    done = subprocess.run(command, env=relay.environ, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


def live(relay: Relay, simulator: Simulator, examples: list[dict[str, Any]]) -> bytes:
    """TikTok is up, down and up again, and dislikes some; all that can be read outside of the data directory."""
    poison = {f"fresh-{number}" for number in range(0, len(examples), 20)}
    simulator.control(refuse_ids=sorted(poison), index_style="none")
    codes = [send(relay, one["via"], one["event"]) for one in examples]
    assert codes.count(200) > 100
    relay.drained()
    simulator.control(outage="502")
    for number, one in enumerate(examples):
        if "batch" not in one["event"]:
            send(relay, one["via"], fresh(one["event"], number))
    wait_for("an incident", lambda: relay.metric("relay_incident_open", destination="tiktok") == 1)
    assert b"owed" in run(relay, "trace", "fresh-1")  # found by looking into what is sealed
    simulator.control(outage="none", refuse_ids=sorted(poison), index_style="none")
    relay.admin("/api/destinations/tiktok/probe", "POST", {})
    relay.drained()
    letters = relay.admin("/api/dead-letters?destination=tiktok&limit=500&whole=1")["letters"]
    assert {letter["reason"] for letter in letters} >= {"refused", "expired"}
    assert any(letter["event"] for letter in letters)
    wait_for("the incident to close", lambda: relay.metric("relay_incident_open", destination="tiktok") == 0)
    reports = [run(relay, "report", "latest", "--format", form) for form in ("html", "json")]
    assert all(b"tiktok-1" in report or b"ncident" in report for report in reports)
    with urllib.request.urlopen(f"http://127.0.0.1:{relay.admin_port}/metrics", timeout=10) as answer:
        metrics = answer.read()
    return b"\n".join((metrics, *reports, relay.log.read_bytes()))


@pytest.fixture
def examples(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "data" / "segment_examples.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@contextmanager
def playing(folder: Path, **environ: str) -> Iterator[tuple[Relay, Simulator]]:
    """An impatient relay that writes down everything it may."""
    simulator = Simulator.create(folder)
    environ |= {"RELAY_SEGMENT_WRITE_KEYS": WRITE_KEY, "RELAY_LOG_LEVEL": "debug"}
    relay = Relay.create(folder, simulator.url, IMPATIENT, **environ)
    relay.environ["PYTHONPATH"] = f"{ROOT}:{relay.environ.get('PYTHONPATH', '')}"
    try:
        simulator.up()
        yield relay.up(), simulator
        relay.stop()
    finally:
        relay.kill()
        relay.kill_valkey()
        simulator.kill()


@pytest.mark.e2e
def test_no_personal_data_of_the_examples_can_be_read(tmp_path: Path, examples: list[dict[str, Any]]) -> None:
    thief = Thief([one["event"] for one in examples])
    assert thief.values >= KNOWN
    with playing(tmp_path, RELAY_ENCRYPTION_KEY=KEY, RELAY_JOURNAL__ARCHIVE="true") as (relay, simulator):
        seen = live(relay, simulator, examples)
    assert thief.found_in_text(seen + relay.log.read_bytes()) == set()
    assert thief.found_in_store(relay.folder) == set()


@pytest.mark.e2e
def test_without_a_key_the_same_search_finds_it(tmp_path: Path, examples: list[dict[str, Any]]) -> None:
    thief = Thief([one["event"] for one in examples])
    with playing(tmp_path, RELAY_JOURNAL__ARCHIVE="true") as (relay, _):
        for one in examples:
            send(relay, one["via"], one["event"])
    assert thief.values - thief.found_in_store(relay.folder) == NOT_KEPT
    assert thief.found_in_text(relay.log.read_bytes()) == set()


@pytest.mark.parametrize("escaped", [False, True])
def test_whatever_is_searched_for_is_found_where_it_stands(examples: list[dict[str, Any]], escaped: bool) -> None:  # noqa: FBT001
    thief = Thief([one["event"] for one in examples])
    for one in examples:
        assert thief.found_in(json.dumps(one["event"], ensure_ascii=escaped).encode()) >= set(personal(one["event"]))
    names = {value for value in thief.values if len(value) < SHORTEST and not value.isdigit()}
    assert names >= {"Mara", "Tomas", "Inês", "Leeds"}
    for name in names:
        said = f"a log that greets {name.upper() if name.isascii() else name}, and goes on".encode()
        assert (thief.found_in(said), thief.found_in_text(said)) == (set(), {name})
