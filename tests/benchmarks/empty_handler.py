"""The baseline of the intake benchmark: aiohttp on uvloop with a handler that does nothing."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def nothing(_: web.Request) -> web.Response:
    return web.Response()


async def serve(port: int) -> None:
    app = web.Application()
    app.router.add_post("/webhook/segment", nothing)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


uvloop.run(serve(int(sys.argv[1])))
