"""What senders need beyond Segment's webhook: origins, settings, tokens, paths (Segment sheet sections 1, 2 and 7)."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from relay.adapters.web.intake_options import IntakeOptions, SourceOptions
from relay.core.event import DEFAULT_SOURCE
from relay.core.notices import Outcome, RequestRefused, SenderRefused, Why
from relay.core.segment.signature import sign
from tests.adapters.web.test_intake import BASIC, BODY, EVENT, KEY, SECRET, SIGNED, TOKEN, Port, serving

SHOP, OTHER = "https://shop.example.com", "https://other.example.org"
SOURCES = {
    DEFAULT_SOURCE: SourceOptions(secrets=(SECRET,), tokens=(b"old", TOKEN), write_keys=(KEY,), origins=(SHOP,)),
    "app": SourceOptions(write_keys=(b"WK_APP", b"WK_APP_NEW"), origins=("https://*.example.net",)),
    "jitsu": SourceOptions(write_keys=(b"id:secret",), origins=(SHOP,)),
}


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    async with serving(IntakeOptions(SOURCES)) as found:
        yield found


def keyed(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.mark.parametrize(
    ("key", "origin", "status"),
    [
        (KEY.decode(), SHOP, 200),
        (KEY.decode(), "https://SHOP.example.com", 200),
        (KEY.decode(), OTHER, 401),
        (KEY.decode(), "https://www.example.net", 401),
        (KEY.decode(), "null", 401),
        (KEY.decode(), "http://shop.example.com", 401),
        (KEY.decode(), "https://shop.example.com:8443", 401),
        (KEY.decode(), "", 200),  # no browser
        ("WK_APP", "https://www.example.net", 200),
        ("WK_APP_NEW", "https://a.b.example.net", 200),
        ("WK_APP", "https://example.net", 401),
        ("WK_APP", "https://evilexample.net", 401),
        ("WK_APP", SHOP, 401),
    ],
)
async def test_each_source_says_whose_pages_may_send(port: Port, key: str, origin: str, status: int) -> None:
    headers = keyed(key) | ({"Origin": origin} if origin else {})
    found = await port.post("/v1/t", BODY, headers | {"Content-Type": "text/plain"})
    assert found.status == status
    if status == 401:
        assert found.code() == "bad_origin"
        assert not port.inbox.calls
        assert [(outcome, why) for _, outcome, _, why in port.outcomes()] == [(Outcome.REFUSED, Why.BAD_ORIGIN)]
        assert not any(isinstance(notice, SenderRefused) for notice in port.told)  # no stranger can raise the alarm


@pytest.mark.parametrize(("origin", "allowed"), [(SHOP, True), ("https://www.example.net", True), (OTHER, False)])
async def test_a_preflight_is_answered_for_all_sources_together(port: Port, origin: str, allowed: bool) -> None:  # noqa: FBT001
    found = await port.send("OPTIONS", "/v1/t", {"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert (found.status, found.headers["vary"]) == (200, "Origin")
    assert found.headers.get("access-control-allow-origin") == (origin if allowed else None)
    for body in (BODY, b"{"):
        answer = await port.post("/v1/t", body, BASIC | {"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)


async def test_a_source_without_a_list_takes_every_page() -> None:
    sources = {**SOURCES, "open": SourceOptions(write_keys=(b"WK_OPEN",))}
    async with serving(IntakeOptions(sources)) as port:
        preflight = await port.send("OPTIONS", "/v1/b", {"Origin": OTHER})
        assert preflight.headers["access-control-allow-origin"] == OTHER
        assert (await port.post("/v1/t", BODY, keyed("WK_OPEN") | {"Origin": OTHER})).ok
        assert (await port.post("/v1/t", BODY, BASIC | {"Origin": OTHER})).code() == "bad_origin"


async def settings_of(port: Port, key: str, **headers: str) -> dict[str, Any]:
    found = await port.send("GET", f"/v1/projects/{key}/settings", headers)
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(found.body)
    return document


@pytest.mark.parametrize(
    ("host", "api_host", "protocol"),
    [
        ("relay.example.com", "relay.example.com/v1", "https"),
        ("relay.example.com:8443", "relay.example.com:8443/v1", "https"),
        ("127.0.0.1:8080", "127.0.0.1:8080/v1", "http"),
        ("localhost", "localhost/v1", "http"),
        ("[::1]:8080", "[::1]:8080/v1", "http"),
    ],
)
async def test_sdks_that_ask_for_their_settings_are_sent_here(
    port: Port, host: str, api_host: str, protocol: str
) -> None:
    document = await settings_of(port, "WK_APP", Host=host)
    own = {"apiKey": "WK_APP", "apiHost": api_host, "protocol": protocol}
    assert document["integrations"] == {"Segment.io": own}
    assert document["metrics"] == {"sampleRate": 0}
    assert document["plan"]["track"]["__default"]["enabled"] is True


async def test_settings_name_the_public_address_where_one_is_configured() -> None:
    async with serving(IntakeOptions(SOURCES, public_url="https://relay.example.com/in")) as port:
        document = await settings_of(port, "WK_APP_NEW", Host="10.0.0.1")
        assert document["integrations"]["Segment.io"]["apiHost"] == "relay.example.com/in/v1"


@pytest.mark.parametrize(("path", "host"), [("WK_NOBODY", "r"), ("WK_APP", "a b"), ("%ff%00", "r"), ("WK_APP", '"<x>')])
async def test_nobody_elses_settings(port: Port, path: str, host: str) -> None:
    found = await port.send("GET", f"/v1/projects/{path}/settings", {"Host": host})
    assert (found.status, found.code()) == (404, "unknown_source")
    assert all(isinstance(notice, RequestRefused) for notice in port.told), "refused, and no event of anybody"


async def test_settings_are_for_browsers_too(port: Port) -> None:
    for slash in ("", "/"):
        found = await port.send("GET", f"/v1/projects/WK_APP/settings{slash}?x=1", {"Origin": SHOP})
        assert (found.status, found.headers["access-control-allow-origin"]) == (200, SHOP)
        assert found.headers["cache-control"] == "no-store"
    refused = await port.post("/v1/projects/WK_APP/settings", b"{}")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    async with serving(IntakeOptions(allow_unsigned=True)) as open_port:
        assert (await settings_of(open_port, "anything"))["integrations"]["Segment.io"]["apiKey"] == "anything"


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "ok"),
    [
        ({"Authorization": f"Bearer {TOKEN.decode()}"}, True),
        ({"Authorization": basic(TOKEN.decode())}, True),
        ({"Authorization": basic("old")}, True),
        ({"Authorization": TOKEN.decode()}, True),
        ({"Authorization": "Bearer wrong"}, False),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": basic(SECRET.decode())}, False),
        ({"Authorization": "Bearer wrong", **SIGNED}, True),  # meant for a proxy on the way
        ({"Authorization": f"Bearer {TOKEN.decode()}", "X-Relay-Token": "wrong"}, False),
    ],
)
async def test_a_webhook_may_bring_its_token_where_it_has_a_field_for_it(
    port: Port,
    headers: dict[str, str],
    ok: bool,  # noqa: FBT001
) -> None:
    found = await port.post("/webhook/segment", BODY, headers)
    assert found.ok is ok
    if not ok:
        assert (found.status, found.code()) == (503, "unverified")


async def test_a_bearer_token_vouches_for_a_whole_batch(port: Port) -> None:
    batch = b'[{"json":' + BODY + b'},{"json":' + orjson.dumps({**EVENT, "messageId": "2"}) + b"}]"
    signature = {"X-Signature": sign(BODY, SECRET)}
    assert (await port.post("/webhook/segment", batch, signature)).status == 503
    assert (await port.post("/webhook/segment", batch, signature | {"Authorization": f"Bearer {TOKEN.decode()}"})).ok
    assert len(port.inbox.entries) == 2


RUDDER = {
    "type": "track", "event": "Order Completed", "messageId": "r-1", "channel": "web", "rudderId": "x",
    "request_ip": "203.0.113.9", "originalTimestamp": "2026-01-25T15:30:00.123+05:30",
    "timestamp": "2026-01-25T15:30:00.123+05:30",
    "context": {"ip": "", "library": {"name": "RudderLabs JavaScript SDK"}},
}  # fmt: skip
JITSU = {
    "type": "track", "event": "Order Completed", "messageId": "j-1", "requestIp": "203.0.113.9", "$table": "x",
    "context": {"library": {"name": "@jitsu/js", "env": "browser"}, "geo": {}, "clientIds": {}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "ip"),
    [
        (RUDDER, "203.0.113.9"),
        ({**RUDDER, "context": None}, "203.0.113.9"),
        ({**RUDDER, "context": {"ip": "198.51.100.1"}}, "198.51.100.1"),
        ({**RUDDER, "channel": "server"}, ""),
        ({**RUDDER, "channel": "sources", "context": {}}, None),
        (JITSU, "203.0.113.9"),
        ({**JITSU, "context": {"library": {"env": "node"}}}, None),
        ({**JITSU, "requestIp": 7}, None),
    ],
)
async def test_other_platforms_webhooks(port: Port, event: dict[str, Any], ip: str | None) -> None:
    headers = {"User-Agent": "RudderLabs", "X-Relay-Token": TOKEN.decode()}
    for body in (orjson.dumps(event), orjson.dumps([event, {**event, "messageId": "second"}])):
        port.inbox._seen.clear()
        assert (await port.post("/webhook/segment", body, headers)).ok
    for stored in port.stored():
        assert (stored.get("context") or {}).get("ip") == ip
        assert {**stored, "context": None, "messageId": ""} == {**event, "context": None, "messageId": ""}


async def test_a_webhook_that_can_only_get_is_told_what_to_change(port: Port) -> None:
    found = await port.send("GET", "/webhook/segment?revenue=12&products[0].id=1", {"User-Agent": "RudderLabs"})
    assert (found.status, found.code()) == (405, "method_not_allowed")
    assert "POST" in json.loads(found.body)["message"]
    form = b"type=track&event=Order+Completed&properties=%5Bobject+Object%5D"
    found = await port.post("/webhook/segment", form, {"X-Signature": sign(form, SECRET)})
    assert (found.status, found.code()) == (400, "bad_json")
    assert "form" in json.loads(found.body)["message"]


async def test_a_rudderstack_sdk_in_a_browser(port: Port) -> None:
    message = {**RUDDER, "sentAt": "2026-01-25T10:00:03.123Z", "originalTimestamp": "2026-01-25T10:00:00.123Z"}
    del message["timestamp"], message["request_ip"]
    headers = BASIC | {"AnonymousId": "YQ==", "Origin": SHOP, "X-Forwarded-For": "203.0.113.7"}
    preflight = await port.send("OPTIONS", "/v1/track", {"Origin": SHOP})
    assert "anonymousid" in preflight.headers["access-control-allow-headers"]
    for path, body in (("/v1/track", message), ("/v1/batch", {"batch": [{**message, "messageId": "r-2"}]})):
        found = await port.post(path, orjson.dumps(body), headers)
        assert (found.status, found.body) == (200, b'{"success": true}')
    for stored in port.stored():
        assert stored["context"]["ip"] == "203.0.113.7"
        assert stored["originalTimestamp"] == "2026-01-25T10:00:00.123Z"
        assert stored["timestamp"] == "2026-02-02T02:39:57.000Z"


@pytest.mark.parametrize("path", ["/api/s/track", "/api/s/s2s/track", "/api/s/s2s/batch", "/v1/batch"])
async def test_a_jitsu_sdk(port: Port, path: str) -> None:
    event = {**JITSU, "writeKey": "id:***"}
    body = {"batch": [event], "writeKey": "id:***"} if path.endswith("batch") else event
    found = await port.post(path, orjson.dumps(body), {"X-Write-Key": "id:secret", "Origin": SHOP})
    assert found.ok
    assert port.outcomes() == [("jitsu", Outcome.ACCEPTED, 1, Why.NONE)]
    [stored] = port.stored()
    assert "writeKey" not in stored
    assert stored["context"]["ip"] == "127.0.0.1"  # the peer: a browser's own connection


async def test_jitsus_short_paths_are_not_segments(port: Port) -> None:
    assert (await port.post("/api/s/t", BODY, {"X-Write-Key": "id:secret"})).status == 404
    assert (await port.post("/api/s/track", BODY, {"X-Write-Key": "id:***"})).code() == "bad_write_key"


BATCH = b"[" + BODY + b"," + orjson.dumps({**EVENT, "messageId": "2"}) + b"]"
FIRST_SIGNED = {"X-Signature": sign(BODY, SECRET)}
ALL_SIGNED = {"X-Signature": sign(BATCH, SECRET)}
GOOD, WRONG = {"X-Relay-Token": TOKEN.decode()}, {"X-Relay-Token": "wrong"}


@pytest.mark.parametrize(
    ("headers", "trusting", "ok"),
    [
        (FIRST_SIGNED, False, False),
        (FIRST_SIGNED | GOOD, False, True),
        (FIRST_SIGNED | WRONG, False, False),
        (FIRST_SIGNED, True, True),
        (FIRST_SIGNED | WRONG, True, False),  # proof that is given must be right
        (GOOD, False, True),
        (WRONG, True, False),
        ({}, True, False),  # trusting batches is not trusting everybody
        (ALL_SIGNED, False, True),
        (ALL_SIGNED | WRONG, False, False),
        ({"X-Signature": sign(b"[" + BODY + b"]", SECRET)} | GOOD, True, False),
    ],
)
async def test_elements_without_a_signature_need_a_token_or_trust(
    headers: dict[str, str],
    trusting: bool,  # noqa: FBT001
    ok: bool,  # noqa: FBT001
) -> None:
    source = SourceOptions(secrets=(b"old", SECRET), tokens=(TOKEN,), trust_batches=trusting)
    async with serving(IntakeOptions({DEFAULT_SOURCE: source})) as port:
        found = await port.post("/webhook/segment", BATCH, headers)
        assert found.ok is ok
        assert [entry.event_id for entry in port.inbox.entries] == (["1", "2"] if ok else [])
        if not ok:
            assert (found.status, found.code()) == (503, "unverified")
