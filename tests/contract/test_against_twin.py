"""The scripts and the in-memory twin take the same random walks and must agree after every step.

Time is kept out: leases are long, and fall due only by being released. What is old is told by the time of receipt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.redis.connect import connect
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.archive import FILTERED, Archived, ReplayAsk, ReplayJob, Requeue, Step, Target
from relay.core.delivery.mode import Mode, ModeRecord, declared, failed_back, failed_over, next_step
from relay.core.event import (
    Burial,
    Claimed,
    DeadReason,
    EntryClass,
    Lane,
    Lapsed,
    NewEntry,
    Rest,
    Settlement,
    StreamKey,
    StreamSurvey,
    Worth,
)
from relay.ports import DeadLetters, Owed, Replays
from tests.contract.conftest import ORDERS, STREAMS, VIEWS
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

STEPS = 120
HOUR_MS = 3_600_000
LIVE_AGE_MS = 30_000


@dataclass
class Pair:
    """The same store twice."""

    ours: RedisStore
    twin: MemoryStore
    dice: random.Random
    held: list[tuple[Claimed, Claimed]] = field(default_factory=list)
    made: int = 0

    late: tuple[Claimed, Claimed] | None = None  # a lease that was given away

    @property
    def owed(self) -> tuple[Owed, Owed]:
        return self.ours.owed, self.twin.owed

    @property
    def dead_letters(self) -> tuple[DeadLetters, DeadLetters]:
        return self.ours.dead_letters, self.twin.dead_letters

    async def step(self) -> None:
        await self.dice.choices(
            [self.append, self.claim, self.settle, self.settle_late, self.move, self.turn, self.replay],
            weights=[4, 6, 5, 1, 1, 1, 1],
        )[0]()
        await self.compare()

    async def append(self) -> None:
        now = SystemClock().now_ms()
        entries = []
        for _ in range(self.dice.randint(1, 8)):
            self.made += self.dice.random() < 0.8
            name = f"{self.made}"
            age = self.dice.choice((0, 0, 0, 60_000))
            worth = Worth(self.dice.choice((-3, 1, 2, 50)) * 100_000, self.dice.choice(("EUR", "USD", "")))
            stream = self.dice.choice((ORDERS, VIEWS, ORDERS, VIEWS, FILTERED))
            entries.append(NewEntry(stream, name, name.encode(), now - age, "web", worth))
        assert await self.ours.inbox.append(entries) == await self.twin.inbox.append(entries)

    async def claim(self) -> None:
        stream, lane = self.dice.choice((ORDERS, VIEWS)), self.dice.choice(list(Lane))
        limit = self.dice.randint(1, 6)
        one, other = [await port.claim(stream, lane, limit, 10**9) for port in self.owed]
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert [told(entry) for entry in one.entries] == [told(entry) for entry in other.entries]
            assert one.lease.number == other.lease.number
            assert (one.fresh, one.cut) == (other.fresh, other.cut)
            self.held.append((one, other))

    async def settle(self) -> None:
        if self.held:
            pair = self.dice.choice(self.held)
            rest = self.dice.choice(list(Rest))
            size = len(pair[0].entries)
            fates = [
                self.dice.choice(("delivered", "dead", "unmatched", "forgotten", "kept", "kept")) for _ in range(size)
            ]
            reasons = [self.dice.choice(list(DeadReason)) for _ in range(size)]
            settled = [
                await port.settle(claimed.lease, settlement(claimed, fates, reasons, rest))
                for port, claimed in zip(self.owed, pair, strict=True)
            ]
            assert settled[0] == settled[1]
            if rest is not Rest.KEEP or not settled[0].held:
                self.held.remove(pair)
                self.late = pair

    async def settle_late(self) -> None:
        """By a holder that gave its lease away: fenced, unless nobody took it since."""
        if self.late is not None:
            settled = [
                await port.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
                for port, claimed in zip(self.owed, self.late, strict=True)
            ]
            assert settled[0] == settled[1]

    async def move(self) -> None:
        ports = self.dead_letters
        listed = [await port.list("shop", limit=1000) for port in ports]
        keep = [self.dice.random() < 0.3 for _ in listed[0]]
        chosen = [[one.id for one, yes in zip(letters, keep, strict=True) if yes] for letters in listed]
        if self.dice.random() < 0.7:
            released = self.dice.random() < 0.4
            moved = [
                await port.requeue("shop", ids, released=released) for port, ids in zip(ports, chosen, strict=True)
            ]
        else:
            moved = [await port.discard("shop", ids) for port, ids in zip(ports, chosen, strict=True)]
        assert moved[0] == moved[1]

    async def replay(self) -> None:
        """One step of a job that never ends; what was filtered goes to one stream or two."""
        stores: tuple[Replays, ...] = (self.ours.replays, self.twin.replays)
        klass, wanted = self.dice.choice(list(EntryClass)), []
        for event, other in zip(*await self.archived(klass), strict=True):
            if self.dice.random() < 0.5:
                streams, keep = self.dice.choice(((ORDERS,), (VIEWS,), (VIEWS, ORDERS))), self.dice.random() < 0.2
                name = "" if event.destination else event.raw.decode()
                targets = tuple([Target(one, name) for one in streams if name] or [Target(StreamKey("shop", klass))])
                wanted.append([Requeue(one, targets, keep and bool(name)) for one in (event, other)])
        step = Step(str(len(wanted)), {"looked": len(wanted), "overlap": self.dice.choice((-1, 1))})
        moved = [await port.move(1, step, [pair[at] for pair in wanted]) for at, port in enumerate(stores)]
        assert moved[0] == moved[1]
        assert moved[0] is not None
        jobs = [await port.load() for port in stores]
        assert told_job(jobs[0]) == told_job(jobs[1])

    async def archived(self, klass: EntryClass) -> list[Sequence[Archived]]:
        return [await port.page(klass, limit=1000) for port in (self.ours.archive, self.twin.archive)]

    async def turn(self) -> None:
        """A step that a mode may take next, as the engine does: declared first, by whom nothing was claimed yet.

        Nothing lapses here, because no time passes.
        """
        stores = self.ours.modes, self.twin.modes
        stored = [await port.load("shop") for port in stores]
        record = stored[0] or ModeRecord()
        since_ms = SystemClock().now_ms() - self.dice.choice((0, 30_000, 90_000))
        steps = [failed_over(record, since_ms), failed_back(record), next_step(record)]
        steps.append(declared(stored[0], self.dice.choice((Mode.ACTIVE, Mode.STANDBY)) if stored[0] else Mode.ACTIVE))
        wanted = self.dice.choice([step for step in steps if step] or [None])
        if wanted is not None:
            saved = [await port.save("shop", wanted, wanted.version) for port in stores]
            assert saved[0] == saved[1]
        records = [replace(await port.load("shop") or record, until_ms=0) for port in stores]
        assert records[0] == records[1]
        assert [await port.lapse(ORDERS) for port in stores] == [Lapsed(0), Lapsed(0)]

    async def compare(self) -> None:
        ours, twin = await self.ours.owed.survey(), await self.twin.owed.survey()
        assert [seen(one) for one in ours.streams] == [seen(one) for one in twin.streams]
        assert ours.dead == twin.dead
        assert all(one.unbalanced == 0 for one in ours.streams)
        letters = [await port.list("shop", limit=1000) for port in self.dead_letters]
        ours_as_told, twin_as_told = [[(*told(one), one.reason) for one in listed] for listed in letters]
        assert ours_as_told == twin_as_told
        for klass in EntryClass:
            ours_kept, twin_kept = await self.archived(klass)
            assert [told_archived(one) for one in ours_kept] == [told_archived(one) for one in twin_kept]


def settlement(claimed: Claimed, fates: Sequence[str], reasons: Sequence[DeadReason], rest: Rest) -> Settlement:
    named = list(zip(claimed.entries, fates, reasons, strict=True))
    doubt = {entry.id: entry.first_ms or (len(entry.raw) % 2 * 1_234) for entry in claimed.entries}
    return Settlement(
        delivered=[entry.id for entry, fate, _ in named if fate == "delivered"],
        dead=[
            Burial(entry.id, reason, "", accepted=("A",), first_ms=doubt[entry.id])
            for entry, fate, reason in named
            if fate == "dead"
        ],
        unmatched=[entry.id for entry, fate, _ in named if fate == "unmatched"],
        forgotten=[entry.id for entry, fate, _ in named if fate == "forgotten"],
        rest=rest,
    )


def told(entry: Any) -> Any:
    return entry.raw, entry.received_ms, entry.worth, entry.accepted, doubt(entry.first_ms), entry.released


def told_archived(event: Archived) -> Any:
    return event._replace(id="", entry_id="", first_ms=doubt(event.first_ms))


def doubt(first_ms: int) -> int:
    """The twin's clock stands still: times of claims differ, those that were brought along do not."""
    return first_ms if first_ms in (0, 1_234) else -1


def told_job(job: ReplayJob | None) -> Any:
    assert job is not None
    return job.cursor, {name: count for name, count in job.counts.items() if count}, job.value_micros


def seen(look: StreamSurvey) -> Any:
    books = {name: count for name, count in look.books.items() if count}
    owed = look.owed, look.backlog, look.leased, look.standing
    return owed, look.oldest_received_ms, look.standing_oldest_ms, dict(look.value_micros), books


@pytest.mark.parametrize("seed", range(12))
async def test_the_scripts_and_the_twin_agree(running_valkey: Path, seed: int) -> None:
    ours = await RedisStore.open(
        connect(f"unix://{running_valkey}"),
        STREAMS,
        SystemClock(),
        StoreOptions(
            lease_ms=HOUR_MS, live_age_ms=LIVE_AGE_MS, retention_ms=HOUR_MS, failback_grace_ms=0, archive=True
        ),
    )
    clock = FakeClock(int(time.time() * 1000))
    twin = MemoryStore(STREAMS, clock, HOUR_MS, LIVE_AGE_MS, retention_ms=HOUR_MS, grace_ms=0, archive=True)
    try:
        for port in (ours.replays, twin.replays):
            assert await port.save(ReplayJob("j", ReplayAsk(0, 1), owner="r1"), 0, new=True)
        pair = Pair(ours, twin, random.Random(seed))
        for _ in range(STEPS):
            await pair.step()
        assert pair.made > 40
    finally:
        await ours.client.run("FLUSHALL")
        await ours.close()
