"""A world after an outage: a backlog drains while the shop goes on selling, and TikTok may fail again in the middle.

The law: a conversion that is received once the gate has closed is at TikTok within ``LIVE_BOUND_S``, however long the
backlog is; and the backlog comes to its end all the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from relay.core.delivery import gate, service
from relay.core.delivery.gate import GateState
from relay.core.event import EntryClass, NewEntry, StreamKey
from relay.engine.pump import AHEAD
from tests.conservation.stage import LEASE_MS, LIVE_AGE_MS
from tests.conservation.tiktok import CALL_S, HANGS_S
from tests.conservation.world import POLL_S, World

LADDER = (1, 3, 6, 10)
"""Ten entries a call instead of 500, so that some hundred entries are a backlog of a minute."""
CALLS = 1
"""In flight, of each replica; for the same reason."""
LIVE_BOUND_S = POLL_S + len(service.QUEUES) * CALL_S + (AHEAD + 1) * CALL_S
"""A queue that was empty is asked again after ``poll``; when a lease may be claimed, each of the other queues may be
below its guaranteed share and go first, one call each; once claimed, leases ahead of it are sent before its own call.
All with one call in flight, which is the slowest pace, and each call the longest."""
assert LIVE_BOUND_S * 1000 < LIVE_AGE_MS, "what waits longer than this for its claim would become backlog itself"
LOST_LEASE_S = LEASE_MS / 1000 + LIVE_BOUND_S
"""What a replica held that was killed: when its lease has fallen due it is claimed anew, and waits as if it were."""
REFRESH_S = 1.0
"""Until every replica has heard that a gate closed."""
CLOSES_S = 900
"""Longest wait of a gate, 60001 asks for five minutes, and a throttling pause of five more; then the rungs."""
DRAINS_S = 600
SPARE = 0.4
"""Of the backlog: when so much is left the next outage may come."""
OUTAGES = ("gateway", "system", "maintenance", "refused", "lost", "throttled", "hangs")


@dataclass
class DrainWorld(World):
    """One destination, which has outages. ``due``: conversions on their way, and when each must have arrived."""

    names = ("a",)
    storm = frozenset({"drained beside", "cut short", "on time", "crashed in a drain"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stage.patch.setattr(gate, "LADDER", LADDER)
        self.stage.patch.setattr(gate, "FREE", gate.Permit(limit=LADDER[-1]))
        self.stage.patch.setattr(service, "FORGOTTEN", service.FORGOTTEN * LADDER[-1] / 500)
        self.happened = Counter[str]()
        self.due: dict[str, int] = {}

    def settings(self, name: str) -> dict[str, Any]:
        return super().settings(name) | {"concurrency": CALLS}

    def seen(self) -> Counter[str]:
        return super().seen() + self.happened

    async def live(self, steps: int) -> None:
        """Outage and drain, and one or two more outages in the midst of a drain."""
        await self.clock.advance(REFRESH_S + 1)
        for left in self.dice.choice(((SPARE, 0.0), (SPARE, SPARE, 0.0))):
            await self.outage()
            await self.recovery()
            await self.drain(left)

    async def outage(self) -> None:
        """A minute of it, about, and the shop sells."""
        self.due.clear()  # the bound is none of an outage
        tiktok = self.tiktoks["a"]
        tiktok.mood = self.dice.choice(OUTAGES)
        for _ in range(self.dice.randrange(8, 14)):
            await self.sell(self.dice.randrange(25, 50), self.dice.randrange(5, 20))
            await self.clock.advance(self.dice.uniform(3, 8))
            await self.check()
        tiktok.mood = "fine"

    async def recovery(self) -> None:
        """Bounded; nobody helps. What hangs goes on hanging, and may open a gate that is still closed."""
        began = self.clock.monotonic()
        for _ in range(int(HANGS_S + CALL_S)):
            await self.sell(self.dice.randrange(1, 5), 1)
            await self.clock.advance(1)
        while (record := await self.store.gates.load("a")).state is not GateState.CLOSED:
            await self.sell(2, 1)
            if record.state is GateState.OPEN:
                self.clock.jump(max(0, record.until_ms - self.clock.now_ms()) / 1000)  # nobody sends meanwhile
            await self.clock.advance(1)
            await self.check()
            assert self.clock.monotonic() - began < CLOSES_S, "TikTok is well, and the gate does not close"
        await self.clock.advance(REFRESH_S)

    async def drain(self, until_left: float) -> None:
        """The shop sells; now and then a replica dies, and comes back."""
        at_first, began = await self._backlog(), self.clock.monotonic()
        while (left := await self._backlog()) > until_left * at_first:
            self._promise(await self.sell(self.dice.randrange(1, 5), self.dice.randrange(0, 3)))
            if self.dice.random() < 0.03:
                await self._lose_one()
            await self.clock.advance(1)
            await self.check()
            self.happened["drained beside"] += 1
            assert self.clock.monotonic() - began < DRAINS_S, f"a backlog of {at_first} does not drain"
        self.happened["cut short"] += left > 0
        if not until_left:
            await self.clock.advance(LIVE_BOUND_S)
            await self.check()

    async def _lose_one(self) -> None:
        name = self.dice.choice(list(self.replicas))
        await self.crash(name)
        self.start(name)
        late = self.clock.now_ms() + int(LOST_LEASE_S * 1000)
        self.due = dict.fromkeys(self.due, late)
        self.happened["crashed in a drain"] += 1

    def _promise(self, ids: list[str]) -> None:
        due = self.clock.now_ms() + int(LIVE_BOUND_S * 1000)
        self.due |= dict.fromkeys(ids, due)

    async def sell(self, conversions: int, engagement: int) -> list[str]:
        """New events; the ids of the conversions."""
        now = self.clock.now_ms()
        wanted = {EntryClass.CONVERSION: conversions, EntryClass.ENGAGEMENT: engagement}
        new = [self._sold(StreamKey("a", klass), now) for klass, count in wanted.items() for _ in range(count)]
        await self.receive(new)
        return [one.event_id for one in new if one.stream.klass is EntryClass.CONVERSION]

    def _sold(self, stream: StreamKey, now: int) -> NewEntry:
        self.count += 1
        id_ = f"{stream.destination}{self.count}"
        return NewEntry(stream, id_, orjson.dumps({"id": id_, "at": now}), now, "s")

    async def _backlog(self) -> int:
        return sum(one.backlog for one in (await self.store.owed.survey()).streams)

    async def check(self) -> None:
        await super().check()
        now, first = self.clock.now_ms(), self.tiktoks["a"].first
        for id_, due in list(self.due.items()):
            arrived = first.get(f"Purchase/{id_}")
            assert (arrived or now) <= due, f"{id_} is live and waits behind the backlog"
            if arrived is not None:
                del self.due[id_]
                self.happened["on time"] += 1
