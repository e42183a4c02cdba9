"""The archive and the replay of it: one reader, one record, one script that owes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.adapters.redis import keys, memo
from relay.adapters.redis.codec import Codec, Locked, Undecodable
from relay.adapters.redis.connect import Client, as_written_here
from relay.adapters.redis.inbox import placed
from relay.adapters.redis.options import StoreOptions
from relay.core.archive import Archived, Moved, ReplayAsk, ReplayJob, ReplayState, Requeue, Step
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, StreamKey
from relay.ports import Clock

TRIMMED = 10_000
"""Entries that leave the archive in one call at most: some milliseconds."""


class RedisArchive:
    """See ``ports.Archive``."""

    def __init__(self, client: Client, codec: Codec, options: StoreOptions) -> None:
        self._client, self._codec, self._options = client, codec, options
        self._memos = memo.MemoReader()

    async def page(self, klass: EntryClass, *, after: str = "", limit: int = 200) -> Sequence[Archived]:
        """See ``ports.Archive.page``. What cannot be decoded is empty, and says whether a key would do."""
        low = f"({after}" if after else "-"
        page = await self._client.run("XRANGE", keys.archive(klass), low, "+", "COUNT", limit)
        with as_written_here(keys.archive(klass)):
            return [self._archived(klass, id_.decode(), fields) for id_, fields in page]

    async def trim(self) -> int:
        """See ``ports.Archive.trim``. Whole nodes at a time: what is a little too old may stay a little longer."""
        seconds, micros = await self._client.run("TIME")
        oldest = max(0, int(seconds) * 1000 + int(micros) // 1000 - self._options.retention_ms)
        trims = [("XTRIM", keys.archive(klass), "MINID", "~", f"{oldest}-0", "LIMIT", TRIMMED) for klass in EntryClass]
        return sum(await self._client.many(trims))

    def _archived(self, klass: EntryClass, id_: str, fields: Mapping[bytes, bytes]) -> Archived:
        received_ms, (worth, source, _) = self._memos.read(fields.get(b"m", b""))
        destination, first_ms = fields.get(b"d", b"").decode(), fields.get(b"f", b"0")
        raw, locked = b"", False
        try:
            raw = self._codec.decode(fields.get(b"e", b""))
        except Undecodable as why:
            locked = isinstance(why, Locked)
        delivered = bool(destination) and b"u" not in fields
        doubt_ms = int(first_ms) if first_ms.isdigit() else 0
        entry_id = fields.get(b"i", b"").decode()
        whose = (source, worth, destination, doubt_ms, delivered, entry_id)
        return Archived(id_, klass, raw, received_ms, *whose, locked=locked)


class RedisReplays:
    """See ``ports.Replays``. ``lease_ms``: who works on a job must take a step this often."""

    def __init__(self, client: Client, clock: Clock, digest_key: Callable[[], bytes], lease_ms: int) -> None:
        self._client, self._clock, self._digest_key, self._lease_ms = client, clock, digest_key, lease_ms
        self._skew_ms = 0  # store's clock − ours, learnt when they disagree about the epoch

    async def load(self) -> ReplayJob | None:
        """See ``ports.Replays.load``."""
        (seconds, micros), stored = await self._client.many([("TIME",), ("HGETALL", keys.replay())])
        with as_written_here(keys.replay()):
            return _job(stored, int(seconds) * 1000 + int(micros) // 1000) if stored else None

    async def save(self, job: ReplayJob, expected_version: int, *, new: bool = False) -> bool:
        """See ``ports.Replays.save``."""
        fields: dict[str, Any] = {"state": job.state, "owner": job.owner, "ended": job.ended_ms}
        if new:
            ask = job.ask
            fields |= {"id": job.id, "began": job.began_ms, "expected": job.expected, "cursor": job.cursor}
            fields |= {"since": ask.since_ms, "until": ask.until_ms, "destination": ask.destination}
            fields |= {"event": ask.event.encode("utf-8", "surrogatepass"), "letters": int(ask.letters)}
            fields["rate"] = ask.rate
        flat = [part for name, value in fields.items() for part in (name, value)]
        args = (expected_version, self._lease_ms if job.owner else 0, int(new), *flat)
        return bool(await self._client.script("job", [keys.replay()], args))

    async def move(self, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        """See ``ports.Replays.move``."""
        for _ in range(3):
            streams = list(dict.fromkeys(target.stream for move in moves for target in move.targets))
            klass = moves[0].event.klass if moves else EntryClass.CONVERSION
            names, args = self._arguments(klass, streams, moves)
            counts = [part for pair in step.counts.items() for part in pair]
            head = (version, self._lease_ms, step.cursor, step.waiting, len(step.counts), *counts)
            done, *rest = await self._client.script("replay", names, (*head, *args))
            if not done:
                return None
            if done > 0:
                duplicates, *owed = rest
                return Moved(dict(zip(streams, owed, strict=True)), duplicates)
            self._skew_ms = int(rest[0]) - self._clock.now_ms()
        raise StoreUnavailable(StoreTrouble.AWAY, "its clock does not stand still long enough to be agreed with")

    def _arguments(
        self, klass: EntryClass, streams: Sequence[StreamKey], moves: Sequence[Requeue]
    ) -> tuple[list[bytes | str], list[bytes | str | int]]:
        """KEYS and ARGV of ``replay.lua``, but for what heads the latter."""
        now_ms = self._clock.now_ms() + self._skew_ms
        names: list[bytes | str] = [keys.replay(), keys.archive(klass)]
        args: list[bytes | str | int] = [len(streams)]
        epochs = {stream: now_ms // keys.EPOCH_MS[stream.klass] for stream in streams}
        for stream, epoch in epochs.items():
            names += (keys.owed(stream), keys.books(stream))
            args += (keys.EPOCHS[stream.klass], epoch, keys.EPOCH_MS[stream.klass])
        numbers = {stream: number for number, stream in enumerate(streams, 1)}
        args.append(len(moves))
        for event, targets, keep in moves:
            args += (event.id, memo.write(event.received_ms, event.worth, event.source), int(keep), len(targets))
            for stream, event_id in targets:
                member: int | str = ""
                if event_id:
                    bucket, member = placed(stream.destination, event_id, self._digest_key())
                    names += _buckets(stream.klass, epochs[stream], bucket)
                args += (numbers[stream], member)
        return names, args


def _buckets(klass: EntryClass, epoch: int, bucket: int) -> list[bytes]:
    """The keys in which an id may be remembered, the current epoch's first."""
    return [keys.seen_prefix(klass, epoch - back) + b"%x" % bucket for back in range(keys.EPOCHS[klass])]


def _job(stored: Mapping[bytes, bytes], now_ms: int) -> ReplayJob:
    def number(name: str) -> int:
        return int(stored.get(name.encode(), b"0"))

    def text(name: str) -> str:
        return stored.get(name.encode(), b"").decode("utf-8", "surrogatepass")

    named = {name.decode(): value for name, value in stored.items()}
    return ReplayJob(
        id=text("id"),
        ask=ReplayAsk(
            since_ms=number("since"),
            until_ms=number("until"),
            destination=text("destination"),
            event=text("event"),
            letters=bool(number("letters")),
            rate=number("rate"),
        ),
        state=ReplayState(text("state")),
        began_ms=number("began"),
        ended_ms=number("ended"),
        expected=number("expected"),
        owner=text("owner"),
        held=number("due") > now_ms,
        waiting=text("waiting"),
        version=number("version"),
        cursor=text("cursor"),
        counts={name[2:]: int(value) for name, value in named.items() if name.startswith("n:")},
        value_micros={name[2:]: int(value) for name, value in named.items() if name.startswith("v:") and int(value)},
    )
