"""One replica's view of a destination's mode: declares it at start, turns it for an operator, lets entries lapse.

The store itself keeps claims to what a mode allows, so a replica that has not heard of a change yet asks in vain. What
is known here saves asking, and is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from relay.core.delivery.mode import Mode, ModeRecord, declared, failed_back, failed_over, next_step
from relay.core.errors import ModeBusy
from relay.core.event import EntryClass, StreamKey
from relay.core.notices import EntriesLapsed, FailbackFinished, FailbackStarted, FailoverStarted, Notice
from relay.ports import Clock, ModeStore, Tell

REFRESH_S = 1.0
LAPSE_EVERY_S = 5.0
PIECES = 100
"""Pieces of lapsing in a row, of some hundred entries at most: more than any relay takes in meanwhile."""
TRIES = 5
"""Of a change that somebody else's change, or a flood of new entries, came in between of."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a switch: the record now, and whether it was another one before."""

    record: ModeRecord
    changed: bool


class Standby:
    """Knows and turns the mode of one destination. Until the store was asked it is the configured one."""

    def __init__(self, name: str, configured: Mode, store: ModeStore, clock: Clock, tell: Tell) -> None:
        self.record = ModeRecord(configured)
        self._name, self._configured = name, configured
        self._store, self._clock, self._tell = store, clock, tell
        self._turn = asyncio.Lock()
        self._read_at = self._lapsed_at = float("-inf")

    @property
    def idle(self) -> bool:
        """Nothing may be claimed."""
        return self.record.mode is Mode.STANDBY

    async def refresh(self) -> None:
        """Read the shared record when what is known is old. Raises StoreUnavailable."""
        if self._clock.monotonic() - self._read_at >= REFRESH_S:
            async with self._turn:
                await self._read()

    async def declare(self) -> Turn:
        """At start, before anything is claimed. Raises StoreUnavailable."""
        return await self._change(lambda stored: declared(stored, self._configured))

    async def fail_over(self, since_ms: int) -> Turn:
        """Send what was received at ``since_ms`` or later. Raises StoreUnavailable or ModeBusy."""
        return await self._change(lambda stored: failed_over(stored or self.record, since_ms))

    async def fail_back(self) -> Turn:
        """Finish what was taken over, then stand by. Raises StoreUnavailable or ModeBusy."""
        return await self._change(lambda stored: failed_back(stored or self.record))

    async def tend(self) -> None:
        """Once a second: take a failback further, and let lapse what nobody asked for. Raises StoreUnavailable."""
        await self.refresh()
        step = next_step(self.record)
        if step is not None:
            async with self._turn:
                await self._save(step)
        now = self._clock.monotonic()
        if self.record.mode is not Mode.ACTIVE and now - self._lapsed_at >= LAPSE_EVERY_S:
            self._lapsed_at = now
            for klass in EntryClass:
                await self._lapse(StreamKey(self._name, klass))

    async def _lapse(self, stream: StreamKey) -> None:
        for _ in range(PIECES):
            lapsed = await self._store.lapse(stream)
            if lapsed.count:
                self._tell(EntriesLapsed(stream, lapsed.count))
            if not lapsed.more:
                return

    async def _change(self, wish: Callable[[ModeRecord | None], ModeRecord | None]) -> Turn:
        """Compare and set, again where somebody else was faster."""
        async with self._turn:
            for _ in range(TRIES):
                stored = await self._store.load(self._name)
                wanted = wish(stored)
                if wanted is None:
                    await self._read()
                    return Turn(self.record, changed=False)
                if await self._save(wanted):
                    return Turn(self.record, changed=True)
        raise ModeBusy(f"{self._name}: its mode is being changed by others; try again")

    async def _save(self, wanted: ModeRecord) -> bool:
        """Write a change and tell it: only the replica whose write it was does."""
        before = self.record
        if not await self._store.save(self._name, wanted, wanted.version):
            await self._read()
            return False
        if notice := told(self._name, before, wanted):
            self._tell(notice)
        await self._read()
        return True

    async def _read(self) -> None:
        stored = await self._store.load(self._name)
        self.record = stored or ModeRecord(self._configured)
        self._read_at = self._clock.monotonic()
        if stored is None:
            # Never declared, or the store lost its data: what follows from the record must be there before any claim.
            await self._store.save(self._name, self.record, 0)


def told(name: str, before: ModeRecord, after: ModeRecord) -> Notice | None:
    """What there is to tell of a change; the first record of a destination and the closing of a failback are none."""
    match after.mode:
        case Mode.FAILOVER:
            return FailoverStarted(name, after.since_ms)
        case Mode.FAILBACK if not after.closed:
            return FailbackStarted(name, after.since_ms)
        case Mode.STANDBY if before.mode is Mode.FAILBACK:
            return FailbackFinished(name, before.since_ms, before.until_ms)
        case _:
            return None
