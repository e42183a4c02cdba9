"""The real clock, real dice, and secrets that may change while the relay runs."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.ports import Clock


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemChance:
    """The machine's dice; jitter, nothing secret."""

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        return random.uniform(low, high)  # noqa: S311


def allow_open_files(wanted: int) -> int:
    """Raise the process's own limit of open files towards ``wanted``; returns the limit that holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else soft


class FileSecret:
    """A secret in a file that may be rewritten: orchestrators rotate tokens so. Keeps the last readable value."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._value = path.read_text(encoding="utf-8").strip()

    def __call__(self) -> str:
        """The value as last read."""
        return self._value

    def reread(self) -> bool:
        """Read again; True when there is another value. A file that is being replaced keeps the old one."""
        try:
            value = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return False
        changed = bool(value) and value != self._value
        if changed:
            self._value = value
        return changed


class Looks:
    """When a watcher of files looks at them: every few seconds, and at once when somebody asks."""

    def __init__(self, clock: Clock, every_s: float = 2.0) -> None:
        self._clock, self._every_s = clock, every_s
        self._asked = False

    def ask(self) -> None:
        """Do not wait: look now."""
        self._asked = True

    async def next(self, stopping: asyncio.Event) -> bool:
        """Wait for the next look; True when it was asked for. Returns early on ``stopping``."""
        waited = 0.0
        while waited < self._every_s and not self._asked and not stopping.is_set():
            await self._clock.sleep(0.2)
            waited += 0.2
        asked, self._asked = self._asked, False
        return asked


async def watch_secrets(
    secrets: dict[str, FileSecret], changed: Callable[[str], Awaitable[None]], looks: Looks, stopping: asyncio.Event
) -> None:
    """Look at each file until stopped, and say the name of each that changed.

    A change that could not be told, because the store was away or refused it, is told again.
    """
    untold: set[str] = set()
    while secrets and not stopping.is_set():
        untold |= {name for name, secret in secrets.items() if secret.reread()}
        for name in sorted(untold):
            with suppress(StoreUnavailable, StoreMisused):
                await changed(name)
                untold.discard(name)
        await looks.next(stopping)
