"""Waiting for the first of several events, and finding the first of several errors."""

from __future__ import annotations

import asyncio


async def until_any(*events: asyncio.Event) -> None:
    """Wait for the first of them."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def innermost(crashes: BaseExceptionGroup[Exception]) -> BaseException:
    """The first error that is no group."""
    error: BaseException = crashes
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
