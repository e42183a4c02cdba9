"""What TikTok would have counted (TikTok sheet section 4).

The key is event source, event name and event_id, all three; the first arrival wins; the clock is arrival, never
``event_time``. An id is kept as its JSON key and one integer that a whole batch shares: about 250 bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

MERGE_MS = 5 * 60_000
Channel = Literal["api", "pixel"]
Fate = Literal["unique", "duplicate", "merged", "doubled"]
SECONDS_KEPT = 3_600


@dataclass(slots=True)
class Repeats:
    """What came after a first arrival: how often it arrived and was counted in all, and whether both channels met."""

    times: int = 1
    counted: int = 1
    merged: bool = False


class Counting:
    """The books of one simulator. Times are integer milliseconds since the epoch.

    ``remember``: how many ids at most (0 = all). A forgotten id that comes again looks unique, so with a cap the
    books prove nothing about repeats that are further apart than that many ids; ``forgotten`` says whether it happened.
    """

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.without_id = 0
        self.forgotten = 0
        self.test_events = 0
        self._first: dict[bytes, int] = {}
        self._calls: dict[int, int] = {}
        self._repeats: dict[bytes, Repeats] = {}
        self._pixel_first: set[bytes] = set()

    def api(self, source_id: str, items: Sequence[dict[str, Any]], now_ms: int, window_ms: int, remember: int) -> None:
        """Count items that TikTok accepted. Hot: the ordinary item costs one key and one look."""
        first, dumps, unique = self._first, orjson.dumps, 0
        for item in items:
            event_id = item.get("event_id")
            if not event_id:
                self.without_id += 1  # nothing to compare: counts every time
                unique += 1
                continue
            key = dumps((source_id, item["event"], event_id))
            if key in first:
                self._repeat(key, "api", now_ms, window_ms)
            else:
                first[key] = now_ms
                unique += 1
        self.fates["unique"] += unique
        self._forget(remember)

    def pixel(self, source_id: str, event: str, event_id: str, now_ms: int, window_ms: int) -> Fate:
        """Count what the browser's pixel sent by itself."""
        key = orjson.dumps((source_id, event, event_id))
        if key in self._first:
            return self._repeat(key, "pixel", now_ms, window_ms)
        self._first[key] = now_ms
        self._pixel_first.add(key)
        self.fates["unique"] += 1
        return "unique"

    def _repeat(self, key: bytes, channel: Channel, now_ms: int, window_ms: int) -> Fate:
        seen = self._repeats.setdefault(key, Repeats())
        seen.times += 1
        fate = self._fate(key, seen, channel, now_ms - self._first[key], window_ms)
        if fate == "doubled":
            seen.counted += 1
            seen.merged = False
            self._first[key] = now_ms  # it was counted, so the window starts again
            (self._pixel_first.add if channel == "pixel" else self._pixel_first.discard)(key)
        seen.merged = seen.merged or fate == "merged"
        self.fates[fate] += 1
        return fate

    def _fate(self, key: bytes, seen: Repeats, channel: Channel, age_ms: int, window_ms: int) -> Fate:
        if age_ms > window_ms or not window_ms:
            return "doubled"
        other_channel = (key in self._pixel_first) != (channel == "pixel")
        if other_channel and not seen.merged and age_ms <= MERGE_MS:
            return "merged"
        return "duplicate"

    def _forget(self, remember: int) -> None:
        while remember and len(self._first) > remember:
            key = next(iter(self._first))
            del self._first[key]
            self._repeats.pop(key, None)
            self._pixel_first.discard(key)
            self.forgotten += 1

    def called(self, now_ms: int) -> None:
        """A call arrived, whatever becomes of it."""
        second = now_ms // 1000
        self._calls[second] = self._calls.get(second, 0) + 1
        if len(self._calls) > SECONDS_KEPT:
            del self._calls[next(iter(self._calls))]

    def calls(self) -> Iterator[bytes]:
        """One JSON line for each second of the last hour in which calls arrived, and how many did."""
        for second, calls in self._calls.items():
            yield orjson.dumps({"second": second, "calls": calls}, option=orjson.OPT_APPEND_NEWLINE)

    def summary(self) -> dict[str, int]:
        """``unique + doubled`` is what TikTok counted; every accepted item is in exactly one of the four."""
        return {fate: self.fates[fate] for fate in ("unique", "duplicate", "merged", "doubled")} | {
            "without_id": self.without_id,
            "test_events": self.test_events,
            "forgotten": self.forgotten,
        }

    def ids(self) -> Iterator[bytes]:
        """One JSON line for each id: times it arrived and was counted, and when it was counted last (ms)."""
        for key, at_ms in self._first.items():
            source_id, event, event_id = orjson.loads(key)
            seen = self._repeats.get(key)
            yield orjson.dumps(
                {
                    "event_source_id": source_id,
                    "event": event,
                    "event_id": event_id,
                    "times": seen.times if seen else 1,
                    "counted": seen.counted if seen else 1,
                    "at_ms": at_ms,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
