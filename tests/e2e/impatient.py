"""A relay whose incidents are sampled every second and close after three: what takes minutes in life, in seconds."""

from __future__ import annotations

import asyncio
import signal
import sys

from relay.app import Service
from relay.config import load_settings
from relay.core.incident import Patience

PATIENCE = Patience(every_ms=1_000, standing_ms=3_000, calm_ms=3_000)


async def serve() -> int:
    """As ``relay serve`` does."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return await Service(load_settings(None), patience=PATIENCE).run(stopping)


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
