"""A TikTok in many moods that counts as the real one does: a repeat within 48 h of the first arrival is removed."""

from __future__ import annotations

import random
import zlib
from collections import Counter

import orjson

from relay.core.event import JsonObject
from relay.core.tiktok.reply import Call, Reply
from relay.ports import Clock

WINDOW_MS = 48 * 3_600_000
CALL_S = 3.0
"""A call of a TikTok that is well takes at most this long."""
HANGS_S = 8.0
"""Nobody waits longer for an answer (``adapters.tiktok``)."""
SLOW_S = 4.5
"""Added to a call by a TikTok that is slow, and still in time."""
LONGEST_WAY_MS = 10_000
FAULTS = {
    "gateway": Reply(502, None),
    "system": Reply(200, 50000, "system error"),
    "maintenance": Reply(200, 60001, "maintenance"),
    "refused": Reply(None, None, error="refused", sent=False),
    "lost": Reply(None, None, error="timeout"),
    "throttled": Reply(200, 40100, "Too many requests. Please retry in some time."),
    "revoked": Reply(200, 40105, "Access token is incorrect or has been revoked."),
}
MOODS = ("fine", "fine", "fine", "partial", "shaky", "answers_lost", "answers_lost", "hangs", "slow", *FAULTS)
STYLES = ("data[{}]", "data.{}", "index {}", "Batch.{}.x", "an item")


class CountingTikTok:
    """``mood`` is set by the test; ``counted`` is what an advertiser would see."""

    def __init__(self, clock: Clock, dice: random.Random) -> None:
        self._clock, self._dice = clock, dice
        self.mood = "fine"
        self.counted: Counter[str] = Counter()
        self.calls = 0
        self.first: dict[str, int] = {}  # when what is counted last had arrived first

    @property
    def doubled(self) -> list[str]:
        """Ids of events counted more than once under one name."""
        return [key.partition("/")[2] for key, times in self.counted.items() if times > 1]

    async def send(self, call: Call) -> Reply:
        self.calls += 1
        items: list[JsonObject] = orjson.loads(call.body)["data"]
        assert 0 < len(items) == call.items <= 1000
        mood = self._dice.choice(MOODS) if self.mood == "shaky" else self.mood
        left = self._clock.now_ms()
        await self._clock.sleep(self._dice.uniform(0.0, 2.0) + (SLOW_S if mood == "slow" else 0.0))
        if self._clock.now_ms() - left > LONGEST_WAY_MS:
            return FAULTS["lost"]  # the machine slept: the connection is long dead
        if mood == "hangs":
            await self._clock.sleep(HANGS_S)
            return FAULTS["lost"]
        reply = FAULTS.get(mood) or self._take(items, partial=mood == "partial")
        await self._clock.sleep(self._dice.uniform(0.0, 1.0))
        return FAULTS["lost"] if mood == "answers_lost" else reply

    def _take(self, items: list[JsonObject], *, partial: bool) -> Reply:
        bad = [index for index, item in enumerate(items) if item["bad"]]
        if bad and not partial:
            # Several complaints: one alone would look like a fault of the configuration too often.
            kind = zlib.crc32(items[bad[0]]["event_id"].encode()) % 3
            where = self._dice.choice(STYLES).format(bad[0])
            return Reply(200, 40002, f"Invalid value for {where}, rule {kind}")
        for index, item in enumerate(items):
            if index not in bad:
                self._store(f"{item['event']}/{item['event_id']}")
        return Reply(200, 20001, "partial", failed_items=tuple(bad)) if bad else Reply(200, 0, "OK")

    def _store(self, key: str) -> None:
        now = self._clock.now_ms()
        first = self.first.get(key)
        if first is None or now - first > WINDOW_MS:
            self.first[key] = now
            self.counted[key] += 1
