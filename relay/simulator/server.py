"""aiohttp around the platform: TikTok's route, and on the same port the switches and the books for tests and people."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from relay.simulator.answers import Envelope, request_id
from relay.simulator.control import Control, ControlFault, as_json, as_object
from relay.simulator.outage import Page
from relay.simulator.platform import Answer, Moment, Platform

TRACK = "/open_api/v1.3/event/track/"
MAX_BODY = 64 * 1024**2
ASLEEP = 3600.0  # what "never answers" means; the caller hangs up long before
PLATFORM = web.AppKey("platform", Platform)


def moment() -> Moment:
    """Now."""
    return Moment(time.time_ns() / 1e9, time.monotonic(), random.uniform(0, 0.999_999))


def build_simulator(control: Control) -> web.Application:
    """The whole simulator as an application; every application has books of its own."""
    app = web.Application(client_max_size=MAX_BODY)
    app[PLATFORM] = Platform(control, time.monotonic())
    app.router.add_post(TRACK, _track)
    app.router.add_get("/control", _show_control)
    app.router.add_put("/control", _change_control)
    app.router.add_get("/counted", _show_counted)
    app.router.add_delete("/counted", _forget)
    app.router.add_get("/counted/ids", _show_ids)
    app.router.add_get("/counted/calls", _show_calls)
    app.router.add_post("/pixel", _pixel)
    app.router.add_route("*", "/{anything:.*}", _elsewhere)
    return app


@asynccontextmanager
async def simulator(port: int, control: Control, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Run beside other things; gives the port it really listens on (0 asks for a free one)."""
    runner = web.AppRunner(build_simulator(control), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def run_simulator(port: int, control: Control, host: str = "127.0.0.1") -> None:
    """Run until cancelled."""
    async with simulator(port, control, host):
        await asyncio.Event().wait()


async def _track(request: web.Request) -> web.StreamResponse:
    platform = request.app[PLATFORM]
    raw = await request.read()
    answer = platform.track(request.headers.get("Access-Token"), raw, moment())
    low, high = platform.control.latency
    if high > 0:
        await asyncio.sleep(random.uniform(low, high) / 1000)
    return await _written(request, answer, platform.control)


async def _written(request: web.Request, answer: Answer, control: Control) -> web.StreamResponse:
    now = moment().now + control.clock_offset_s
    mark = request_id(now, random.getrandbits(64))
    headers = {"X-TT-LOGID": mark}
    if isinstance(answer, Envelope):
        body, status = answer.body(mark), answer.status(control.http_mode)
        return web.Response(body=body, status=status, content_type="application/json", headers=headers)
    if isinstance(answer, Page):
        return web.Response(text=answer.text, status=answer.status, content_type=answer.content_type, headers=headers)
    if answer.hang:
        await asyncio.sleep(ASLEEP)
    _reset(request)
    return web.Response()  # goes nowhere: the connection is gone


def _reset(request: web.Request) -> None:
    """Hang up with RST instead of FIN, as a load balancer that dies does."""
    transport = request.transport
    if transport is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _elsewhere(request: web.Request) -> web.Response:
    """Any other route: plain text, never JSON (TikTok sheet section 1)."""
    headers = {"X-TT-LOGID": request_id(moment().now, random.getrandbits(64))}
    if request.path == TRACK:
        return web.Response(text="Method Not Allowed", status=405, headers={**headers, "Allow": "POST"})
    text = "404 page not found" if request.path + "/" == TRACK else "Not Found"
    return web.Response(text=text, status=404, headers=headers)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def _show_control(request: web.Request) -> web.Response:
    return _json(as_json(request.app[PLATFORM].control))


async def _change_control(request: web.Request) -> web.Response:
    """Partial: switches that are not named stay."""
    try:
        changes = as_object(orjson.loads(await request.read()))
        return _json(as_json(request.app[PLATFORM].change(changes, time.monotonic())))
    except orjson.JSONDecodeError as error:
        return _json({"problems": [f"not JSON: {error}"]}, 400)
    except ControlFault as fault:
        return _json({"problems": fault.problems}, 400)


async def _show_counted(request: web.Request) -> web.Response:
    return _json(request.app[PLATFORM].summary())


async def _forget(request: web.Request) -> web.Response:
    request.app[PLATFORM].forget()
    return _json(request.app[PLATFORM].summary())


async def _show_ids(request: web.Request) -> web.StreamResponse:
    return await _lines(request, request.app[PLATFORM].counting.ids())


async def _show_calls(request: web.Request) -> web.StreamResponse:
    return await _lines(request, request.app[PLATFORM].counting.calls())


async def _lines(request: web.Request, source: Iterator[bytes]) -> web.StreamResponse:
    """JSONL, in chunks; a snapshot, because counting goes on between two chunks."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    lines = list(source)
    for start in range(0, len(lines), 2000):
        await response.write(b"".join(lines[start : start + 2000]))
    await response.write_eof()
    return response


async def _pixel(request: web.Request) -> web.Response:
    """What a browser's pixel would have sent: ``{"event_source_id", "event", "event_id"}``."""
    try:
        body = orjson.loads(await request.read())
        source_id, event, event_id = (body[name] for name in ("event_source_id", "event", "event_id"))
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return _json({"problems": ["needs event_source_id, event and event_id"]}, 400)
    return _json({"fate": request.app[PLATFORM].pixel(source_id, event, event_id, moment())})
