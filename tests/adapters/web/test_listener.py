"""Connections that crowd, dawdle, flood or speak something else, and what belongs on every answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from relay.adapters.web import intake_reading, listener
from relay.adapters.web.intake_options import IntakeOptions, SourceOptions
from relay.adapters.web.intake_reading import Bounds
from relay.adapters.web.listener import MAX_HEAD, Limits, Listener
from relay.core.event import DEFAULT_SOURCE
from relay.core.notices import ConnectionCut, Cut, Notice, Outcome, RequestAnswered, RequestRefused, TaskCrashed, Why
from tests.adapters.web.test_intake import BASIC, BODY, EVENT, SIGNED, SOURCES, Port, answer, request, serving

OPTIONS = IntakeOptions(SOURCES, max_body=2_000_000)
MARK = "Zm9yZWlnbi1tYXJr"  # what a sender wrote and nobody may repeat
TOKEN = {"X-Relay-Token": "example-token"}
HEAD = f"POST /webhook/segment HTTP/1.1\r\nHost: {MARK}\r\n".encode()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    async with serving(OPTIONS) as found:
        yield found


async def until(check: Any, patience: float = 5.0) -> None:
    end = time.monotonic() + patience
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def opened(port: Port, *pieces: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    return reader, writer


async def heard(port: Port, *pieces: bytes) -> tuple[bytes, float]:
    """Everything that comes back until the other side hangs up, and after how many seconds it did."""
    start = time.monotonic()
    reader, writer = await opened(port, *pieces)
    try:
        return await asyncio.wait_for(reader.read(), 5), time.monotonic() - start
    finally:
        writer.close()


def cuts(port: Port) -> list[Cut]:
    return [notice.why for notice in port.told if isinstance(notice, ConnectionCut)]


def large(length: int, **headers: str) -> bytes:
    """The head of a request whose body is to have so many bytes."""
    return request("POST", "/webhook/segment", {"Content-Length": str(length), **TOKEN, **headers}, b"")


async def test_a_head_that_does_not_end_is_cut_off() -> None:
    async with serving(OPTIONS, limits=Limits(head_s=0.2)) as port:
        found, seconds = await heard(port, HEAD)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert b'"code": "too_slow"' in found
        assert seconds < 4
        assert cuts(port) == [Cut.SLOW_HEAD]
        assert (await port.post("/webhook/segment", BODY, SIGNED)).ok


async def test_a_slow_head_that_ends_in_time_is_a_head(port: Port) -> None:
    whole = request("POST", "/webhook/segment", SIGNED, BODY)
    reader, writer = await opened(port, *(whole[place : place + 40] for place in range(0, len(whole), 40)))
    assert (await answer(reader)).ok
    writer.close()
    assert cuts(port) == []


async def test_a_connection_that_says_nothing_is_kept_for_a_while() -> None:
    async with serving(OPTIONS, limits=Limits(idle_s=0.3, head_s=0.05)) as port:
        found, seconds = await heard(port)
        assert found == b""
        assert seconds >= 0.25
        assert cuts(port) == []


async def test_a_flood_of_headers_ends_before_it_fills_the_memory(port: Port) -> None:
    flood = HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 8000) for number in range(12))
    found, _ = await heard(port, flood)
    assert b'"code": "head_too_large"' in found
    assert len(flood) > MAX_HEAD
    assert cuts(port) == [Cut.LARGE_HEAD]


async def test_who_does_nothing_makes_room_and_who_never_asked_does_first() -> None:
    async with serving(OPTIONS, limits=Limits(connections=8)) as port:
        silent = await opened(port, HEAD)
        kept = [await opened(port, request("POST", "/webhook/segment", SIGNED, BODY)) for _ in range(7)]
        for reader, _ in kept:
            assert (await answer(reader)).ok
        assert (await port.post("/webhook/segment", BODY, SIGNED)).ok
        assert b"too_many_connections" in await asyncio.wait_for(silent[0].read(), 5)
        assert cuts(port) == [Cut.MADE_ROOM]
        reader, writer = kept[-1]
        writer.write(request("POST", "/webhook/segment", SIGNED, BODY))
        assert (await answer(reader)).ok
        for _, one in (silent, *kept):
            one.close()


async def test_where_all_are_at_work_a_newcomer_is_told_to_come_again() -> None:
    async with serving(OPTIONS, limits=Limits(connections=8)) as port:
        busy = [await opened(port, large(1000), b"{") for _ in range(8)]
        reader, writer = await opened(port)
        found = await answer(reader)
        assert (found.status, found.code()) == (503, "too_many_connections")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert cuts(port) == [Cut.CROWDED]
        for _, one in busy:
            one.close()
        writer.close()
        await until(lambda: port.listener.open == 0)
        assert (await port.post("/webhook/segment", BODY, SIGNED)).ok


async def test_who_owes_a_body_makes_room_when_it_is_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "STALLED_S", 0.3)
    async with serving(OPTIONS, limits=Limits(connections=8)) as port:
        begun = await opened(port, large(len(BODY) + 200), BODY[:-1])  # has sent more than the others
        silent = [await opened(port, large(1000)) for _ in range(6)]
        working = await opened(port, large(len(BODY)), BODY[:-1])
        await asyncio.sleep(0.4)
        working[1].write(BODY[-1:])
        assert (await answer(working[0])).ok
        working[1].write(large(len(BODY)) + BODY[:-1])
        await asyncio.sleep(0.05)
        newcomers = []
        for _ in silent:  # while nobody's place is free
            found = await opened(port, request("POST", "/webhook/segment", SIGNED, BODY))
            assert (await answer(found[0])).ok
            found[1].write(large(1000))
            newcomers.append(found[1])
            await asyncio.sleep(0.02)
        for reader, _ in silent:
            turned_away = await asyncio.wait_for(answer(reader), 5)
            assert (turned_away.status, turned_away.code()) == (503, "too_many_connections")
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert cuts(port) == [Cut.MADE_ROOM] * 6
        begun[1].write(b"," + b" " * 199 + b"}")
        working[1].write(BODY[-1:])
        assert (await answer(working[0])).ok
        assert (await answer(begun[0])).code() == "bad_json"
        assert not any(isinstance(notice, TaskCrashed) for notice in port.told)
        for writer in (begun[1], working[1], *(one for _, one in silent), *newcomers):
            writer.close()


async def test_who_lets_bytes_drip_is_as_good_as_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "STALLED_S", 0.3)
    async with serving(OPTIONS, limits=Limits(connections=1)) as port:
        _, dripping = await opened(port, large(1000), *[b" "] * 40)
        reader, writer = await opened(port, request("POST", "/webhook/segment", SIGNED, BODY))
        assert (await answer(reader)).ok
        dripping.close()
        writer.close()


async def test_every_refusal_has_an_id_that_the_log_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "STALLED_S", 0.3)
    async with serving(OPTIONS, limits=Limits(connections=1, head_s=0.2)) as port:
        found = []
        for head in (HEAD, HEAD + b"X-A: b\r\n" * 9_000):  # too slow, too large
            reader, writer = await opened(port, head)
            found.append(await answer(reader))
            writer.close()
            await until(lambda: port.listener.open == 0)
        owing = await opened(port, large(1000))
        newcomer = await opened(port)
        found.append(await answer(newcomer[0]))
        await asyncio.sleep(0.4)
        welcome = await opened(port)
        found.append(await answer(owing[0]))
        for _, writer in (owing, newcomer, welcome):
            writer.close()
    assert [one.status for one in found] == [408, 400, 503, 503]
    assert [one.headers.get("retry-after") for one in found] == [None, None, "5", "5"]
    ids = [one.headers["x-request-id"] for one in found]
    assert len(set(ids)) == 4
    told = [notice for notice in port.told if isinstance(notice, RequestRefused)]
    assert told[:4] == [
        RequestRefused("intake", one.status, one.code(), name) for one, name in zip(found, ids, strict=True)
    ]


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async with serving(OPTIONS, Bounds(seconds=0.3)) as port:
        reader, writer = await opened(port, large(1000), b"{")
        found = await answer(reader)
        assert (found.status, found.code(), found.closed) == (503, "too_slow", True)
        assert port.outcomes() == [(DEFAULT_SOURCE, Outcome.DEFERRED, 1, Why.TOO_SLOW)]
        writer.close()


async def test_a_body_must_keep_to_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_reading, "PATIENCE_S", 0.2)
    async with serving(OPTIONS, Bounds(rate=100)) as port:
        body = orjson.dumps(EVENT | {"pad": "x" * 400})
        reader, writer = await opened(port, large(len(body)), *(body[n : n + 20] for n in range(0, len(body), 20)))
        assert (await answer(reader)).ok  # some 500 bytes a second
        writer.close()
        reader, writer = await opened(port, large(len(body)))
        for byte in body[:12]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        assert (await answer(reader)).code() == "too_slow"
        writer.close()


async def test_large_requests_share_a_room_and_small_ones_need_none() -> None:
    async with serving(OPTIONS, Bounds(in_flight=150_000)) as port:
        body = orjson.dumps(EVENT | {"messageId": "2", "pad": "x" * 140_000})
        held = []
        for number in (1, 2):  # the second finds the room full and takes the large place
            held.append(await opened(port, large(len(body)), body[:-1]))
            await until(lambda number=number: port.room.used > number * 100_000)
        found = await port.post("/webhook/segment", body, TOKEN)
        assert (found.status, found.code()) == (503, "overloaded")
        assert (await port.post("/webhook/segment", BODY, TOKEN)).ok
        assert (await port.post("/v1/track", BODY, BASIC)).ok
        for reader, writer in held:
            writer.write(body[-1:])
            assert (await answer(reader)).ok
            writer.close()
        assert port.room.used == port.room.shared == 0
        assert (await port.post("/webhook/segment", body, TOKEN)).ok


async def test_a_request_heavier_than_the_room_passes_beside_others_but_one_at_a_time() -> None:
    async with serving(OPTIONS, Bounds(in_flight=1_000_000)) as port:
        dense = orjson.dumps([EVENT | {"messageId": "2", "list": [1] * 20_000}])
        assert (await port.post("/webhook/segment", dense, TOKEN)).ok
        strangers = [await opened(port, large(100_000), start) for start in (b"{", b"[" + b"0," * 40_000)]
        await until(lambda: port.room.used > 80_000)
        assert port.room.large is None, "a body that is not whole counts as what it is, not as what it may become"
        assert (await port.post("/webhook/segment", dense, TOKEN)).ok
        strangers.append(await opened(port, large(1_500_000), b'{"a":"' + b"x" * 1_200_000))
        await until(lambda: port.room.used > 1_200_000)
        found = await port.post("/webhook/segment", dense, TOKEN)
        assert (found.status, found.code()) == (503, "overloaded")
        for _, writer in strangers:
            writer.close()
        await until(lambda: port.room.used == port.room.shared == 0)
        assert (await port.post("/webhook/segment", dense, TOKEN)).ok


async def test_a_body_that_would_become_too_many_values_is_given_up_early() -> None:
    async with serving(IntakeOptions(SOURCES)) as port:
        reader, writer = await opened(port, large(30_000_000), b"[" + b"[]," * 1_100_000)
        found = await answer(reader)
        assert (found.status, found.code(), found.closed) == (413, "too_large", True)
        assert "values" in json.loads(found.body)["message"]
        writer.close()


async def test_a_body_may_have_as_many_values_as_events_of_its_length_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_reading, "MANY_VALUES", 10_000)
    async with serving(OPTIONS) as port:
        for length, expected in ((20, 200), (4, 413)):
            body = orjson.dumps(EVENT | {"messageId": str(length), "list": ["x" * length] * 40_000})
            assert (await port.post("/webhook/segment", body, TOKEN)).status == expected
            # The Tracking API has to look for the write key, which is no secret, in the body itself.
            assert (await port.post("/v1/track", body, BASIC)).status == 413


@pytest.mark.parametrize("packing", ["gzip", "deflate", "raw deflate", "chunked", "gzip chunked"])
@pytest.mark.parametrize("over", [False, True])
async def test_the_limit_holds_however_a_body_is_packed(packing: str, over: bool) -> None:  # noqa: FBT001
    body = orjson.dumps(EVENT | {"pad": "x" * (500_000 if over else 400_000)})
    bits = {"gzip": 31, "deflate": 15, "raw deflate": -15, "gzip chunked": 31}.get(packing)
    wire = body
    if bits is not None:
        packer = zlib.compressobj(6, zlib.DEFLATED, bits)
        wire = packer.compress(body) + packer.flush()
    headers = dict(TOKEN)
    if bits is not None:
        headers["Content-Encoding"] = "gzip" if bits == 31 else "deflate"
    if "chunked" in packing:
        headers |= {"Transfer-Encoding": "chunked", "Content-Length": ""}
        pieces = [wire[start : start + 7_000] for start in range(0, len(wire), 7_000)]
        wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    async with serving(IntakeOptions(SOURCES, max_body=450_000)) as port:
        found = await port.post("/webhook/segment", wire, headers)
        assert found.status == (413 if over else 200)
        assert len(port.inbox.entries) == (0 if over else 1)
        assert port.room.used == 0


async def test_the_answer_to_a_body_that_nobody_reads_arrives(port: Port) -> None:
    reader, writer = await opened(port, large(100_000_000), b"x" * 1_000_000)
    found = await answer(reader)
    assert (found.status, found.code(), found.closed) == (413, "too_large", True)
    writer.write(b"x" * 1_000_000)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SHAPES = {
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 30\r\n\r\nabcd" + SMUGGLED,
    "one length twice": HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "a list of lengths": HEAD + b"Content-Length: 4, 4\r\n\r\nabcd" + SMUGGLED,
    "a signed length": HEAD + b"Content-Length: +4\r\n\r\nabcd" + SMUGGLED,
    "a negative length": HEAD + b"Content-Length: -4\r\n\r\nabcd" + SMUGGLED,
    "an endless length": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nabcd" + SMUGGLED,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a blank before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a folded header": HEAD + b"X-A: b\r\n c\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "no chunk size": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a negative chunk size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk size beyond 64 bits": CHUNKED + b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk longer than its size": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunks with bare line feeds": CHUNKED + b"3\nabc\n0\n\n" + SMUGGLED,
    "a head with bare line feeds": HEAD.replace(b"\r", b"") + b"Content-Length: 4\n\nabcd" + SMUGGLED,
    "a bare carriage return": HEAD + b"X-A: b\rContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "a zero byte": HEAD + b"X-A: a\x00b\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "two hosts": HEAD + b"Host: y\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "no host": b"POST /webhook/segment HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "a long line": HEAD + b"X-A: " + b"a" * 9000 + b"\r\n\r\n" + SMUGGLED,
    "a long path": b"POST /" + MARK.encode() * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "a thousand headers": HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(1000)) + b"\r\n" + SMUGGLED,
    "a compression nobody knows here": HEAD + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SMUGGLED,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
async def test_what_two_servers_could_read_in_two_ways_ends_the_connection(port: Port, shape: bytes) -> None:
    found, seconds = await heard(port, shape)
    assert found.count(b"HTTP/1.") == 1
    assert found.split()[1] == b"400"
    assert seconds < 4
    head, _, body = found.partition(b"\r\n\r\n")
    assert set(json.loads(body)) == {"success", "code", "message", "error"}
    assert b"nosniff" in head
    assert MARK.encode() not in found
    assert not port.inbox.calls


async def test_a_body_that_stops_being_http_is_answered_at_once(port: Port) -> None:
    found, seconds = await heard(port, CHUNKED + b"3\r\nabc\r\n", b"zz\r\n" + SMUGGLED)
    assert found.split()[1] == b"400"
    assert b'"code":"bad_encoding"' in found
    assert found.count(b"HTTP/1.") == 1
    assert seconds < 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0b7d1c-4:/+=_.Z", True),
        ("", False),
        ("x" * 129, False),
        ("a;b", False),
        ("a b", False),
        ("jane@example.com", False),
    ],
)
async def test_a_harmless_request_id_comes_back(port: Port, given: str, expected: bool) -> None:  # noqa: FBT001
    good = await port.post("/webhook/segment", BODY, SIGNED | {"X-Request-Id": given})
    assert good.ok
    assert good.headers.get("x-request-id") == (given if expected else None)
    assert good.headers["x-content-type-options"] == "nosniff"
    bad = await port.post("/webhook/segment", BODY, {"X-Request-Id": given})
    back = bad.headers["x-request-id"]
    assert (back == given) is expected
    assert back
    refused = [notice for notice in port.told if isinstance(notice, RequestRefused)]
    assert refused == [RequestRefused("intake", 503, "unverified", back)]
    answered = [notice for notice in port.told if isinstance(notice, RequestAnswered)]
    assert answered == ([RequestAnswered("intake", 200, given)] if expected else [])


async def test_on_the_way_out_clients_are_asked_to_come_back_elsewhere(port: Port) -> None:
    reader, writer = await opened(port)
    for leaving in (False, True):
        if leaving:
            port.listener.leave()
        writer.write(request("POST", "/webhook/segment", SIGNED, BODY))
        found = await answer(reader)
        assert found.ok
        assert found.closed is leaving
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_who_does_not_read_its_answers_gets_no_more_of_them(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "UNREAD_S", 0.3)
    reader, writer = await opened(port, request("POST", "/webhook/segment", SIGNED, BODY))
    assert (await answer(reader)).ok
    (connection,) = port.listener.connections
    connection.pause_writing()  # as the transport does when its buffer is full
    writer.write(request("POST", "/webhook/segment", SIGNED, BODY) * 3)
    await until(lambda: len(port.outcomes()) == 2)
    await asyncio.sleep(0.05)
    assert len(port.outcomes()) == 2, "the next request waits until somebody reads"
    connection.resume_writing()
    assert all([(await answer(reader)).ok for _ in range(3)])
    connection.pause_writing()
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert cuts(port) == [Cut.UNREAD]
    writer.close()


async def test_a_bug_of_ours_leaves_the_events_with_their_sender() -> None:
    told: list[Notice] = []

    async def broken(_: web.BaseRequest) -> web.StreamResponse:
        raise KeyError(MARK)

    runner = web.ServerRunner(Listener(broken, "intake", Limits(), told.append))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
        writer.write(request("POST", "/webhook/segment", {}, BODY))
        found = await answer(reader)
        writer.close()
    finally:
        await runner.cleanup()
    assert (found.status, found.code()) == (503, "internal_error")
    assert MARK not in repr(found)
    assert told[0] == TaskCrashed("intake", "KeyError")


async def test_a_client_that_leaves_in_the_middle_is_no_bug(port: Port) -> None:
    _, writer = await opened(port, large(1000), b"{")
    await until(lambda: port.room.used > 0)
    writer.transport.abort()
    await until(lambda: port.room.used == 0 and port.listener.open == 0)
    assert not any(isinstance(notice, TaskCrashed) for notice in port.told)


async def test_a_source_that_sends_too_much_is_told_when_to_come_again() -> None:
    limited = SourceOptions(tokens=(b"t",), write_keys=(b"WK_EXAMPLE_0001",), rate=0.5, burst=2)
    async with serving(IntakeOptions({DEFAULT_SOURCE: limited, "free": SourceOptions(tokens=(b"t",))})) as port:
        two = b"[" + BODY + b"," + BODY + b"]"
        assert (await port.post("/webhook/segment", two, {"X-Relay-Token": "t"})).ok
        for path, headers in (("/webhook/segment", {"X-Relay-Token": "t"}), ("/v1/track", BASIC)):
            found = await port.post(path, BODY, headers)
            assert (found.status, found.code(), found.headers["retry-after"]) == (429, "rate_limited", "2")
        assert port.outcomes()[-1] == (DEFAULT_SOURCE, Outcome.DEFERRED, 1, Why.TOO_FAST)
        assert (await port.post("/webhook/segment/free", two, {"X-Relay-Token": "t"})).ok
        port.clock.jump(2)
        assert (await port.post("/webhook/segment", BODY, {"X-Relay-Token": "t"})).ok


async def test_a_request_that_somebody_recorded_and_sends_again_changes_nothing(port: Port) -> None:
    """Segment's signature holds for ever, so this is what makes a replay harmless."""
    for expected in (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.DUPLICATE):
        assert (await port.post("/webhook/segment", BODY, SIGNED)).ok
        assert port.outcomes()[-1][1] is expected
    assert len(port.inbox.entries) == 1
