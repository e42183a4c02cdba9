"""One play for all real senders at once: events, Redis stopped, more events, Redis back, more events, the count.

All of them together, because each waits most of the time: for its own patience, and for Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.processes import wait_for
from tests.senders.cast import (
    BROWSERS,
    PATIENCE,
    PYTHONS,
    ROUND,
    Driven,
    Report,
    Sender,
    Shopper,
    command,
    key_of,
)
from tests.senders.chromium import Browser, Page, chromium
from tests.senders.installed import Unavailable, node_senders, python_senders
from tests.senders.stage import Stage

RECEIVED = "relay_events_received_total"


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
        await asyncio.to_thread(stage.redis.stop)
        await _round(cast)
        await asyncio.to_thread(wait_for, "a 503 for every sender", lambda: _all_deferred(stage, cast))
        played.refusal = await _refusal(stage)
        stage.redis.start()
        await _round(cast)
        await asyncio.gather(*(sender.finish() for sender in cast.values()))
        with suppress(AssertionError):  # the tests say who lost what
            await _arrived(stage, played)
        played.received, played.counted = stage.simulator.ids(), stage.simulator.counted()
        played.deferred = stage.tell(RECEIVED, "deferred")
        played.refused = stage.tell(RECEIVED, "refused")
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
    for name in (*PYTHONS, "node", "webhooks"):
        report = Report()
        try:
            words, environ = command(name, stage.relay.url, python if name in PYTHONS else node)
            cast[name] = await Driven.start(stack, words, environ, folder / f"{name}.log", report)
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


async def _round(cast: Mapping[str, Sender]) -> None:
    await asyncio.gather(*(sender.send(ROUND) for sender in cast.values()))


async def _arrived(stage: Stage, played: Played) -> None:
    """Until TikTok has everything that any sender is known to have taken."""
    ids = {one for report in played.reports.values() for one in report.ids}

    def missing_none() -> bool:
        return ids <= {event_id for _, event_id in stage.simulator.ids()}

    await asyncio.to_thread(wait_for, "all events at TikTok", missing_none, PATIENCE)


def _all_deferred(stage: Stage, cast: Mapping[str, Sender]) -> bool:
    deferred = stage.tell(RECEIVED, "deferred")
    return all(deferred[name] > 0 for name in cast)


async def _refusal(stage: Stage) -> tuple[int, str, dict[str, Any]]:
    body = {"type": "track", "event": "Order Completed", "messageId": "probe", "writeKey": key_of("node")}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.relay.url}/v1/track", json=body) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", ""), await answer.json()
