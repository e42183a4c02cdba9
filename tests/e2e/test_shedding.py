"""A relay whose store is full and that may shed: every event gets its 200, and no conversion is given up."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relay.core.event import JsonObject
from relay.simulator.traffic import traffic
from tests.e2e.processes import PATIENCE, Relay, Sender, playground, wait_for

ENOUGH = 500
BACKS_OFF_S = 0.05
"""After a refusal, as every sender does. One that does not wait is refused 300 times between two looks at the store."""
STANDBY = {"RELAY_DESTINATIONS__0__MODE": "standby"}  # nothing leaves, so that it fills
SMALL = {"RELAY_JOURNAL__MAX_BYTES": "6MiB", "RELAY_JOURNAL__HIGH": "0.9", "RELAY_JOURNAL__LOW": "0.7"}


def bulky(events: Iterator[JsonObject]) -> Iterator[JsonObject]:
    """Events that fill a store quickly."""
    dice = random.Random(4)
    for event in events:
        yield event | {"context": {**event.get("context", {}), "noise": dice.randbytes(2000).hex()}}


async def send_until_shed(relay: Relay, sender: Sender) -> None:
    events, until = bulky(traffic(5, time.time_ns() // 1_000_000)), time.monotonic() + 2 * PATIENCE
    async with aiohttp.ClientSession() as session:
        while relay.metric("relay_entries_settled_total", ending="shed") < ENOUGH:
            assert time.monotonic() < until, "nothing is shed"
            for _ in range(50):
                if not await sender.send(session, next(events)):
                    await asyncio.sleep(BACKS_OFF_S)


def streams(relay: Relay) -> dict[str, dict[str, Any]]:
    return {stream["class"]: stream for stream in relay.admin("/api/status")["streams"]}


@pytest.mark.e2e
def test_a_full_store_sheds_engagement_and_goes_on(tmp_path: Path) -> None:
    with playground(tmp_path, RELAY_JOURNAL__ON_FULL="shed", **STANDBY, **SMALL) as (relay, _):
        sender = Sender(relay.webhook)
        asyncio.run(send_until_shed(relay, sender))
        assert set(sender.answers) <= {200, 503}
        assert sender.answers[200] > 0.95 * sum(sender.answers.values()), "it goes on, but for a moment now and then"
        wait_for("a look at rest", lambda: streams(relay)["engagement"]["books"].get("shed", 0) >= ENOUGH)
        looked = streams(relay)
        assert looked["conversion"]["books"] == {"accepted": looked["conversion"]["owed"]}
        assert looked["conversion"]["owed"] > 0
        wait_for("the books", lambda: all(not one["unbalanced"] for one in streams(relay).values()))
        relay.stop()
        log = [json.loads(line) for line in relay.log.read_text().splitlines() if line.startswith("{")]
        lines = [line for line in log if line["event"] == "entries_shed"]
        assert sum(line["count"] for line in lines) >= ENOUGH
        assert {(line["level"], line["class"]) for line in lines} == {("warning", "engagement")}
        assert 503 in sender.answers or not [line for line in log if line["event"] == "store_lost"]
