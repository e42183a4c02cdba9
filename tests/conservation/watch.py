"""A witness beside the store: laws that hold at every call, and a count of the endings nobody was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import Claimed, DeadLetter, Lane, Lapsed, Lease, Settled, Settlement, StoreSurvey, StreamKey
from relay.ports import DeadLetters, ModeStore, Owed


class LawBroken(AssertionError):
    """The store did what it must not do."""


@dataclass
class Witness:
    """What is known across replicas. ``holders``: the number of the last lease each entry was claimed under."""

    live_age_ms: int
    holders: dict[tuple[StreamKey, str], int] = field(default_factory=dict)
    settled: Counter[tuple[StreamKey, str]] = field(default_factory=Counter)
    ended: set[tuple[StreamKey, str]] = field(default_factory=set)

    def end(self, stream: StreamKey, ids: Sequence[str], count: int) -> None:
        """Of a settlement that was repeated in part nobody knows which entries it ended."""
        if count != len(ids):
            return
        keys = {(stream, id_) for id_ in ids}
        if len(keys) != len(ids) or keys & self.ended:
            raise LawBroken("an entry ended twice")
        self.ended |= keys


@dataclass
class WatchedOwed:
    """``ports.Owed`` under observation. ``before`` runs ahead of each call (a real store is told the time)."""

    owed: Owed
    witness: Witness
    before: Callable[[], Awaitable[None]]
    modes: ModeStore

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        await self.before()
        before = await self.modes.load(stream.destination)
        claimed = await self.owed.claim(stream, lane, limit, max_bytes, probe=probe)
        if claimed is not None:
            if before is not None and before == await self.modes.load(stream.destination):
                self._check_mode(before)
            self._check(claimed)
        return claimed

    @staticmethod
    def _check_mode(record: ModeRecord) -> None:
        if record.mode is Mode.STANDBY:
            raise LawBroken("who stands by was handed out entries")

    def _check(self, claimed: Claimed) -> None:
        lease, entries = claimed.lease, claimed.entries
        ids = [tuple(map(int, entry.id.split("-"))) for entry in entries]
        if ids != sorted(set(ids)) or (lease.first_id, lease.last_id) != (entries[0].id, entries[-1].id):
            raise LawBroken("a claim is one range, oldest first")
        oldest_ms = min(entry.received_ms for entry in entries)
        if claimed.fresh and lease.lane is Lane.LIVE and claimed.now_ms - oldest_ms > self.witness.live_age_ms:
            raise LawBroken("a backlog is claimed as live: the mark did not move")
        for entry in entries:
            if self.witness.holders.get((lease.stream, entry.id), 0) >= lease.number:
                raise LawBroken("a lease number was given twice")
            self.witness.holders[lease.stream, entry.id] = lease.number

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        await self.before()
        settled = await self.owed.settle(lease, settlement)
        if settled.held and self.witness.holders[lease.stream, lease.first_id] != lease.number:
            raise LawBroken("a former holder settled")
        self.witness.end(lease.stream, settlement.delivered, settled.delivered)
        self.witness.end(lease.stream, settlement.unmatched, settled.unmatched)
        self.witness.end(lease.stream, [burial.entry_id for burial in settlement.dead], settled.dead)
        self.witness.settled[lease.stream, "delivered"] += settled.delivered
        self.witness.settled[lease.stream, "dead"] += settled.dead
        self.witness.settled[lease.stream, "unmatched"] += settled.unmatched
        return settled

    async def survey(self) -> StoreSurvey:
        return await self.owed.survey()


async def unheard(_destination: str, _before: ModeRecord | None, _after: ModeRecord) -> None:
    """Nobody wants to know."""


@dataclass
class WatchedModes:
    """``ports.ModeStore`` under observation. ``turned`` hears of every record that was stored, whoever heard of it."""

    modes: ModeStore
    witness: Witness
    before: Callable[[], Awaitable[None]]
    turned: Callable[[str, ModeRecord | None, ModeRecord], Awaitable[None]] = unheard

    async def load(self, destination: str) -> ModeRecord | None:
        return await self.modes.load(destination)

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        await self.before()
        was = await self.modes.load(destination)
        saved = await self.modes.save(destination, record, expected_version)
        if saved:
            await self.turned(destination, was, record)
        return saved

    async def lapse(self, stream: StreamKey) -> Lapsed:
        await self.before()
        lapsed = await self.modes.lapse(stream)
        self.witness.settled[stream, "lapsed"] += lapsed.count
        return lapsed


@dataclass
class WatchedLetters:
    """``ports.DeadLetters`` under observation: how many were ``requeued``, and how many are ``gone`` for any reason."""

    letters: DeadLetters
    before: Callable[[], Awaitable[None]]
    requeued: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)

    async def list(self, destination: str, *, after: str = "", limit: int = 100, reason: str = "") -> list[DeadLetter]:
        return await self.letters.list(destination, after=after, limit=limit, reason=reason)

    async def get(self, destination: str, letter_id: str) -> DeadLetter | None:
        return await self.letters.get(destination, letter_id)

    async def requeue(self, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        await self.before()
        count = await self.letters.requeue(destination, ids, released=released)
        self.requeued[destination] += count
        self.gone[destination] += count
        return count

    async def discard(self, destination: str, ids: Sequence[str]) -> int:
        await self.before()
        count = await self.letters.discard(destination, ids)
        self.gone[destination] += count
        return count
