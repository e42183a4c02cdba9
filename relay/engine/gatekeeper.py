"""One replica's view of one gate: reads the shared record, writes transitions, tells them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from relay.core.delivery.gate import GateRecord, GateState, News, Permit, Signal, after, passed, permit
from relay.core.delivery.health import Health
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.notices import GateMoved
from relay.core.tiktok.verdict import Judgement, Verdict
from relay.ports import Chance, Clock, GateStore, Tell

REFRESH_S = 1.0
REFRESH_SHUT_S = 0.2
"""A gate that is not closed may be closed by another replica: then everybody wants to know soon."""


class Gatekeeper:
    """Knows the gate of one destination. ``era`` changes with every transition: news of an older era is dropped."""

    def __init__(self, name: str, store: GateStore, clock: Clock, chance: Chance, tell: Tell, replica: str) -> None:
        self.record = GateRecord()
        self.paused = False
        self.reopened = False  # the gate closed since last asked: a slow start is due
        self.secret_at = float("-inf")  # monotonic: calls that left before were signed with another token
        self._name, self._store, self._replica = name, store, replica
        self._clock, self._chance, self._tell = clock, chance, tell
        self._health = Health()
        self._served = 0  # probes in a row that went well but were too small to prove a rung
        self._turn = asyncio.Lock()
        self._read_at = float("-inf")
        self._refusal: StoreMisused | None = None  # of what was heard, for who asks next

    @property
    def era(self) -> int:
        """The version of the record as known here."""
        return self.record.version

    def permit(self) -> Permit:
        """What this replica may do now; changes nothing."""
        return permit(self.record, self._replica, self._clock.now_ms())

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the shared record when what is known is old.

        Raises StoreUnavailable or StoreMisused: who cannot read, or could not write, may not send.
        """
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal
        age = self._clock.monotonic() - self._read_at
        if not at_once and age < (REFRESH_S if self.record.state is GateState.CLOSED else REFRESH_SHUT_S):
            return
        async with self._turn:
            await self._read()

    async def take_probe(self) -> bool:
        """Become the prober; False when somebody else was faster."""
        return await self._move(Signal.DUE, self.era)

    async def nothing_left(self) -> None:
        """A probing gate that has passed a rung and finds nothing owed has nothing left to prove."""
        if self.record.state is GateState.PROBING and self.record.step > 0:
            await self._move(Signal.CLIMBED, self.era, "nothing_owed")

    async def secret_changed(self) -> bool:
        """Calls leave with another token from now on; replies to the old one may be on their way. See ``wake``."""
        self.secret_at = self._clock.monotonic()
        return await self.wake()

    async def wake(self) -> bool:
        """Probe at the next opportunity: a secret changed, or an operator asked. False where nothing waits to be."""
        async with self._turn:
            await self._read()
        return await self._move(Signal.WOKEN, self.era)

    async def heard(self, judgement: Judgement, era: int, *, entries: int, storm: bool, pause_s: float) -> bool:
        """One reply, once; True when it moved the gate. ``storm``: throttled again after every pause of ``pause_s``."""
        signal = self._signal(judgement, entries, storm=storm) if era == self.era else None
        if signal is None:
            return False
        try:
            return await self._move(signal, era, judgement.label, max(judgement.wait_s, pause_s))
        except StoreMisused as refusal:  # a damaged key: the call is to be settled all the same
            self._refusal = refusal
            return False

    def _signal(self, judgement: Judgement, entries: int, *, storm: bool) -> Signal | None:
        """What the reply is to the gate: data and throttling codes say that TikTok is well."""
        if judgement.verdict is Verdict.HOLD:
            return Signal.FAULT
        slow, failed = judgement.verdict is Verdict.SLOW_DOWN, judgement.verdict is Verdict.RETRY
        if self.record.state is not GateState.CLOSED:
            signal = Signal.FAILED if slow or failed else passed(self.record, entries, self._served)
            self._served = self._served + 1 if signal is Signal.SERVED else 0
            return signal
        if slow:
            return Signal.TRIPPED if storm else None
        return Signal.TRIPPED if self._health.heard(self._clock.monotonic(), healthy=not failed) else None

    async def _move(self, signal: Signal, era: int, reason: str = "", floor_s: float = 0.0) -> bool:
        """Write a transition; somebody else's newer record wins. A store that is away keeps everything as it was."""
        async with self._turn:
            news = News(signal, self._clock.now_ms(), reason, floor_s, self._replica)
            moved = after(self.record, news, self._chance) if era == self.era else None
            if moved is None:
                return False
            try:
                if not await self._store.save(self._name, moved, era):
                    await self._read()
                    return False
            except StoreUnavailable:
                return False
            before = self.record.state
            self._adopt(replace(moved, version=era + 1))
            if before is not moved.state:
                self._tell(GateMoved(self._name, before.value, moved.state.value, reason or signal.value))
            return True

    async def _read(self) -> None:
        self._adopt(await self._store.load(self._name))
        self.paused = await self._store.paused(self._name)
        self._read_at = self._clock.monotonic()

    def _adopt(self, record: GateRecord) -> None:
        if record.version != self.record.version:
            self._health.reset()
        self.reopened |= record.state is GateState.CLOSED and self.record.state is not GateState.CLOSED
        self.record = record
