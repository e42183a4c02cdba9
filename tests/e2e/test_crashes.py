"""kill -9 at random moments: every event that got a 200 is counted exactly once by TikTok."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relay.core.mapping import load_presets
from relay.core.mapping.destination import compile_destination
from relay.simulator.traffic import traffic
from tests.e2e.processes import PIXEL, Relay, Sender, Simulator, playground, wait_for

KILLS = 20
RATE = 500.0


def wanted(seed: int) -> Iterator[dict[str, Any]]:
    """Made-up traffic that a preset matches, stamped now."""
    mapping = compile_destination("tiktok-conversions", PIXEL, load_presets("tiktok-conversions"))
    for event in traffic(seed, int(time.time() * 1000)):
        if mapping.matches(event):
            yield event


def faults(relay: Relay) -> list[Callable[[], None]]:
    """Kill -9 of the relay, of Valkey, of both; a killed relay is started again at once, as an orchestrator would."""

    def relay_only() -> None:
        relay.kill()
        relay.start()

    def valkey_only() -> None:
        relay.kill_valkey()

    def both() -> None:
        relay.kill()
        relay.kill_valkey()
        relay.start()

    return [relay_only, valkey_only, both]


async def torture(relay: Relay, simulator: Simulator, dice: random.Random, kills: int) -> Sender:
    """Steady traffic, ``kills`` faults at random moments, an outage of TikTok in between."""
    sender = Sender(relay.webhook)
    gaps = [dice.uniform(0.3, 2.0) for _ in range(kills)]
    until = time.monotonic() + sum(gaps) + 6

    async def strike() -> None:
        for number, gap in enumerate(gaps):
            await asyncio.sleep(gap)
            if number == kills // 3:
                await asyncio.to_thread(simulator.control, outage="503")
            if number == 2 * kills // 3:
                await asyncio.to_thread(simulator.control, outage="none")
            await asyncio.to_thread(dice.choice(faults(relay)))
            if relay.child is not None and relay.child.poll() is not None:
                relay.start()  # it gave up while Valkey was killed under its start: an orchestrator starts it again

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.run(wanted(dice.randrange(10**6)), RATE, until, retry_for=60))
        tasks.create_task(strike())
    return sender


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_every_acknowledged_event_is_counted_exactly_once(tmp_path: Path) -> None:
    dice = random.Random(20)
    with playground(tmp_path, RELAY_JOURNAL__LEASE="5s", RELAY_DELIVERY__TIMEOUT="3s") as (relay, simulator):
        sender = asyncio.run(torture(relay, simulator, dice, KILLS))
        if relay.child is not None and relay.child.poll() is not None:
            relay.start()
        relay.ready()
        fresh_event_arrives(relay, simulator)
        relay.drained(120)
        counted = {event_id: times for (_, event_id), times in simulator.ids().items()}
        summary = simulator.counted()
    lost = sender.owed - counted.keys()
    assert not lost, f"{len(lost)} of {len(sender.owed)} acknowledged events never arrived, e.g. {sorted(lost)[:3]}"
    assert summary["doubled"] == 0
    assert len(sender.owed) > 2000, f"too little got through to prove anything: {sender.answers}"
    print(f"{len(sender.owed)} acknowledged, {summary}")


def fresh_event_arrives(relay: Relay, simulator: Simulator) -> None:
    """Within 30 s after the last fault (design §8)."""
    event = next(wanted(77)) | {"messageId": "fresh-after-the-faults"}
    sender = Sender(relay.webhook)

    async def send() -> bool:
        async with aiohttp.ClientSession() as session:
            return await sender.send(session, event)

    wait_for("a 200 for the fresh event", lambda: asyncio.run(send()), 30)
    wait_for("the fresh event at TikTok", lambda: any(key[1] == event["messageId"] for key in simulator.ids()), 30)
