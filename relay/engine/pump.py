"""The loop of one destination: claims what may be sent now and has it carried, several leases at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.core.delivery.gate import GateState, Permit
from relay.core.delivery.service import OLDEST_FIRST, QUEUES, Queue, Service
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import Claimed, StreamKey
from relay.core.notices import PaceChanged, StoreWarned
from relay.engine.consignment import Consignment, Desk
from relay.ports import Owed

CLAIM_BYTES = 2_000_000
"""Raw bytes a claim: 500 events of ordinary size, and 17 leases of large ones stay within memory."""
AWAY_S = 0.5
MISUSED_S = 30.0
AHEAD = 2
"""Leases beyond those on the wire: one is mapped while another is claimed or settled, so that neither the wire nor the
processor waits for the store (measured: twice the throughput of one ahead while one call may be in flight)."""


class Pump:
    """Claims for one destination. A queue that came up short is left alone for ``linger``, an empty one ``poll``."""

    def __init__(self, desk: Desk, owed: Owed, *, linger_s: float, poll_s: float) -> None:
        self.desk = desk
        self._owed = owed
        self._linger_s, self._poll_s = linger_s, poll_s
        self._service = Service()
        self._asked: dict[Queue, float] = dict.fromkeys(QUEUES, float("-inf"))
        self._ask_next: dict[Queue, float] = dict.fromkeys(QUEUES, float("-inf"))
        self._empty: dict[Queue, bool] = dict.fromkeys(QUEUES, False)
        self._short: dict[Queue, bool] = dict.fromkeys(QUEUES, False)
        self._away_until = float("-inf")
        self._jobs: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()

    async def run(self) -> None:
        """Claim until stopping; then wait for what is in flight (``abandon`` bounds that)."""
        async with asyncio.TaskGroup() as tasks:
            while not self.desk.stopping.is_set():
                if not await self._serve(tasks):
                    await self._awake.wait()
                self._awake.clear()

    def ring(self) -> None:
        """Time passed, a call ended, or a stop was asked for: look again."""
        self._awake.set()
        self.desk.bell.set()

    def wake(self) -> None:
        """Something was appended: the next look need not wait for ``poll``."""
        for queue, asked in self._asked.items():
            self._ask_next[queue] = min(self._ask_next[queue], asked + self._linger_s)
        self._awake.set()

    def abandon(self) -> None:
        """Call off what is still in flight: its leases are given back as in doubt."""
        for job in self._jobs:
            job.cancel()

    async def _serve(self, tasks: asyncio.TaskGroup) -> bool:
        """Start one consignment if one may start; False when there is nothing to do for now."""
        now = self.desk.clock.monotonic()
        if now < self._away_until:
            return False
        try:
            await self.desk.keeper.refresh()
            await self.desk.standby.refresh()
            await self.desk.suppression.refresh()
            self._reopen()
            permit = self.desk.keeper.permit()
            consignment = await self._claim(permit, now) if self._may_start(permit, now) else None
        except StoreUnavailable:
            self._away_until = now + AWAY_S
            return False
        except StoreMisused as refusal:  # a damaged key, say: this destination waits for a person, the others go on
            self._away_until = now + MISUSED_S
            self.desk.tell(StoreWarned(self.desk.destination.name, f"the store refused to hand out entries: {refusal}"))
            return False
        if consignment is None:
            return False
        carrying = consignment.carry(sample=self._sampling(permit))
        job = tasks.create_task(carrying, name=f"carry {self.desk.destination.name}")
        self._jobs.add(job)
        job.add_done_callback(self._done)
        return True

    def _reopen(self) -> None:
        """The gate closed again, whoever closed it: start slowly."""
        keeper, governor = self.desk.keeper, self.desk.governor
        if keeper.reopened:
            keeper.reopened = False
            governor.restart()
            self.desk.tell(PaceChanged(self.desk.destination.name, governor.limit, "gate_closed"))

    def _may_start(self, permit: Permit, now: float) -> bool:
        desk = self.desk
        if desk.keeper.paused or desk.standby.idle or not permit.limit or desk.governor.paused_for(now):
            return False
        return len(self._jobs) < (1 if permit.probe else desk.governor.limit + AHEAD)

    def _sampling(self, permit: Permit) -> bool:
        """Held because singles failed alike: the probe looks for one that does not, deeper each time."""
        return permit.probe and self.desk.keeper.record.state is GateState.HELD and self.desk.suspicion.sample > 0

    async def _claim(self, permit: Permit, now: float) -> Consignment | None:
        """Claim what may be sent; a due probe is taken only when there is something to probe with."""
        keeper = self.desk.keeper
        era = keeper.era
        limit = self.desk.suspicion.sample if self._sampling(permit) else permit.limit
        claimed = await self._claim_best(
            limit, now, self._probing_order(limit) if permit.probe else self._service.order()
        )
        if claimed is None:
            if permit.probe and all(self._empty.values()):
                await keeper.nothing_left()
            return None
        if permit.take:
            if not await keeper.take_probe():
                await Consignment(self.desk, claimed, now, era).give_back()
                return None
            era = keeper.era
        return Consignment(self.desk, claimed, now, era)

    def _probing_order(self, limit: int) -> Sequence[Queue]:
        """Oldest first; above the first rung, which wants to be filled, a queue that came up short goes last."""
        return OLDEST_FIRST if limit == 1 else sorted(OLDEST_FIRST, key=self._short.__getitem__)

    async def _claim_best(self, limit: int, now: float, order: Sequence[Queue]) -> Claimed | None:
        """From the first queue in this order that has something."""
        for queue in order:
            if now < self._ask_next[queue]:
                continue
            stream = StreamKey(self.desk.destination.name, queue.klass)
            claimed = await self._owed.claim(stream, queue.lane, limit, CLAIM_BYTES)
            self._note(queue, len(claimed.entries) if claimed else 0, limit, now)
            if claimed is not None:
                return claimed
        return None

    def _note(self, queue: Queue, entries: int, limit: int, now: float) -> None:
        """When to ask this queue again: it may have more, it was emptied just now, or it had nothing."""
        self._asked[queue] = now
        self._empty[queue] = not entries
        # A claim may also end early at a lease or at its bytes: from half of the limit on, assume there is more.
        self._short[queue] = entries * 2 < limit
        if not entries:
            self._service.empty(queue)
            self._ask_next[queue] = now + self._poll_s
            return
        self._service.served(queue, entries)
        self._ask_next[queue] = now + self._linger_s if self._short[queue] else now

    def _done(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        self.ring()
