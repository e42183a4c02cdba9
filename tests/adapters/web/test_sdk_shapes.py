"""SDKs that do not run here, request by request as their sources make them (Segment sheet section 2.4)."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from relay.adapters.web.intake_options import IntakeOptions, SourceOptions
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import DEFAULT_SOURCE
from relay.core.segment.signature import sign
from tests.adapters.web.test_intake import Answer, Port, exchange, request, serving

KEY, SECRET = "WK_EXAMPLE_0001", b"example-shared-secret"
SOURCES = {DEFAULT_SOURCE: SourceOptions(secrets=(SECRET,), write_keys=(KEY.encode(),))}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
EVENT = {
    "type": "track", "event": "Order Completed", "messageId": "sdk-1", "userId": "u", "anonymousId": "a",
    "timestamp": "2026-01-25T10:00:00.000Z", "properties": {"revenue": 12.5}, "context": {}, "integrations": {},
}  # fmt: skip
JSON = {"Content-Type": "application/json"}
UTF8 = {"Content-Type": "application/json; charset=utf-8"}
SENT = {"sentAt": "2026-01-25T10:00:01.000Z"}
KEYED = {"writeKey": KEY, **SENT}


def chunked(head: bytes, body: bytes) -> list[bytes]:
    half = len(body) // 2
    pieces = [b"%x\r\n%b\r\n" % (len(one), one) for one in (body[:half], body[half:])]
    return [head, *pieces, b"0\r\n\r\n"]


def wire(path: str, headers: dict[str, str], body: dict[str, Any], *ways: str) -> list[bytes]:
    """The packets of a request; ``ways`` are ``gzip`` and ``chunked``."""
    coded = json.dumps(body).encode()
    if "gzip" in ways:
        coded, headers = gzip.compress(coded), headers | {"Content-Encoding": "gzip"}
    if "chunked" in ways:
        head = request("POST", path, headers | {"Transfer-Encoding": "chunked", "Content-Length": ""}, b"")
        return chunked(head, coded)
    return [request("POST", path, headers, coded)]


def library(name: str) -> dict[str, Any]:
    return {"context": {"library": {"name": name, "version": "1"}}}


SDKS = {
    "swift": wire(
        "/v1/b", UTF8 | {"User-Agent": "analytics-ios/1.9.4"}, {"batch": [EVENT | library("analytics-swift")], **KEYED}
    ),
    "kotlin": wire(
        "/v1/b", {"User-Agent": "analytics-kotlin/1.24.1", "Content-Type": "text/plain"},
        {"batch": [EVENT | library("analytics-kotlin")], **KEYED}, "gzip", "chunked",
    ),
    "react_native": wire("/v1/b", UTF8, {"batch": [EVENT | library("analytics-react-native")], **KEYED}),
    "csharp": wire(
        "/v1/b", {"Accept": "text/plain", "Connection": "close"},
        {"batch": [EVENT | library("Analytics-CSharp")], **KEYED}, "gzip",
    ),
    "java": wire(
        "/v1/import/", BASIC | UTF8 | {"User-Agent": "analytics-java/3.5.2"},
        {"batch": [EVENT], "sequence": 1, **library("analytics-java"), **KEYED},
    ),
    "go": wire(
        "/v1/batch", BASIC | JSON | {"User-Agent": "analytics-go (version: 3.3.0)"},
        {"batch": [EVENT], "messageId": "envelope", **library("analytics-go"), **SENT},
    ),
    "ruby": wire(
        "/v1/import", BASIC | JSON | {"User-Agent": "analytics-ruby/2.5.0", "Accept": "application/json"},
        {"batch": [EVENT | library("analytics-ruby")], **SENT},
    ),
    "php": wire(
        "/v1/batch", BASIC | JSON | {"User-Agent": "analytics-php/3.8.2"},
        {"batch": [EVENT | library("analytics-php") | {"integrations": []}], **SENT}, "gzip",
    ),
    "browser_single": wire(
        "/v1/t", {"Content-Type": "text/plain", "Origin": "https://shop.example.com"},
        {**EVENT, **library("analytics.js"), **KEYED, "_metadata": {"bundled": ["Segment.io"]}},
    ),
}  # fmt: skip
CLIENTS = {"swift", "kotlin", "react_native", "csharp", "browser_single"}


async def sent(port: Port, packets: list[bytes]) -> Answer:
    (found,) = await exchange(port, *packets)
    return found


@pytest.mark.parametrize("name", SDKS)
async def test_an_sdk_is_answered_as_it_wants_and_its_event_stored(name: str) -> None:
    async with serving(IntakeOptions(SOURCES)) as port:
        found = await sent(port, SDKS[name])
        # Exactly 200 (php), a JSON object that says success (java), JSON at all (ruby).
        assert (found.status, json.loads(found.body)) == (200, {"success": True})
        assert found.headers["content-type"] == "application/json"
        [stored] = port.stored()
        assert (stored["messageId"], stored["type"]) == ("sdk-1", "track")
        assert stored["originalTimestamp"] == EVENT["timestamp"]
        assert "writeKey" not in stored
        assert stored["context"]["library"]["name"]
        assert ("ip" in stored["context"]) == (name in CLIENTS)


@pytest.mark.parametrize("name", SDKS)
async def test_an_sdk_is_told_what_it_understands_when_something_is_wrong(name: str) -> None:
    async with serving(IntakeOptions(SOURCES)) as port:
        port.inbox.trouble = StoreUnavailable(StoreTrouble.LOADING, retry_after=7)
        found = await sent(port, SDKS[name])
        assert (found.status, found.code(), found.headers["retry-after"]) == (503, "store_unavailable", "7")
    other = {DEFAULT_SOURCE: SourceOptions(write_keys=(b"WK_ANOTHER",))}
    async with serving(IntakeOptions(other)) as port:
        found = await sent(port, SDKS[name])
        assert (found.status, found.code()) == (401, "bad_write_key")


async def test_an_envelopes_common_context_belongs_to_every_item() -> None:
    for name in ("java", "go"):
        async with serving(IntakeOptions(SOURCES)) as port:
            await sent(port, SDKS[name])
            assert port.stored()[0]["context"]["library"]["name"] == f"analytics-{name}"


async def test_a_classic_webhook() -> None:
    """Its code is not public: one event, signed after another round through JSON.stringify."""
    spelled = json.dumps(EVENT, indent=1).encode()
    signed = {
        "User-Agent": "Segment.io/1.0",
        "X-Signature": sign(json.dumps(EVENT, separators=(",", ":")).encode(), SECRET),
    }
    async with serving(IntakeOptions(SOURCES)) as port:
        assert (await port.post("/webhook/segment", spelled, JSON | signed)).ok
        assert port.stored()[0]["messageId"] == "sdk-1"


async def test_several_requests_of_a_gzipping_sdk_on_one_connection() -> None:
    async with serving(IntakeOptions(SOURCES)) as port:
        found = await exchange(port, *SDKS["kotlin"], *SDKS["kotlin"], *SDKS["php"], answers=3)
        assert all(one.ok for one in found)
