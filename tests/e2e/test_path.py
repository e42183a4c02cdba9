"""The whole path on real parts: recorded requests in, what TikTok counts out, books that balance."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import SECRET, Relay, free_port, http_json, playground, sign, wait_for

WRITE_KEY = "WK_EXAMPLE_0001"


NO_EVENTS = {"ex-115"}  # a mapping that sends parts: refused with a hint, and kept among the intake's dead letters


def answered(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def replay(port: int, vector: dict[str, Any], body: bytes) -> tuple[int, dict[str, Any]]:
    """The recorded request as it was, but for the host."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.putrequest(vector["method"], vector["path"], skip_host=True, skip_accept_encoding=True)
    for name, value in vector["headers"].items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


@pytest.mark.e2e
def test_recorded_requests_are_accepted_byte_for_byte(tmp_path: Path, shared: Path) -> None:
    vectors = lines(shared / "data" / "segment_http_vectors.jsonl")
    assert len(vectors) == 16
    with playground(
        tmp_path,
        RELAY_SEGMENT_SHARED_SECRET="example-shared-secret",
        RELAY_SEGMENT_TOKEN="example-token",
        RELAY_SEGMENT_WRITE_KEYS=WRITE_KEY,
    ) as (relay, _):
        for vector in vectors:
            status, answer = replay(relay.port, vector, base64.b64decode(vector["body_b64"]))
            assert (status, answer) == (200, {"success": True}), vector["id"]
        for vector in (vector for vector in vectors if "shared_secret" in vector):
            body = bytearray(base64.b64decode(vector["body_b64"]))
            spot = bytes(body).index(b"messageId") + 14
            body[spot] ^= 1
            status, answer = replay(relay.port, vector, bytes(body))
            assert status == 503, f"{vector['id']}: a changed byte was accepted"
            assert answer["code"] == "unverified"


@pytest.mark.e2e
def test_all_examples_end_somewhere_and_the_books_balance(tmp_path: Path, shared: Path) -> None:
    examples = lines(shared / "data" / "segment_examples.jsonl")
    assert len(examples) == 119
    with playground(tmp_path, RELAY_DESTINATIONS__0__MAX_AGE="28d") as (relay, simulator):
        for example in examples:
            body = json.dumps(example["event"]).encode()
            headers = {"X-Signature": sign(body), "Content-Type": "application/json"}
            request = urllib.request.Request(relay.webhook, body, headers, method="POST")
            assert answered(request) == (400 if example["id"] in NO_EVENTS else 200), example["id"]
        relay.drained()
        status = relay.admin("/api/status")
        received = {
            outcome: relay.metric("relay_events_received_total", outcome=outcome)
            for outcome in ("accepted", "filtered", "duplicate")
        }
        letters = relay.admin("/api/dead-letters?destination=tiktok&limit=1000")["letters"]
        rejects = relay.admin("/api/dead-letters?destination=-&limit=1000")["letters"]
        assert all(stream["unbalanced"] == 0 for stream in status["streams"])
        assert all(letter["reason"] for letter in letters)
        delivered = sum(stream["books"].get("delivered", 0) for stream in status["streams"])
        assert delivered + len(letters) == received["accepted"]
        assert sum(received.values()) + len(rejects) == len(examples)
        assert simulator.counted()["unique"] >= delivered > 0


@pytest.mark.e2e
def test_a_second_relay_on_the_directory_is_refused(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        other = Relay.create(tmp_path, simulator.url)
        other.log = tmp_path / "other.log"
        other.start()
        assert other.child is not None
        assert other.child.wait(30) == 2
        assert "another relay" in other.tail().lower()
        assert "Traceback" not in other.tail()
        assert http_json(f"{relay.url}/healthz") is not None


@pytest.mark.e2e
def test_an_orphaned_valkey_is_adopted(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        simulator.control(outage="503")
        orphan = relay.valkey_pid()
        relay.kill()
        assert relay.valkey_pid() == orphan
        relay.up()
        assert relay.valkey_pid() == orphan


@pytest.mark.e2e
def test_sigterm_finishes_and_stops_valkey(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        body = b'{"type":"page","messageId":"m-1","timestamp":"2099-01-01T00:00:00Z"}'
        headers = {"X-Signature": sign(body)}
        with urllib.request.urlopen(urllib.request.Request(relay.webhook, body, headers), timeout=10) as answer:
            assert answer.status == 200
        wait_for("delivery", lambda: simulator.counted()["unique"] == 1)
        assert relay.stop() == 0
        assert relay.valkey_pid() is None
        assert "Traceback" not in relay.tail(100_000)


@pytest.mark.e2e
def test_a_terminal_that_goes_away_stops_the_relay_and_any_other_hangup_does_not(tmp_path: Path) -> None:
    master, slave = os.openpty()
    # The shell leads a session of its own, so that the first terminal it opens is the one whose end it hears of.
    command = ["sh", "-c", f"exec {sys.executable} -m relay serve <{os.ttyname(slave)} >&0 2>&0"]
    relay = Relay.create(tmp_path, "http://127.0.0.1:1", command)
    try:
        relay.up()
        assert relay.child is not None
        relay.child.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert relay.child.poll() is None, "a hangup of somebody's making only reads files again"
        os.close(slave)
        os.close(master)
        assert relay.child.wait(30) == 0
        assert relay.valkey_pid() is None
    finally:
        relay.kill()
        relay.kill_valkey()


@pytest.mark.e2e
def test_refused_configuration_is_one_screen_and_exit_2(tmp_path: Path) -> None:
    relay = Relay.create(tmp_path, "http://127.0.0.1:1", RELAY_DELIVERY__LINGR="1", RELAY_INTAKE__MAX_EVENTS="none")
    relay.environ["RELAY_PORT"] = "notaport"
    relay.start()
    assert relay.child is not None
    assert relay.child.wait(30) == 2
    text = relay.tail()
    assert "delivery.lingr" in text
    assert "intake.max_events" in text
    assert "intake.port" in text
    assert "Traceback" not in text


@pytest.mark.e2e
def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with playground(tmp_path) as (relay, simulator):
        (tmp_path / "b").mkdir()
        other = Relay.create(tmp_path / "b", simulator.url)
        other.environ["RELAY_PORT"] = str(relay.port)
        other.start()
        assert other.child is not None
        assert other.child.wait(40) == 1
        assert f"{relay.port}" in other.tail()
        assert "Traceback" not in other.tail()
        assert free_port() != relay.port
        assert SECRET not in other.tail()
