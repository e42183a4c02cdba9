"""Limits of what is kept for people: dead letters and incidents, by age and by bytes."""

from __future__ import annotations

import math
from typing import Any

from relay.adapters.redis import keys
from relay.adapters.redis.connect import Client, as_written_here
from relay.adapters.redis.options import StoreOptions
from relay.core.event import EntryClass, StreamKey, Trimmed

PIECE = 250
"""Letters that are given up in one call at most: about 3 ms."""


class RedisBounds:
    """See ``ports.Bounds``."""

    def __init__(self, client: Client, options: StoreOptions) -> None:
        self._client, self._options = client, options

    async def trim_letters(self, destination: str) -> Trimmed:
        """See ``ports.Bounds.trim_letters``. Bytes as the server counts them, its own overhead included."""
        options, name = self._options, keys.dead(destination)
        rejects = destination == keys.INTAKE
        max_age, max_bytes = (
            (options.rejects_age_ms, options.rejects_bytes)
            if rejects
            else (options.letters_age_ms, options.letters_bytes)
        )
        (seconds, micros), used, oldest = await self._client.many(
            [("TIME",), ("MEMORY", "USAGE", name), ("XRANGE", name, "-", "+", "COUNT", 1)]
        )
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        with as_written_here(name):
            died_ms = int(oldest[0][1].get(b"d", now_ms)) if oldest else now_ms
        fullness = max((now_ms - died_ms) / max_age, int(used or 0) / max_bytes)
        if fullness <= 1:
            return Trimmed(0, fullness)
        count, more = await self._trim(destination, now_ms - max_age, max(0, int(used or 0) - max_bytes))
        return Trimmed(count, fullness, bool(more))

    async def _trim(self, destination: str, moment_ms: int, too_many: int) -> tuple[int, int]:
        classes = () if destination == keys.INTAKE else tuple(EntryClass)
        names = [keys.dead(destination), keys.intake_books()]
        names += [keys.books(StreamKey(destination, klass)) for klass in classes]
        args: list[Any] = [moment_ms, too_many, PIECE, len(classes), *(klass.value for klass in classes)]
        count, more = await self._client.script("trim", names, args)
        return count, more

    async def trim_reports(self, destination: str) -> Trimmed:
        """See ``ports.Bounds.trim_reports``. The age of an incident is that of the last line in its log."""
        options = self._options
        name = keys.incidents(destination)
        with as_written_here(name):
            numbers = sorted(int(number) for number in await self._client.run("HKEYS", name))
        past = numbers[:-1]  # the latest may be open
        if not past:
            return Trimmed(0, 0.0)
        logs = [keys.incident_log(destination, number) for number in past]
        commands: list[tuple[Any, ...]] = [("TIME",)]
        commands += [("MEMORY", "USAGE", log) for log in logs]
        commands += [("XREVRANGE", log, "+", "-", "COUNT", 1) for log in logs]
        (seconds, _), *found = await self._client.many(commands)
        sizes, lasts = [int(size or 0) for size in found[: len(past)]], found[len(past) :]
        too_many, gone = sum(sizes) - options.reports_bytes, 0
        oldest_ms = int(seconds) * 1000 - options.reports_age_ms
        for size, last in zip(sizes, lasts, strict=True):
            if too_many <= 0 and _told_ms(last) >= oldest_ms:
                break
            too_many, gone = too_many - size, gone + 1
        if gone:
            await self._client.run("HDEL", name, *past[:gone])
            await self._client.run("UNLINK", *logs[:gone])
        return Trimmed(gone, sum(sizes) / options.reports_bytes)


def _told_ms(last: Any) -> float:
    """When the last line was written; one without lines has no age."""
    return int(last[0][0].partition(b"-")[0]) if last else math.inf
