"""Time and dice that do what a test says."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Sized
from dataclasses import dataclass, field

START_MS = 1_770_000_000_000
"""2026-02-02, a Monday: any fixed moment will do."""


@dataclass
class Calls:
    """Calls to the real world that are ``under_way``: time does not go on until they are ``over``."""

    under_way: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        self.under_way += 1
        self.over.clear()

    def end(self) -> None:
        self.under_way -= 1
        if not self.under_way:
            self.over.set()


class FakeClock:
    """A clock that moves when told. ``sleep`` suspends on a future of its own until ``advance`` passes it."""

    def __init__(self, start_ms: int = START_MS, calls: Calls | None = None) -> None:
        self._calls = calls
        self._start_ms = start_ms
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_ms(self) -> int:
        return self._start_ms + int(self._elapsed * 1000 + 1e-6)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._elapsed + seconds, self._order, future))
        await future

    def jump(self, seconds: float) -> None:
        """Move without letting anybody run."""
        self._elapsed += seconds

    async def advance(self, seconds: float) -> None:
        """Move, waking each sleeper at its own moment and letting everybody run in between."""
        until = self._elapsed + seconds
        await settle_down(self._calls)
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not future.done():
                future.set_result(None)
                await settle_down(self._calls)
        self._elapsed = until
        await settle_down(self._calls)


async def settle_down(calls: Calls | None = None, rounds: int = 1_000_000) -> None:
    """Let every task run until it waits for something else than its turn."""
    ready: Sized = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(rounds):
        await asyncio.sleep(0)
        if ready:
            continue
        if calls is None or not calls.under_way:
            return
        await calls.over.wait()
    raise AssertionError("somebody never waits")


class Dice:
    """Seeded dice."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)
