"""Whose events are refused: asked for each event at both ends, and costing nothing while nobody is listed.

The list is in the store; each process has a copy that is at most a second old. At the door the copy decides; before
anything is sent it must have been read, and what changed after entries were mapped has them mapped again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from relay.core.delivery.account import POISON, decode
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import JsonObject
from relay.core.marks import MARK_BYTES, Marks
from relay.core.notices import PeopleSuppressed, StoreWarned
from relay.core.segment.people import identities
from relay.ports import Changes, Clock, Suppressions, Tell

REFRESH_S = 1.0
REREAD_S = 3600.0
"""The store lets go of old lines without saying so: so often the copy is made anew."""
CROWDED = 0.8


class Nobody:
    """See ``ports.Suppressions``: a list that stays empty, for who has none."""

    def mark(self, identity: str) -> bytes:
        """Of no use."""
        return identity.encode()[:MARK_BYTES]

    async def write(self, identities: Sequence[str], *, on: bool) -> int:
        """Nothing is written."""
        del identities, on
        return 0

    async def since(self, after: str) -> Changes:
        """Nothing ever changes."""
        return Changes(after, [], more=False)


class Suppression:
    """One process's copy of the list. ``most``: how many lines the store keeps."""

    def __init__(self, store: Suppressions, clock: Clock, tell: Tell, most: int = 1_000_000) -> None:
        self._store, self._clock, self._tell, self._most = store, clock, tell, most
        self._marks = Marks()
        self._place = ""
        self._read_at = self._reread_at = float("-inf")
        self._turn = asyncio.Lock()
        self.version = 0
        """Another one after each change."""

    @property
    def listed(self) -> int:
        """How many identities are refused, as far as is known here."""
        return len(self._marks)

    @property
    def screen(self) -> Callable[[JsonObject], bool] | None:
        """What to ask about each event; None while nobody is listed."""
        return self.refuses if len(self._marks) else None

    def refuses(self, event: JsonObject) -> bool:
        """Whether an event names somebody on the list."""
        marks, mark = self._marks, self._store.mark
        return len(marks) > 0 and any(mark(identity) in marks for identity in identities(event))

    def refuses_raw(self, raw: bytes) -> bool:
        """``refuses`` for text, be it an event or not; nobody is recognised in what is no JSON object."""
        if not len(self._marks):
            return False
        try:
            found = decode(raw)
        except POISON:
            return False
        return isinstance(found, dict) and self.refuses(found)

    async def add(self, people: Sequence[str]) -> None:
        """Refuse these identities from now on, in every process within a second. StoreUnavailable: not written."""
        await self._write(people, on=True)

    async def lift(self, people: Sequence[str]) -> None:
        """Refuse them no more."""
        await self._write(people, on=False)

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read what changed when the copy is old. Raises StoreUnavailable."""
        if not at_once and self._clock.monotonic() - self._read_at < REFRESH_S:
            return
        async with self._turn:
            now = self._clock.monotonic()
            anew = now - self._reread_at >= REREAD_S
            await self._read(anew=anew)
            self._read_at = now
            self._reread_at = now if anew else self._reread_at

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the copy fresh until stopped, as long as the store answers."""
        while not stopping.is_set():
            with suppress(StoreUnavailable, StoreMisused):  # others tell that it is away, or a key damaged
                await self.refresh()
            await self._clock.sleep(REFRESH_S)

    async def _write(self, people: Sequence[str], *, on: bool) -> None:
        if not people:
            return
        lines = await self._store.write(people, on=on)
        self._tell(PeopleSuppressed(len(people), on))
        if lines >= CROWDED * self._most:
            text = f"the list of suppressed people has {lines:,} of {self._most:,} lines; beyond that the oldest go"
            self._tell(StoreWarned("suppression", text))
        await self.refresh(at_once=True)

    async def _read(self, *, anew: bool) -> None:
        """Page by page; a new copy takes the place of the old one when it is whole."""
        marks, place = (Marks(), "") if anew else (self._marks, self._place)
        more, gathered = True, list[tuple[bytes, bool]]()
        while more:
            place, changes, more = await self._store.since(place)
            gathered += changes
        marks.change(gathered)
        self.version += marks.differs_from(self._marks) if anew else bool(gathered)
        self._marks, self._place = marks, place
