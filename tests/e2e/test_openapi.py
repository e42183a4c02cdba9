"""A running relay does what its OpenAPI description says, whatever is sent to it: schemathesis tries to prove it wrong.

It makes requests from the description, right ones and wrong ones, and looks at each answer: status, type, headers and
shape as described, no 5xx but the documented 503, no way around the token.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Relay, Simulator, http_json, playground, sign

RULES = Path(__file__).parents[1] / "data" / "schemathesis.toml"
ADMIN, INTAKE = "^/(api/(?!s/)|metrics)", "^/(webhook|v1|api/s/|healthz|readyz)"
TOKEN = "made-up-relay-token"
WRITE_KEY = "Basic bWFkZS11cC13cml0ZS1rZXk6"  # "made-up-write-key:"


def attack(description: Path, url: str, paths: str, examples: int, *headers: str) -> str:
    """Run schemathesis; an AssertionError with what it found."""
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(RULES), "run", str(description), "--url", url]
    command += ["--include-path-regex", paths, "-n", str(examples), "--seed", "20260125", "--no-color"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run(command, cwd=description.parent, capture_output=True, text=True, timeout=600, check=False)
    said = "\n".join(line[:500] for line in done.stdout.splitlines())
    assert done.returncode == 0, f"{said[-20_000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def described(relay: Relay, folder: Path) -> Path:
    """The description, as served."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(relay.admin("/api/openapi.json")))
    return file


def undescribed(value: Any, schema: Any, whole: Any, place: str = "") -> Iterator[str]:
    """Members that are served and that the description does not know."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        if value is not None and one != {"type": "null"}:
            yield from undescribed(value, one, whole, place)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from undescribed(item, schema["items"], whole, f"{place}[]")
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{place}.{name}" for name in value.keys() - schema["properties"].keys())
        for name in value.keys() & schema["properties"].keys():
            yield from undescribed(value[name], schema["properties"][name], whole, f"{place}.{name}")


def demand_described(relay: Relay) -> None:
    """What operators look at has no member that the description keeps to itself."""
    whole = relay.admin("/api/openapi.json")
    looks = {
        "/api/status": "/api/status",
        "/api/dead-letters": "/api/dead-letters?destination=-",
        "/api/incidents": "/api/incidents",
        "/api/replays": "/api/replays",
        "/api/trace": "/api/trace?message_id=after",
    }
    for path, url in looks.items():
        schema = whole["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert not [*undescribed(relay.admin(url), schema, whole)], path


def prove(relay: Relay, simulator: Simulator, folder: Path, examples: int) -> None:
    description = described(relay, folder)
    admin = attack(
        description,
        f"http://127.0.0.1:{relay.admin_port}",
        ADMIN,
        examples,
        "Authorization: Bearer made-up-admin-token",
    )
    simulator.control(outage="503")  # what is accepted from now on stays owed: something to trace
    intake = attack(description, relay.url, INTAKE, examples, f"X-Relay-Token: {TOKEN}", f"Authorization: {WRITE_KEY}")
    print(admin[-300:], intake[-300:])
    assert "task_crashed" not in relay.tail(100_000)
    assert "Traceback" not in relay.tail(100_000)
    demand_described(relay)


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_both_ports_are_as_described(tmp_path: Path) -> None:
    with playground(tmp_path, RELAY_SEGMENT_TOKEN=TOKEN, RELAY_SEGMENT_WRITE_KEYS="made-up-write-key") as (
        relay,
        tiktok,
    ):
        prove(relay, tiktok, tmp_path, examples=5)
        event = {"type": "track", "event": "Order Completed", "messageId": "after"}
        headers = {"X-Signature": sign(json.dumps(event).encode())}
        assert http_json(relay.webhook, "POST", event, headers) == {"success": True}


@pytest.mark.e2e
@pytest.mark.proof
@pytest.mark.timeout(1300)
def test_both_ports_are_as_described_in_full(tmp_path: Path) -> None:
    with playground(tmp_path, RELAY_SEGMENT_TOKEN=TOKEN, RELAY_SEGMENT_WRITE_KEYS="made-up-write-key") as (
        relay,
        tiktok,
    ):
        prove(relay, tiktok, tmp_path, examples=200)
