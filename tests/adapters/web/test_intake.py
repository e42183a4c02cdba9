"""The intake port over real sockets: what every kind of input gets (design sections 4.1, 6 and 7)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from aiohttp import web

from relay.adapters.web.intake import build_intake
from relay.adapters.web.intake_answers import MESSAGES, STATUS
from relay.adapters.web.intake_options import IntakeOptions, SourceOptions
from relay.adapters.web.intake_reading import Bounds, ReadingRoom
from relay.adapters.web.listener import Limits, Listener
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import DEFAULT_SOURCE, JsonObject
from relay.core.notices import EventsReceived, Notice, Outcome, SenderRefused, Why
from relay.core.segment.select import Route
from relay.core.segment.signature import sign
from relay.engine.append import Appender
from relay.engine.intake import Intake
from tests.engine.listbox import POISON, ListInbox
from tests.twins.clock import FakeClock

SECRET, TOKEN, KEY = b"example-shared-secret", b"example-token", b"WK_EXAMPLE_0001"
SOURCES = {
    DEFAULT_SOURCE: SourceOptions(secrets=(b"old", SECRET), tokens=(TOKEN,), write_keys=(KEY,)),
    "shop": SourceOptions(secrets=(b"shop-secret",)),
    "trusting": SourceOptions(secrets=(b"shop-secret",), trust_batches=True),
    "tokens": SourceOptions(tokens=(b"t1", b"t2"), write_keys=(b"WK_TOKENS",)),
    "open": SourceOptions(),
}
HOUR = 3600.0
EVENT = {"type": "track", "event": "Order Completed", "messageId": "1"}
BODY = orjson.dumps(EVENT)
BASIC = {"Authorization": "Basic " + base64.b64encode(KEY + b":").decode()}
SIGNED = {"X-Signature": sign(BODY, SECRET)}


BOUNDS, LIMITS = Bounds(), Limits()


def everything(_: JsonObject) -> tuple[str, ...]:
    return ("CompletePayment",)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    def code(self) -> str:
        """Checks what every error must carry (Segment sheet section 2.4)."""
        found = json.loads(self.body)
        assert self.headers["content-type"] == "application/json"
        assert set(found) == {"success", "code", "message", "error"}
        assert found["success"] is False
        assert found["message"] == found["error"] != ""
        if self.status in {429, 503}:
            assert int(self.headers["retry-after"]) > 0
        return str(found["code"])

    @property
    def ok(self) -> bool:
        return (self.status, self.body, self.headers["content-type"]) == (200, b'{"success": true}', "application/json")


class Port:
    """A served intake with its parts in reach."""

    listener: Listener

    def __init__(self, options: IntakeOptions, bounds: Bounds) -> None:
        self.inbox, self.clock = ListInbox(), FakeClock()
        self.told: list[Notice] = []
        self.readiness = (True, "")
        self.appender = Appender(self.inbox, 10**9)
        route = Route("web", frozenset({"TikTok Conversions"}), everything, frozenset({"CompletePayment"}))
        intake = Intake(self.appender, lambda _source: [route], self.clock, self.told.append)
        self.room = ReadingRoom(bounds)
        self.app = build_intake(options, intake, lambda: self.readiness, self.clock, self.told.append, self.room)
        self.number = 0

    async def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", version: str = "1.1"
    ) -> Answer:
        """One request on a connection of its own, byte for byte."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            writer.write(request(method, path, headers or {}, body, version))
            return await answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    async def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return await self.send("POST", path, headers, body)

    def outcomes(self) -> list[tuple[str, Outcome, int, Why]]:
        return [(n.source, n.outcome, n.events, n.why) for n in self.told if isinstance(n, EventsReceived)]

    def stored(self) -> list[JsonObject]:
        return [orjson.loads(entry.raw) for entry in self.inbox.entries]


def request(method: str, path: str, headers: dict[str, str], body: bytes, version: str = "1.1") -> bytes:
    lines = {"Host": "relay.example.com", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/{version}\r\n{head}\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(head[0].split()[1]), headers, body, headers.get("connection") == "close")


@asynccontextmanager
async def serving(options: IntakeOptions, bounds: Bounds = BOUNDS, limits: Limits = LIMITS) -> AsyncIterator[Port]:
    port, stopping = Port(options, bounds), asyncio.Event()
    port.listener = Listener(port.app, "intake", limits, port.told.append)
    runner = web.ServerRunner(port.listener)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port.number = runner.addresses[0][1]
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(port.appender.run(stopping))
            yield port
            stopping.set()
    finally:
        await runner.cleanup()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    async with serving(IntakeOptions(SOURCES, max_body=200_000, max_events=50)) as found:
        yield found


async def exchange(port: Port, *pieces: bytes, answers: int = 1) -> list[Answer]:
    """Pieces on one connection, each in a packet of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.02)  # nothing tells when the other side has read a packet
        return [await answer(reader) for _ in range(answers)]
    finally:
        writer.close()
        await writer.wait_closed()


def sized(length: int, number: int = 1) -> bytes:
    """An event of exactly so many bytes."""
    frame = json.dumps({"type": "track", "event": "Order Completed", "messageId": f"{number}", "pad": ""})
    return frame[:-2].encode() + b"x" * (length - len(frame)) + b'"}'


def signed(body: bytes, **headers: str) -> bytes:
    return request("POST", "/webhook/segment", {"X-Signature": sign(body, SECRET), **headers}, body)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("packed", [False, True])
async def test_the_limit_holds_for_a_body_that_comes_with_its_head(over: int, packed: bool) -> None:  # noqa: FBT001
    async with serving(IntakeOptions(SOURCES, max_body=1_000)) as port:
        body = sized(1_000 + over)
        wire = gzip.compress(body) if packed else body
        headers = {"X-Signature": sign(body, SECRET)} | ({"Content-Encoding": "gzip"} if packed else {})
        (found,) = await exchange(port, request("POST", "/webhook/segment", headers, wire))
        assert (found.status, len(port.inbox.entries)) == ((413, 0) if over > 0 else (200, 1))


async def test_a_small_body_is_taken_from_where_it_lies(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should aiohttp keep bodies elsewhere one day, this says that the quick way is gone."""
    monkeypatch.setattr(ReadingRoom, "reading", None)
    (found,) = await exchange(port, signed(sized(900)))
    assert found.ok


@pytest.mark.parametrize("cut", [1, 450, 899])
async def test_a_body_that_comes_in_two_packets_is_one_body(port: Port, cut: int) -> None:
    body = sized(900)
    whole = signed(body)
    (found,) = await exchange(port, whole[: cut - 900], whole[cut - 900 :])
    assert found.ok
    assert [entry.raw for entry in port.inbox.entries] == [body]


async def test_a_body_in_chunks_ends_where_its_end_is(port: Port) -> None:
    body = sized(900)
    head = request(
        "POST", "/webhook/segment",
        {"X-Signature": sign(body, SECRET), "Transfer-Encoding": "chunked", "Content-Length": ""}, b"",
    )  # fmt: skip
    chunk = b"%x\r\n%b\r\n"
    (found,) = await exchange(port, head + chunk % (400, body[:400]), chunk % (500, body[400:]), b"0\r\n\r\n")
    assert found.ok
    assert [entry.raw for entry in port.inbox.entries] == [body]


async def test_requests_in_one_packet_are_two_requests(port: Port) -> None:
    first, second = sized(900, 1), sized(700, 2)
    assert all(found.ok for found in await exchange(port, signed(first) + signed(second), answers=2))
    assert [entry.raw for entry in port.inbox.entries] == [first, second]


def vectors(shared: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shared / "data" / "segment_http_vectors.jsonl").read_text().splitlines()]


async def test_the_recorded_requests_are_accepted_byte_for_byte(port: Port, shared: Path) -> None:
    recorded = vectors(shared)
    assert len(recorded) == 16
    for vector in recorded:
        before = len(port.inbox.entries), len(port.told)
        port.inbox._seen.clear()
        found = await port.send(
            vector["method"], vector["path"], vector["headers"], base64.b64decode(vector["body_b64"])
        )
        assert found.ok, vector["id"]
        assert len(port.inbox.entries) > before[0], vector["id"]
    sdk = [event for event in port.stored() if "receivedAt" in event and event.get("messageId") == "py-vector-nan"]
    assert [event["properties"]["revenue"] for event in sdk] == [None, None]
    assert not any("writeKey" in event for event in port.stored())


async def test_a_changed_byte_is_refused_even_with_a_good_token(port: Port, shared: Path) -> None:
    signed = [vector for vector in vectors(shared) if "shared_secret" in vector]
    assert len(signed) == 7
    for vector in signed:
        body = base64.b64decode(vector["body_b64"])
        place = body.index(b"messageId") + 15
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        found = await port.send(vector["method"], vector["path"], vector["headers"], changed)
        assert (found.status, found.code(), found.headers["retry-after"]) == (503, "unverified", "60")
    assert not port.inbox.calls


async def test_the_examples_are_stored_or_answered_with_a_reason(port: Port, shared: Path) -> None:
    refused, filtered = [], {}
    for line in (shared / "data" / "segment_examples.jsonl").read_text().splitlines():
        example = json.loads(line)
        port.told.clear()
        body = json.dumps(example["event"]).encode()
        found = await port.post("/webhook/segment", body, {"X-Relay-Token": TOKEN.decode()})
        [(_, outcome, count, why)] = port.outcomes()
        assert count == 1
        if not found.ok:
            refused.append((example["id"], found.status, found.code()))
        elif outcome is Outcome.FILTERED:
            filtered[example["id"]] = why
    assert refused == [("ex-115", 400, "not_an_event")]
    assert set(filtered) == {"ex-057", "ex-097", "ex-099", "ex-114"}
    assert len(port.inbox.entries) == 119 - 1 - 4 - 1  # refused, filtered, and ex-108, which repeats ex-015


async def test_an_unchanged_event_is_stored_as_it_came(port: Port) -> None:
    body = b'{ "type":"track", "messageId":"1", "n":1e+21 }'
    assert (await port.post("/webhook/segment", body, {"X-Signature": sign(body, SECRET)})).ok
    assert port.inbox.entries[0].raw == body


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/webhook/segment", SIGNED, BODY, 200, ""),
        ("/webhook/segment/", {"X-Signature": sign(BODY, b"old")}, BODY, 200, ""),
        ("/webhook/segment", {"X-Relay-Token": "example-token"}, BODY, 200, ""),
        ("/webhook/segment", SIGNED | {"X-Relay-Token": "wrong"}, BODY, 503, "unverified"),
        ("/webhook/segment", {"X-Relay-Token": "t\u00f6ken"}, BODY, 503, "unverified"),
        ("/webhook/segment", {}, BODY, 503, "unverified"),
        ("/webhook/segment/shop", SIGNED, BODY, 503, "unverified"),
        ("/webhook/segment/shop/", {"X-Signature": sign(BODY, b"shop-secret")}, BODY, 200, ""),
        ("/webhook/segment/shop", {"X-Relay-Token": "example-token"}, BODY, 503, "unverified"),
        ("/webhook/segment/tokens", {"X-Relay-Token": "t2"}, BODY, 200, ""),
        ("/webhook/segment/tokens", SIGNED, BODY, 503, "unverified"),
        ("/webhook/segment/open", {}, BODY, 503, "unverified"),
        ("/webhook/segment/nobody", SIGNED, BODY, 503, "unverified"),
    ],
)
async def test_who_is_believed(
    port: Port, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    found = await port.post(path, body, headers)
    assert found.status == status
    assert (found.ok and len(port.inbox.entries) == 1) or (found.code() == code and not port.inbox.calls)


@pytest.mark.parametrize(
    ("source", "headers", "status"),
    [
        ("shop", {"X-Signature": sign(BODY, b"shop-secret")}, 503),
        ("trusting", {"X-Signature": sign(BODY, b"shop-secret")}, 200),
        ("shop", {"X-Signature": sign(b"[" + BODY + b"," + BODY + b"]", b"shop-secret")}, 200),
        ("segment", SIGNED | {"X-Relay-Token": "example-token"}, 200),
        ("segment", SIGNED, 503),
    ],
)
async def test_elements_that_nobody_vouches_for(port: Port, source: str, headers: dict[str, str], status: int) -> None:
    found = await port.post(f"/webhook/segment/{source}", b"[" + BODY + b"," + BODY + b"]", headers)
    assert found.status == status
    if status == 503:
        assert "first event" in json.loads(found.body)["message"]
        assert not port.inbox.calls
    alone = await port.post(
        f"/webhook/segment/{source}",
        b"[" + BODY + b"]",
        {"X-Signature": sign(BODY, SECRET if source == "segment" else b"shop-secret")},
    )
    assert alone.ok


async def test_the_final_word_comes_four_hours_after_the_last_good_request(port: Port) -> None:
    port.clock.jump(3 * HOUR)
    assert (await port.post("/webhook/segment", BODY, SIGNED)).ok
    port.clock.jump(4 * HOUR - 1)
    assert (await port.post("/webhook/segment", BODY)).code() == "unverified"
    port.clock.jump(61)
    found = await port.post("/webhook/segment", BODY)
    assert (found.status, found.code()) == (401, "bad_signature")
    found = await port.post("/webhook/segment/tokens", BODY)
    assert (found.status, found.code()) == (401, "bad_token")
    found = await port.post("/webhook/segment/nobody", BODY)
    assert (found.status, found.code()) == (404, "unknown_source")
    assert [(n.source, n.why, n.status) for n in port.told if isinstance(n, SenderRefused)] == [
        ("segment", Why.BAD_SIGNATURE, 503),
        ("segment", Why.BAD_SIGNATURE, 401),
        ("tokens", Why.BAD_TOKEN, 401),
        ("unknown", Why.UNKNOWN_SOURCE, 404),
    ]
    assert port.outcomes()[1:] == [
        ("segment", Outcome.DEFERRED, 1, Why.UNVERIFIED),
        ("segment", Outcome.REFUSED, 1, Why.BAD_SIGNATURE),
        ("tokens", Outcome.REFUSED, 1, Why.BAD_TOKEN),
        ("unknown", Outcome.REFUSED, 1, Why.UNKNOWN_SOURCE),
    ]
    assert (await port.post("/webhook/segment", BODY, SIGNED)).ok


async def test_a_batch_whose_first_event_is_signed_is_never_refused_for_good(port: Port) -> None:
    body = b"[" + BODY + b"," + BODY + b"]"
    signed_first = {"X-Signature": sign(BODY, b"shop-secret")}
    port.clock.jump(5 * HOUR)
    for path in ("/webhook/segment/shop", "http://relay.example.com/webhook/segment/shop"):
        found = await port.post(path, body, signed_first)
        assert (found.status, found.code()) == (503, "unverified")
        assert found.headers["retry-after"] == "60"
    assert (await port.post("/webhook/segment/shop", body)).status == 401


async def test_a_relay_that_verifies_nothing_believes_only_when_told_to() -> None:
    async with serving(IntakeOptions(allow_unsigned=True)) as port:
        assert (await port.post("/webhook/segment", BODY)).ok
        assert (await port.post("/v1/track", BODY)).ok
        assert (await port.post("/webhook/segment/other", BODY)).code() == "unverified"
    async with serving(IntakeOptions()) as port:
        found = await port.post("/webhook/segment", BODY)
        assert found.code() == "unverified"
        assert "allow_unsigned" in json.loads(found.body)["message"]
        assert (await port.post("/v1/track", BODY)).code() == "bad_write_key"


def deep(depth: int) -> bytes:
    return b'{"type":"track","messageId":"1","properties":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


BAD = [
    (b"", 400, "bad_json"),
    (b"{", 400, "bad_json"),
    (b"a=1", 400, "bad_json"),
    (b"7", 400, "bad_shape"),
    (b'{"batch":{}}', 400, "bad_shape"),
    (b"[7]", 400, "bad_shape"),
    (b'{"order_id":"FH-100700","revenue":337}', 400, "not_an_event"),
    (b'[{"order_id":"1"},{"order_id":"2"}]', 400, "not_an_event"),
    (b"[]", 400, "empty_batch"),
    (b'{"batch":[]}', 400, "empty_batch"),
    (deep(64), 400, "too_deep"),
    (deep(10_000), 400, "too_deep"),
    (b"[" * 150_000, 400, "too_deep"),
    (orjson.dumps([EVENT] * 51), 413, "too_many_events"),
    (b'{"type":"track","x":"' + b"x" * 200_000 + b'"}', 413, "too_large"),
]


@pytest.mark.parametrize("path", ["/webhook/segment", "/v1/batch"])
@pytest.mark.parametrize(("body", "status", "code"), BAD, ids=[f"{code}-{len(body)}" for body, _, code in BAD])
async def test_bad_input_is_answered_with_its_code_and_owed_to_nobody(
    port: Port, path: str, body: bytes, status: int, code: str
) -> None:
    found = await port.post(path, body, {"X-Relay-Token": "example-token"} | BASIC)
    assert (found.status, found.code()) == (status, code)
    assert [(outcome, why.value) for _, outcome, _, why in port.outcomes()] == [(Outcome.REFUSED, code)]
    assert not port.inbox.entries
    if status == 413:
        assert "smaller batches" in json.loads(found.body)["message"]


async def test_the_developer_is_told_what_a_mapping_must_send(port: Port) -> None:
    found = await port.post("/webhook/segment", b'{"revenue":337}', {"X-Relay-Token": "example-token"})
    assert "whole event" in json.loads(found.body)["message"]


ODD = [
    (deep(63), {}),
    (b'{"type":"track","messageId":"1","n":NaN}', {"n": None}),
    (b'{"type":"track","messageId":"1","n":"\\ud83d"}', {"n": "\ufffd"}),
    (b'{"type":"track","messageId":"1","n":1,"n":2}', {"n": 2}),
    (b'{"type":"track","messageId":"1","n":123456789012345678901234567890}', {"n": 1.2345678901234568e29}),
    (b'\xef\xbb\xbf{"type":"track","messageId":"1","n":1}', {"n": 1}),
    (b'{"type":"track","messageId":"1","n":"\xff"}', {"n": "\ufffd"}),
]


@pytest.mark.parametrize("path", ["/webhook/segment", "/v1/track"])
@pytest.mark.parametrize(("body", "members"), ODD, ids=["deep", "nan", "surrogate", "twice", "huge", "bom", "latin"])
async def test_odd_input_is_accepted_and_stored_byte_safe(
    port: Port, path: str, body: bytes, members: dict[str, Any]
) -> None:
    assert (await port.post(path, body, {"X-Relay-Token": "example-token"} | BASIC)).ok
    [stored] = port.stored()
    assert {name: stored[name] for name in members} == members


async def test_one_bad_event_in_a_good_batch_is_put_aside(port: Port) -> None:
    batch = orjson.dumps([EVENT, {"revenue": 1}, 7, {**EVENT, "messageId": "2"}])
    assert (await port.post("/webhook/segment", batch, {"X-Relay-Token": "example-token"})).ok
    assert [entry.event_id for entry in port.inbox.entries] == ["1", "2"]
    assert [(one.source, one.reason, one.raw) for one in port.inbox.rejects] == [
        ("segment", "not_an_event", b'{"revenue":1}'),
        ("segment", "bad_shape", b"7"),
    ]


async def test_several_requests_on_one_connection_even_without_waiting(port: Port) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    bodies = [orjson.dumps({**EVENT, "messageId": str(number)}) for number in range(20)]
    for body in bodies:
        writer.write(request("POST", "/webhook/segment", {"X-Signature": sign(body, SECRET)}, body))
    writer.write(request("POST", "/webhook/segment", {"X-Relay-Token": "example-token"}, b"{"))
    found = [await answer(reader) for _ in range(21)]
    assert all(one.ok and "date" in one.headers for one in found[:20])
    assert found[20].code() == "bad_json"
    assert len(port.inbox.entries) == 20
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(("version", "header"), [("1.0", ""), ("1.1", "close"), ("1.0", "keep-alive"), ("1.1", "")])
async def test_old_and_hasty_clients_get_the_same_answer(port: Port, version: str, header: str) -> None:
    found = await port.send("POST", "/webhook/segment", SIGNED | {"Connection": header}, BODY, version)
    assert found.ok
    assert found.closed == (header == "close")


async def chunked(port: Port, pieces: list[bytes], headers: str = "") -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    headers += f"Authorization: {BASIC['Authorization']}\r\n"
    head = f"POST /v1/batch HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    writer.write(head.encode())
    for piece in pieces:
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")
    try:
        return await answer(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_chunked_body_is_read_to_its_end(port: Port) -> None:
    assert (await chunked(port, [BODY[:10], BODY[10:]])).ok
    coded = gzip.compress(BODY)
    assert (await chunked(port, [coded[:7], coded[7:]], "Content-Encoding: gzip\r\n")).ok
    assert port.stored()[0]["messageId"] == "1"


async def test_a_body_without_length_is_given_up_at_the_limit(port: Port) -> None:
    found = await chunked(port, [b"x" * 50_000] * 5)
    assert (found.status, found.code()) == (413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_bodies(port: Port, coding: str) -> None:
    coded = gzip.compress(BODY) if coding == "gzip" else zlib.compress(BODY)
    assert (await port.post("/v1/track", coded, BASIC | {"Content-Encoding": coding})).ok
    found = await port.post("/v1/track", BODY, BASIC | {"Content-Encoding": coding})
    assert (found.status, found.code()) == (400, "bad_encoding")
    found = await port.post("/v1/track", coded[:-12], BASIC | {"Content-Encoding": coding})
    assert found.status == 400


async def test_a_gzip_bomb_is_given_up_long_before_it_is_unfolded() -> None:
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(coder.compress(b"\0" * 1_000_000) for _ in range(200)) + coder.flush()  # 200 MB in 200 kB
    async with serving(IntakeOptions(SOURCES, max_body=1_000_000)) as port:
        tracemalloc.start()
        try:
            found = await port.post("/v1/batch", bomb, BASIC | {"Content-Encoding": "gzip"})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (found.status, found.code()) == (413, "too_large")
    assert peak < 6_000_000


async def test_redis_away_is_503_with_retry_after_and_nothing_hangs(port: Port) -> None:
    port.inbox.trouble = StoreUnavailable(StoreTrouble.LOADING, "40 %", retry_after=7)
    for path in ("/webhook/segment", "/v1/track"):
        found = await port.post(path, BODY, SIGNED | BASIC)
        assert (found.status, found.code(), found.headers["retry-after"]) == (503, "store_unavailable", "7")
        assert "redis_loading" in json.loads(found.body)["message"]
    port.inbox.trouble = StoreUnavailable(StoreTrouble.OVERLOADED, retry_after=1)
    assert (await port.post("/webhook/segment", BODY, SIGNED)).code() == "overloaded"
    port.inbox.trouble = None
    assert (await port.post("/webhook/segment", BODY, SIGNED)).ok


async def test_a_mistake_of_ours_leaves_the_event_with_the_sender(port: Port) -> None:
    body = orjson.dumps({**EVENT, "x": POISON.decode()})
    found = await port.post("/webhook/segment", body, {"X-Relay-Token": "example-token"})
    assert (found.status, found.code()) == (503, "store_unavailable")


PATHS = ["track", "page", "screen", "identify", "group", "alias", "t", "p", "s", "i", "g", "a", "batch", "import", "b"]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_path_of_the_tracking_api(port: Port, slash: str) -> None:
    for number, path in enumerate(PATHS):
        body = orjson.dumps({"event": "x", "messageId": str(number), "userId": "u"})
        assert (await port.post(f"/v1/{path}{slash}", body, BASIC)).ok
    full = ["track", "page", "screen", "identify", "group", "alias"]
    assert [event["type"] for event in port.stored()] == [*full, *full, "track", "track", "track"]
    assert all(event["receivedAt"] == event["timestamp"] for event in port.stored())


async def test_write_keys_come_in_the_header_or_in_the_body(port: Port) -> None:
    body = orjson.dumps({**EVENT, "writeKey": KEY.decode()})
    without_colon = {"Authorization": "basic " + base64.b64encode(KEY).decode()}
    for headers, one in (({}, body), (without_colon, BODY), (BASIC, body), ({"Authorization": "Bearer x"}, body)):
        assert (await port.post("/v1/track", one, headers)).ok
    tokens = orjson.dumps({"batch": [EVENT], "writeKey": "WK_TOKENS"})
    assert (await port.post("/v1/b", tokens)).ok
    assert port.outcomes()[-1][0] == "tokens"
    for headers in (
        {},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Bearer " + KEY.decode()},
    ):
        found = await port.post("/v1/track", BODY, headers)
        assert (found.status, found.code()) == (401, "bad_write_key")
    assert len([notice for notice in port.told if isinstance(notice, SenderRefused)]) == 1
    found = await port.post("/v1/track", b'{"type":"track","writeKey":"\\ud800"}')
    assert found.code() == "bad_write_key"


async def test_the_batch_of_an_sdk_is_corrected_in_time(port: Port) -> None:
    batch = {
        "batch": [{**EVENT, "timestamp": "2026-01-25T10:00:00.000Z"}],
        "sentAt": "2026-01-25T10:00:10.000Z",
        "context": {"library": {"name": "analytics-kotlin"}},
        "writeKey": KEY.decode(),
    }
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7, 127.0.0.2"}
    assert (await port.post("/v1/b", orjson.dumps(batch), forwarded)).ok
    [stored] = port.stored()
    assert stored["originalTimestamp"] == "2026-01-25T10:00:00.000Z"
    assert stored["receivedAt"] == "2026-02-02T02:40:00.000Z"
    assert stored["timestamp"] == "2026-02-02T02:39:50.000Z"
    assert stored["context"] == {"library": {"name": "analytics-kotlin"}, "ip": "203.0.113.7"}


async def test_telemetry_is_swallowed(port: Port) -> None:
    assert (await port.post("/v1/m", b'{"series":[]}')).ok
    assert (await port.post("/v1/m", b"x" * 200_001)).code() == "too_large"
    assert port.outcomes()[0] == ("unknown", Outcome.FILTERED, 1, Why.TELEMETRY)
    assert not port.inbox.calls


ORIGIN = {"Origin": "https://shop.example.com"}


async def test_browsers_may_ask_and_read(port: Port) -> None:
    for path in ("/v1/t", "/v1/batch/", "/v1/m", "/webhook/segment", "/webhook/segment/shop/"):
        found = await port.send("OPTIONS", path, ORIGIN)
        assert found.status == 200
        assert found.headers["access-control-allow-origin"] == ORIGIN["Origin"]
        assert found.headers["access-control-allow-headers"].startswith("authorization, content-type, x-retry-count")
        assert found.headers["access-control-allow-methods"] == "POST, OPTIONS"
        assert int(found.headers["access-control-max-age"]) > 0
    for body in (BODY, b"{"):
        found = await port.post("/v1/t", body, BASIC | ORIGIN | {"Content-Type": "text/plain"})
        assert found.headers["access-control-allow-origin"] == ORIGIN["Origin"]
        assert found.headers["access-control-expose-headers"] == "Retry-After"
        assert found.headers["vary"] == "Origin"
        assert found.ok == (body == BODY)
    assert (await port.send("OPTIONS", "/v1/t")).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/webhook/segment", 405, "method_not_allowed", "POST, PUT, PATCH, OPTIONS"),
        ("DELETE", "/webhook/segment/shop", 405, "method_not_allowed", "POST, PUT, PATCH, OPTIONS"),
        ("GET", "/v1/track/", 405, "method_not_allowed", "POST, OPTIONS"),
        ("PUT", "/v1/b", 405, "method_not_allowed", "POST, OPTIONS"),
        ("POST", "/healthz", 405, "method_not_allowed", "GET, HEAD"),
        ("POST", "/webhook", 404, "not_found", None),
        ("POST", "/webhook/segment/shop/more", 404, "not_found", None),
        ("POST", "//v1/track", 404, "not_found", None),
        ("POST", "/v1/unknown", 404, "not_found", None),
        ("GET", "/", 404, "not_found", None),
    ],
)
async def test_other_methods_and_paths_get_json_and_never_a_redirect(
    port: Port, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    found = await port.send(method, path)
    assert (found.status, found.code(), found.headers.get("allow")) == (status, code, allow)


async def test_webhooks_may_be_put_and_patched(port: Port) -> None:
    for method in ("POST", "PUT", "PATCH"):
        assert (await port.send(method, "/webhook/segment", SIGNED, BODY)).ok


async def test_health_and_readiness(port: Port) -> None:
    assert json.loads((await port.send("GET", "/healthz")).body) == {"status": "up"}
    assert (await port.send("GET", "/readyz")).status == 200
    port.readiness = (False, "redis_loading 40 %")
    found = await port.send("GET", "/readyz/")
    assert (found.status, json.loads(found.body)) == (503, {"ready": False, "why": "redis_loading 40 %"})
    assert (await port.send("GET", "/healthz")).status == 200


async def test_no_answer_repeats_what_was_sent(port: Port) -> None:
    secret = "h1dden"
    for path in ("/webhook/segment", "/v1/track", f"/{secret}", f"/webhook/segment/{secret}"):
        for body in (f'"{secret}"', f'{{"{secret}":1}}', f"{{{secret}", f'{{"batch":"{secret}"}}'):
            found = await port.post(path, body.encode(), {"X-Relay-Token": "example-token"} | BASIC)
            assert secret not in found.body.decode()
            assert secret not in str(port.told)


def test_every_reason_has_its_answer() -> None:
    filtered = {Why.NONE, Why.NO_SUBSCRIPTION, Why.INTEGRATION_OFF, Why.CONSENT_REFUSED, Why.EVENT_TESTER}
    assert set(STATUS) == set(Why) - filtered - {Why.DELETE_CALL, Why.SUPPRESSED, Why.TELEMETRY}
    assert set(MESSAGES) <= set(STATUS)
    assert set(STATUS.values()) <= {400, 401, 404, 405, 413, 429, 503}
