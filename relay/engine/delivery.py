"""Delivery of all destinations: each with its own queues, gate, governor and calls; one stuck never blocks another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from relay.core.delivery.account import ItemMapping, Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import DEFAULT_MAX_AGE_S, Clocks
from relay.core.delivery.gate import PAUSED
from relay.core.delivery.governor import CALLS_PER_S, MOST, Governor
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.delivery.suspicion import Suspicion
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.notices import DestinationPaused, GateWoken, StoreWarned
from relay.engine.consignment import Desk
from relay.engine.gatekeeper import Gatekeeper
from relay.engine.pump import Pump
from relay.engine.settle import MISUSED_S, Settling
from relay.engine.standby import Standby, Turn
from relay.engine.suppression import Nobody, Suppression
from relay.ports import Chance, Clock, GateStore, ModeStore, Owed, Roster, Sender, Tell

SHORTEST_TICK_S = 0.01
TEND_S = 1.0
SPREAD_S = 1.0
"""A replica that is not alone begins somewhere in here: many that are started together do not ask together, and the
others have made room in the budget of calls."""
OTHER_SENDERS = frozenset({"segment", "pixel"})
TURNED = {
    Mode.ACTIVE: "it stood by and is active now: all {:,} entries owed will be sent; Segment may have sent them too, so"
    ' keep also_sent_by = "segment" until they are gone',
    Mode.FAILBACK: "it was active and is standby now: the {:,} entries owed from before are still sent, then it stands"
    " by",
}
"""What a changed configuration did to a destination, by its mode now."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One TikTok event source as delivery sees it. ``also_sent_by``: ``segment``, ``pixel`` or ``nobody``."""

    name: str
    mapping: ItemMapping
    sender: Sender
    max_age_s: int = DEFAULT_MAX_AGE_S
    also_sent_by: str = "nobody"
    test_event_code: str = ""
    limits: Limits = field(default_factory=Limits)
    concurrency: int = MOST
    calls_per_s: float = CALLS_PER_S
    mode: Mode = Mode.ACTIVE  # or STANDBY: how it begins

    @property
    def rules(self) -> Rules:
        """What its configuration says about its entries."""
        clocks = Clocks(self.max_age_s, shared=self.also_sent_by in OTHER_SENDERS)
        return Rules(self.mapping, clocks, self.test_event_code, self.limits)


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How patient delivery is, in seconds.

    ``linger``: how long a queue that was emptied gathers; ``poll``: how often an idle one is asked; ``drain``: how
    long a stop waits for calls in flight (a call takes 8 at most).
    """

    replica: str
    linger_s: float = 0.05
    poll_s: float = 0.2
    drain_s: float = 10.0


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What delivery works with."""

    owed: Owed
    gates: GateStore
    clock: Clock
    chance: Chance
    tell: Tell
    modes: ModeStore
    roster: Roster
    suppression: Suppression | None = None  # None: nobody is ever suppressed


class Delivery:
    """Runs one pump for each destination, and lets an operator speak to their gates."""

    def __init__(self, destinations: Sequence[Destination], parts: DeliveryParts, options: DeliveryOptions) -> None:
        self._parts, self._options = parts, options
        self._suppression = parts.suppression or Suppression(Nobody(), parts.clock, parts.tell)
        self._stopping = asyncio.Event()
        self._pumps = {destination.name: self._pump(destination) for destination in destinations}
        self._unbegun: set[str] = set()  # a damaged key keeps their modes from being declared
        self._to_pause: set[str] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until ``stopping``; then finish what is in flight, bounded, and give unsent leases back."""
        if await self._share() > 1:
            await self._parts.clock.sleep(self._parts.chance.uniform(0, SPREAD_S))
        async with asyncio.TaskGroup() as tasks:
            around = (
                tasks.create_task(self._stop_after(stopping), name="stop delivery"),
                tasks.create_task(self._tick(), name="delivery's clock"),
                tasks.create_task(self._keep_sharing(), name="share the budget"),
                *(tasks.create_task(self._tend(pump), name=f"tend {name}") for name, pump in self._pumps.items()),
            )
            async with asyncio.TaskGroup() as pumps:
                for name, pump in self._pumps.items():
                    pumps.create_task(self._deliver(name, pump), name=f"deliver {name}")
            for task in around:
                task.cancel()
        with suppress(StoreUnavailable, StoreMisused):
            await self._parts.roster.leave(self._options.replica)

    def wake(self) -> None:
        """Something was appended in this process."""
        for pump in self._pumps.values():
            pump.wake()

    def gates(self) -> Mapping[str, str]:
        """The state of each gate as known here, or ``paused`` where an operator's stop outranks it."""
        keepers = {name: pump.desk.keeper for name, pump in self._pumps.items()}
        return {name: PAUSED if keeper.paused else keeper.record.state.value for name, keeper in keepers.items()}

    def paces(self) -> Mapping[str, int]:
        """How many calls may be in flight, for each destination."""
        return {name: pump.desk.governor.limit for name, pump in self._pumps.items()}

    def rules(self, name: str) -> Rules:
        """What a destination's configuration says about its entries now."""
        return self._pumps[name].desk.destination.rules

    def modes(self) -> Mapping[str, ModeRecord]:
        """The mode of each destination as known here."""
        return {name: pump.desk.standby.record for name, pump in self._pumps.items()}

    async def declare(self, paused: Sequence[str] = ()) -> None:
        """Before ``run``: begin as configured, or as an operator left it. Raises StoreUnavailable; safe to repeat.

        Warns where a changed configuration turns a destination that has entries owed. ``paused`` are to start paused.
        What a damaged key keeps from beginning sends nothing until it can.
        """
        self._unbegun, self._to_pause = set(self._pumps), set(paused)
        owed = await self._owed()
        for name in self._pumps:
            await self._begin(name, owed, loud=True)

    async def follow(self, stopping: asyncio.Event) -> None:
        """Where nothing is delivered: know the modes all the same, because this process shows them too."""
        while not stopping.is_set():
            for pump in self._pumps.values():
                with suppress(StoreUnavailable, StoreMisused):
                    await pump.desk.standby.refresh()
            await self._parts.clock.sleep(TEND_S)

    async def fail_over(self, name: str, since_ms: int) -> Turn:
        """Send what was received at ``since_ms`` or later, and all that comes. KeyError for an unknown name."""
        turn = await self._pumps[name].desk.standby.fail_over(since_ms)
        self._pumps[name].ring()
        return turn

    async def fail_back(self, name: str) -> Turn:
        """Finish what was taken over, then stand by. KeyError for an unknown name."""
        return await self._pumps[name].desk.standby.fail_back()

    async def pause(self, name: str) -> None:
        """Nobody claims for this destination any more, in any replica. KeyError for an unknown name."""
        await self._switch(name, paused=True)

    async def resume(self, name: str) -> None:
        """Claim again; a held gate is probed at once."""
        await self._switch(name, paused=False)
        await self._wake(name)

    async def probe(self, name: str) -> None:
        """Do not wait: probe an open or held gate at the next opportunity, and end a pause after throttling here."""
        if await self._wake(name):
            self._parts.tell(GateWoken(name, "operator"))

    async def secret_changed(self, name: str) -> None:
        """The access token is another one now: what held this destination may be over."""
        pump = self._pumps[name]
        if await pump.desk.keeper.secret_changed():
            self._parts.tell(GateWoken(name, "token"))
        pump.knock()

    async def _wake(self, name: str) -> bool:
        pump = self._pumps[name]
        woken = await pump.desk.keeper.wake()
        pump.knock()
        return woken

    async def _switch(self, name: str, *, paused: bool) -> None:
        pump = self._pumps[name]
        await self._parts.gates.set_paused(name, paused=paused)
        await pump.desk.keeper.refresh(at_once=True)
        self._parts.tell(DestinationPaused(name, paused))
        pump.ring()

    async def _owed(self) -> Counter[str]:
        """Entries owed, by destination; nothing where a damaged key hides it. Raises StoreUnavailable."""
        owed = Counter[str]()
        with suppress(StoreMisused):
            for one in (await self._parts.owed.survey()).streams:
                owed[one.stream.destination] += one.owed
        return owed

    async def _begin(self, name: str, owed: Counter[str], *, loud: bool) -> None:
        """Declare its mode, and pause what is to start paused. Raises StoreUnavailable; safe to repeat."""
        try:
            turned = await self._pumps[name].desk.standby.declare()
            if turned.changed and turned.record.version > 1 and owed[name]:
                self._parts.tell(StoreWarned(name, TURNED[turned.record.mode].format(owed[name])))
            if name in self._to_pause:
                await self.pause(name)
        except StoreMisused as refusal:
            if loud:
                self._parts.tell(StoreWarned(name, f"the store refused to say how it is to work: {refusal}"))
        else:
            self._unbegun.discard(name)

    async def _deliver(self, name: str, pump: Pump) -> None:
        """Pump, as soon as its mode is known."""
        waited = 0.0
        while name in self._unbegun and not self._stopping.is_set():
            await self._parts.clock.sleep(TEND_S)
            waited = 0.0 if waited >= MISUSED_S else waited + TEND_S
            with suppress(StoreUnavailable):
                await self._begin(name, await self._owed(), loud=not waited)
        await pump.run()

    def _pump(self, destination: Destination) -> Pump:
        parts, options = self._parts, self._options
        keeper = Gatekeeper(destination.name, parts.gates, parts.clock, parts.chance, parts.tell, options.replica)
        desk = Desk(
            destination=destination,
            settling=Settling(parts.owed, parts.clock, parts.tell),
            keeper=keeper,
            standby=Standby(destination.name, destination.mode, parts.modes, parts.clock, parts.tell),
            governor=Governor(destination.concurrency, destination.calls_per_s),
            suspicion=Suspicion(),
            bell=asyncio.Event(),
            mapping=asyncio.Lock(),
            stopping=self._stopping,
            suppression=self._suppression,
            clock=parts.clock,
            tell=parts.tell,
        )
        return Pump(desk, parts.owed, linger_s=options.linger_s, poll_s=options.poll_s)

    async def _tend(self, pump: Pump) -> None:
        """Take a failback further and let entries lapse, as long as the store answers.

        It looks whether to stop as well: redis-py can swallow a cancellation (found by the conservation test).
        """
        while not self._stopping.is_set():
            with suppress(StoreUnavailable, StoreMisused):  # the pump tells of a damaged key, others that it is away
                if pump.desk.destination.name not in self._unbegun:
                    await pump.desk.standby.tend()
            await self._parts.clock.sleep(TEND_S)

    async def _keep_sharing(self) -> None:
        """Who stops starts no call any more, so it needs no share."""
        while not self._stopping.is_set():
            await self._parts.clock.sleep(TEND_S)
            await self._share()

    async def _share(self) -> int:
        """Say that this replica delivers, and take its share of the calls; how many share, 0 when nobody knows."""
        with suppress(StoreUnavailable, StoreMisused):
            replicas = await self._parts.roster.announce(self._options.replica)
            for pump in self._pumps.values():
                pump.desk.governor.share(replicas)
            return replicas
        return 0

    async def _tick(self) -> None:
        """One timer for everything that waits for time to pass."""
        while True:
            await self._parts.clock.sleep(max(SHORTEST_TICK_S, self._options.linger_s))
            for pump in self._pumps.values():
                pump.ring()

    async def _stop_after(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._stopping.set()
        for pump in self._pumps.values():
            pump.ring()
        await self._parts.clock.sleep(self._options.drain_s)
        for pump in self._pumps.values():
            pump.abandon()
