"""A witness beside the store: laws that hold at every call, and a count of the endings nobody was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from relay.core.event import Claimed, Lane, Lease, Settled, Settlement, StoreSurvey, StreamKey
from relay.ports import Owed


class LawBroken(AssertionError):
    """The store did what it must not do."""


@dataclass
class Witness:
    """What is known across replicas. ``holders``: the number of the last lease each entry was claimed under."""

    live_age_ms: int
    holders: dict[tuple[StreamKey, str], int] = field(default_factory=dict)
    settled: Counter[tuple[StreamKey, str]] = field(default_factory=Counter)


@dataclass
class WatchedOwed:
    """``ports.Owed`` under observation. ``before`` runs ahead of each call (a real store is told the time)."""

    owed: Owed
    witness: Witness
    before: Callable[[], Awaitable[None]]

    async def claim(self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int) -> Claimed | None:
        await self.before()
        claimed = await self.owed.claim(stream, lane, limit, max_bytes)
        if claimed is not None:
            self._check(claimed)
        return claimed

    def _check(self, claimed: Claimed) -> None:
        lease, entries = claimed.lease, claimed.entries
        ids = [tuple(map(int, entry.id.split("-"))) for entry in entries]
        if ids != sorted(set(ids)) or (lease.first_id, lease.last_id) != (entries[0].id, entries[-1].id):
            raise LawBroken("a claim is one range, oldest first")
        if (
            claimed.fresh
            and lease.lane is Lane.LIVE
            and claimed.now_ms - entries[0].received_ms > self.witness.live_age_ms
        ):
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
        self.witness.settled[lease.stream, "delivered"] += settled.delivered
        self.witness.settled[lease.stream, "dead"] += settled.dead
        self.witness.settled[lease.stream, "unmatched"] += settled.unmatched
        return settled

    async def survey(self) -> StoreSurvey:
        return await self.owed.survey()
