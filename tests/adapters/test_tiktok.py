from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import orjson
import pytest
from aiohttp import web

from relay.adapters.tiktok import TikTokSender, failed_items, probe_credentials, track_url
from relay.core.tiktok.reply import Call, Reply

CALL = Call("d", b'{"event_source":"web","event_source_id":"P","data":[{"event":"Purchase"}]}', 1)
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tiktok(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A host with one handler for every route."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_host(answer: Raw) -> AsyncIterator[int]:
    """A host that speaks whatever bytes it likes."""
    writers = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
        await server.wait_closed()


async def ask(port: int | str, *, timeout_s: float = 5.0, scheme: str = "http", token: str = "secret") -> Reply:  # noqa: S107
    async with aiohttp.ClientSession() as session:
        return await TikTokSender(session, f"{scheme}://127.0.0.1:{port}", lambda: token, timeout_s).send(CALL)


async def test_the_request_is_what_tiktok_expects_and_the_answer_is_read_whole() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, dict(request.headers), await request.read()))
        answer = {"code": 0, "message": "OK", "request_id": "2026R", "data": {}}
        return web.json_response(answer, headers={"X-TT-LOGID": "L1"})

    async with tiktok(handler) as port:
        reply = await ask(port, token=" secret\n")
    method, path, headers, body = seen[0]
    assert (method, path, body) == ("POST", "/open_api/v1.3/event/track/", CALL.body)
    assert headers["Access-Token"] == "secret"
    assert headers["Content-Type"] == "application/json"
    assert (reply.status, reply.code, reply.message, reply.request_id, reply.log_id) == (200, 0, "OK", "2026R", "L1")
    assert reply.sent
    assert reply.seconds > 0


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b'{"code": 40100, "message": "slow"}', 40100),
        (200, b'{"code": true}', None),
        (200, b'{"code": "0"}', None),
        (200, b'{"message": 1, "request_id": 2}', None),
        (200, b"[0]", None),
        (200, b"", None),
        (502, b"<html>Bad Gateway</html>", None),
        (404, b"404 page not found", None),
        (200, b'{"code": 0, "message": "OK"} and more', None),
        (200, b'{"pad": "' + b"x" * (2 << 20) + b'", "code": 0}', None),
    ],
)
async def test_an_integer_code_in_the_body_or_only_the_status(status: int, body: bytes, code: int | None) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    async with tiktok(handler) as port:
        reply = await ask(port)
    assert (reply.status, reply.code, reply.error) == (status, code, "")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None), ("9999999999", None)]
)
async def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    async with tiktok(handler) as port:
        assert (await ask(port)).retry_after == seconds


async def test_a_redirect_does_not_take_the_token_elsewhere() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.path.endswith("/event/track/")
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with tiktok(handler) as port:
        assert (await ask(port)).status == 302


async def test_nobody_listens_so_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        reply = await ask(unused.getsockname()[1])
    assert (reply.error, reply.sent, reply.status) == ("refused", False, None)


async def test_an_unknown_host_was_sent_nothing() -> None:
    class NoSuchHost(aiohttp.abc.AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[aiohttp.abc.ResolveResult]:
            raise OSError(-2, "Name or service not known")

        async def close(self) -> None:
            pass

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoSuchHost())) as session:
        reply = await TikTokSender(session, "http://tiktok.invalid", lambda: "t").send(CALL)
    assert (reply.error, reply.sent) == ("dns", False)


async def test_a_reset_after_the_request_is_in_doubt() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with raw_host(answer) as port:
        reply = await ask(port)
    assert (reply.error, reply.sent) == ("reset", True)


async def test_an_answer_that_breaks_off_is_in_doubt() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"code": 0')
        await writer.drain()
        writer.close()

    async with raw_host(answer) as port:
        reply = await ask(port)
    assert (reply.error, reply.sent, reply.code) == ("reset", True, None)


async def test_what_is_no_http_is_in_doubt() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello\r\n\r\n")
        await writer.drain()
        writer.close()

    async with raw_host(answer) as port:
        reply = await ask(port)
    assert (reply.error, reply.sent) == ("other", True)


async def test_silence_ends_in_a_timeout_in_doubt() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with raw_host(answer) as port:
        reply = await ask(port, timeout_s=0.1)
    assert (reply.error, reply.sent) == ("timeout", True)


async def test_a_failed_handshake_was_sent_nothing() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"no TLS here")
        await writer.drain()
        writer.close()

    async with raw_host(answer) as port:
        reply = await ask(port, scheme="https")
    assert (reply.error, reply.sent) == ("tls", False)


async def test_a_token_that_no_header_can_carry_is_not_sent() -> None:
    reply = await ask(9, token="se\ncret")
    assert (reply.error, reply.sent) == ("token", False)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h", "https://h/open_api/v1.3/event/track/"),
        ("https://h/", "https://h/open_api/v1.3/event/track/"),
        ("https://h/open_api/v1.3", "https://h/open_api/v1.3/event/track/"),
        ("https://h/open_api/v1.3/", "https://h/open_api/v1.3/event/track/"),
        ("https://proxy/tiktok", "https://proxy/tiktok/open_api/v1.3/event/track/"),
    ],
)
def test_the_address(base: str, url: str) -> None:
    assert track_url(base) == url


@pytest.mark.parametrize(
    ("data", "failed"),
    [
        ({"failed_events": [{"order_in_batch": 2}, {"order_in_batch": 0}]}, (2, 0)),
        ({"failed_events": []}, ()),
        ({"failed_events": [{"order": 2}]}, None),
        ({"failed_events": [{"order_in_batch": True}]}, None),
        ({"failed_events": ["2"]}, None),
        ({"failed_events": None}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_failed_events_in_the_known_shape_only(data: object, failed: tuple[int, ...] | None) -> None:
    assert failed_items(data) == failed


@pytest.mark.parametrize(
    ("status", "answer", "good"),
    [
        (200, {"code": 0}, True),
        (200, {"code": 40002, "message": "data is empty"}, True),
        (200, {"code": 40105}, False),
        (401, {"code": 40104}, False),
        (200, {"code": 40001}, False),
        (404, "404 page not found", None),
    ],
)
async def test_the_probe_of_a_token_sends_no_event(status: int, answer: object, good: bool | None) -> None:  # noqa: FBT001
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(orjson.loads(await request.read()))
        return web.Response(status=status, body=orjson.dumps(answer))

    async with tiktok(handler) as port, aiohttp.ClientSession() as session:
        probe = await probe_credentials(TikTokSender(session, f"http://127.0.0.1:{port}", lambda: "t"), "web", "P")
    assert seen == [{"event_source": "web", "event_source_id": "P", "data": []}]
    assert probe.good is good


async def test_the_probe_says_when_tiktok_is_out_of_reach() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            probe = await probe_credentials(TikTokSender(session, url, lambda: "t"), "web", "P")
    assert probe.good is None
    assert "refused" in probe.detail
