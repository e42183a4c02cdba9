"""What the store can say about single entries: for traces and forecasts, never for delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from relay.adapters.redis import attempts, keys, memo
from relay.adapters.redis.codec import Codec, Undecodable
from relay.adapters.redis.connect import Client
from relay.adapters.redis.inbox import placed
from relay.core.event import Attempt, Entry, EntryClass, Lane, StreamKey
from relay.core.trace import AgeSample, Page, Standing, parse_id

PARTS, WANTED, MOST = 16, 250, 1000
"""Windows of a sample, entries they hold on average and at most: wide enough to meet bursts, and each a call of its own
that takes the server about a millisecond."""


class RedisTracks:
    """See ``ports.Tracks``."""

    def __init__(self, client: Client, codec: Codec, digest_key: Callable[[], bytes]) -> None:
        self._client, self._codec, self._digest_key = client, codec, digest_key
        self._memos = memo.MemoReader()

    async def search(self, stream: StreamKey, needle: bytes, *, after: str = "", limit: int = 200) -> Page:
        """See ``ports.Tracks.search``. What cannot be decoded cannot be recognised."""
        low = f"({after}" if after else "-"
        page = await self._client.run("XRANGE", keys.owed(stream), low, "+", "COUNT", limit)
        found = []
        decode = self._codec.decode
        for index, (id_, fields) in enumerate(page):  # hot: once per entry owed
            try:
                raw = decode(fields[b"e"])
            except (Undecodable, KeyError):
                continue
            if needle in raw:
                found.append((index, self._entry(id_.decode(), raw, fields)))
        return Page(len(page), page[-1][0].decode() if page else after, tuple(found))

    def _entry(self, id_: str, raw: bytes, fields: Mapping[bytes, bytes]) -> Entry:
        received_ms, (worth, source, accepted) = self._memos.read(fields.get(b"m", b""))
        first_ms = fields.get(b"f", b"0")
        return Entry(
            id_, raw, received_ms, source, worth, accepted, int(first_ms) if first_ms.isdigit() else 0, b"l" in fields
        )

    async def accepted(self, destination: str, event_id: str) -> Mapping[EntryClass, tuple[int, int]]:
        """See ``ports.Tracks.accepted``: the epoch in which the id was remembered, the current one until now."""
        bucket, member = placed(destination, event_id, self._digest_key())
        seconds, micros = await self._client.run("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        spans, commands = [], []
        for klass in EntryClass:
            length = keys.EPOCH_MS[klass]
            for back in range(keys.EPOCHS[klass]):
                epoch = now_ms // length - back
                spans.append((klass, (epoch * length, min(now_ms, (epoch + 1) * length))))
                commands.append(("SISMEMBER", keys.seen_prefix(klass, epoch) + b"%x" % bucket, member))
        answers = await self._client.many(commands)
        return {klass: span for (klass, span), answer in zip(spans, answers, strict=True) if answer}

    async def standing(self, stream: StreamKey, entry_id: str) -> Standing:
        """See ``ports.Tracks.standing``."""
        commands: list[tuple[Any, ...]] = [
            ("TIME",),
            ("HGET", keys.mark(stream), "id"),
            ("HGETALL", keys.leases(stream)),
        ]
        (seconds, micros), mark, leases = await self._client.many(commands)
        now_ms, position = int(seconds) * 1000 + int(micros) // 1000, parse_id(entry_id)
        lane = Lane.BACKLOG if mark and position <= parse_id(mark.decode()) else Lane.LIVE
        for first, text in leases.items():
            if first != b"#":
                last, due_ms, _, claimed_ms, _ = text.decode().split()
                if parse_id(first.decode()) <= position <= parse_id(last):
                    return Standing(lane, now_ms, int(due_ms), int(claimed_ms))
        return Standing(lane, now_ms)

    async def calls(self, destination: str, *, after: str = "", limit: int = 500) -> tuple[str, list[Attempt]]:
        """See ``ports.Tracks.calls``. A call that was written down twice, by a repeated settlement, is two here."""
        low = f"({after}" if after else "-"
        page = await self._client.run("XRANGE", keys.attempts(destination), low, "+", "COUNT", limit)
        read = [attempts.read(fields.get(b"a", b"")) for _, fields in page]
        return page[-1][0].decode() if page else "", [attempt for attempt in read if attempt is not None]

    async def ages(self, stream: StreamKey) -> Sequence[AgeSample]:
        """See ``ports.Tracks.ages``."""
        owed = keys.owed(stream)
        ends = [("XRANGE", owed, "-", "+", "COUNT", 1), ("XREVRANGE", owed, "+", "-", "COUNT", 1), ("XLEN", owed)]
        first, last, length = await self._client.many(ends)
        if not first or not last:
            return []
        samples = []
        for start, stop in windows(_ms(first[0][0]), _ms(last[0][0]), length):
            received, count = await self._client.script("sample", [owed], (start, stop, MOST))
            samples.append(AgeSample(int(received or 0), count))
        return samples


def windows(first_ms: int, last_ms: int, length: int) -> Iterator[tuple[int, int]]:
    """Equally wide windows at the start of equal parts of a range of ids; of a short stream they are all of it."""
    step = (last_ms + 1 - first_ms) / PARTS
    width = min(step, max(1.0, step * PARTS * WANTED / length))
    for part in range(PARTS):
        start = int(first_ms + part * step)
        next_start = int(first_ms + (part + 1) * step)
        yield start, (next_start if width == step else min(next_start, int(start + width))) - 1


def _ms(entry_id: bytes) -> int:
    return parse_id(entry_id.decode())[0]
