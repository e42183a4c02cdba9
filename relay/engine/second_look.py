"""Entries that were mapped before the list of the suppressed changed: asked about once more, as their call leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.core.delivery.batch import Parcel
from relay.core.event import Entry
from relay.engine.suppression import Suppression
from relay.ports import Clock

LONG_S = 0.005
"""Reading entries gives others their turn after so long."""


class SecondLook:
    """Of one lease. Each entry is read once more at most; after that the list may change as often as it likes."""

    def __init__(self, entries: Sequence[Entry], suppression: Suppression, clock: Clock) -> None:
        self._entries, self._suppression, self._clock = entries, suppression, clock
        self._version = suppression.version  # what is mapped is held against this one, or a later one
        self._raws: dict[str, bytes] = {}
        self._marks: dict[str, frozenset[bytes]] = {}

    @property
    def due(self) -> bool:
        """Whether the list has changed since."""
        return self._suppression.version != self._version

    def ready(self, parcels: Sequence[Parcel]) -> bool:
        """Whether it is known whom all of these name."""
        return all(parcel.entry_id in self._marks for parcel in parcels)

    async def read(self, parcels: Sequence[Parcel]) -> None:
        """Find out whom these name, at about 30 µs each: others get their turn meanwhile."""
        self._raws = self._raws or {entry.id: entry.raw for entry in self._entries}
        rested = self._clock.monotonic()
        for parcel in parcels:
            if parcel.entry_id not in self._marks:
                self._marks[parcel.entry_id] = self._suppression.marks_in(self._raws[parcel.entry_id])
            if self._clock.monotonic() - rested > LONG_S:
                await asyncio.sleep(0)
                rested = self._clock.monotonic()

    def refuses(self, entry_id: str) -> bool:
        """Whether one that was read names somebody who is on the list now."""
        return self._suppression.lists(self._marks[entry_id])
