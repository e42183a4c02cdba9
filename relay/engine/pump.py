"""The loop of one destination: claims what may be sent now and has it carried, several leases at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from relay.core.delivery.asking import Asking
from relay.core.delivery.gate import GateState, Permit
from relay.core.delivery.service import OLDEST_FIRST, Queue, Service
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import Claimed, StreamKey
from relay.core.notices import PaceChanged, StoreWarned
from relay.engine.consignment import Consignment, Desk
from relay.engine.settle import MISUSED_S
from relay.ports import Owed

CLAIM_BYTES = 2_000_000
"""Raw bytes a claim: 500 events of ordinary size, and 17 leases of large ones stay within memory."""
FULL_BYTES = CLAIM_BYTES / 3
"""A claim of so many may have ended for their sake: there may be more, and a call holds little more."""
AWAY_S = 0.5
LEAST = 100
"""Entries of a lease, when there are so many: what a claim costs is little for each of them."""
AHEAD = 2
"""Leases beyond those that may go on the wire: one is mapped while another is claimed or settled, so that neither the
wire nor the processor waits for the store (measured: twice the throughput of one ahead while one call may be in
flight)."""


SCARCE_S = 1.0
"""Calls are scarce while something had to wait for one as lately as this."""


class Pump:
    """Claims for one destination. ``linger_s``, ``poll_s``: see ``Asking``."""

    def __init__(self, desk: Desk, owed: Owed, *, linger_s: float, poll_s: float) -> None:
        self.desk = desk
        self._owed = owed
        self._service = Service()
        self._asking = Asking(linger_s, poll_s)
        self._full_at = float("-inf")  # when something more might have started, but for the calls
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
        self._asking.woken()
        self._awake.set()

    def knock(self) -> None:
        """Whatever asked for silence may be over: try at once."""
        self.desk.governor.woken()
        self.ring()

    def abandon(self) -> None:
        """Call off what is still in flight: its leases are given back as in doubt."""
        for job in self._jobs:
            job.cancel()

    async def _serve(self, tasks: asyncio.TaskGroup) -> bool:
        """Start one consignment if one may start; False when there is nothing to do for now."""
        now = self.desk.clock.monotonic()
        if now < self._away_until or self.desk.settling.stuck:
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
        job.add_done_callback(partial(self._done, consignment))
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
        waiting = len(self._jobs) - desk.governor.in_flight
        if permit.probe:
            return not self._jobs
        if waiting < desk.governor.soon + AHEAD:
            return True
        self._full_at = now
        return False

    def _sampling(self, permit: Permit) -> bool:
        """Held because singles failed alike: the probe looks for one that does not, deeper each time."""
        return permit.probe and self.desk.keeper.record.state is GateState.HELD and self.desk.suspicion.sample > 0

    async def _claim(self, permit: Permit, now: float) -> Consignment | None:
        """Claim what may be sent; a due probe is taken only when there is something to probe with."""
        keeper = self.desk.keeper
        era = keeper.era
        limit = self.desk.suspicion.sample if self._sampling(permit) else min(permit.limit, self._call_size())
        claimed = await self._claim_best(limit, now, probe=permit.probe)
        if claimed is None:
            if permit.probe and self._asking.nothing:
                await keeper.nothing_left()
            return None
        if permit.take:
            if not await keeper.take_probe():
                await Consignment(self.desk, claimed, now, era).give_back()
                return None
            era = keeper.era
        return Consignment(self.desk, claimed, now, era)

    def _call_size(self) -> int:
        """Entries that fill a call, or several where calls are small: a lease with a rest would waste half a call."""
        items = self.desk.destination.rules.limits.items
        return items * max(1, LEAST // items)

    def _probing_order(self, limit: int) -> Sequence[Queue]:
        """Oldest first; above the first rung, which wants to be filled, a queue that came up short goes last."""
        return OLDEST_FIRST if limit == 1 else sorted(OLDEST_FIRST, key=self._asking.short)

    async def _claim_best(self, limit: int, now: float, *, probe: bool) -> Claimed | None:
        """From the first queue that has something, in the order of service.

        With every probe all that is owed becomes backlog: what was live when the trouble began would else be so until
        just after the gate has closed, and then take along whatever came since (found by the conservation test).
        """
        for queue in self._probing_order(limit) if probe else self._service.order():
            if not self._asking.due(queue, now):
                continue
            stream = StreamKey(self.desk.destination.name, queue.klass)
            claimed = await self._owed.claim(stream, queue.lane, limit, CLAIM_BYTES, probe=probe)
            self._note(queue, claimed, limit, now)
            if claimed is not None:
                return claimed
        self._asking.idle()
        return None

    def _note(self, queue: Queue, claimed: Claimed | None, limit: int, now: float) -> None:
        scarce = now - self._full_at < SCARCE_S
        if claimed is None:
            self._service.empty(queue)
            self._asking.answered(queue, 0.0, now, scarce=scarce)
            return
        entries, size = len(claimed.entries), sum(len(entry.raw) for entry in claimed.entries)
        self._service.served(queue, entries)
        # Between fresh entries lie some out of a file: those behind them must not gather piece by piece.
        filled = 1.0 if claimed.cut else max(entries / limit, size / FULL_BYTES)
        self._asking.answered(queue, filled, now, scarce=scarce)

    def _done(self, consignment: Consignment, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        if consignment.returned is not None:
            self._asking.came_back(consignment.returned)
        self.ring()
