"""The simulator, but calls with one token hang for 30 s. Arguments: port, latency in milliseconds."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from aiohttp.typedefs import Handler

from relay.simulator.control import Control, updated
from relay.simulator.server import TRACK, build_simulator

HANGS_S = 30.0
HANGING = "token-hanging"
"""Any token but this and the steady one is revoked."""


@web.middleware
async def hang(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the network may do to the calls of one advertiser only."""
    if request.path == TRACK and request.headers.get("Access-Token") == HANGING:
        await asyncio.sleep(HANGS_S)
    return await handler(request)


if __name__ == "__main__":
    control = updated(Control(), {"latency": float(sys.argv[2]), "tokens": ["token-steady", HANGING]})
    app = build_simulator(control)
    app.middlewares.append(hang)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, handler_cancellation=True)
