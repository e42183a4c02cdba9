"""Whose events are refused: asked for each event at both ends, and costing nothing while nobody is listed.

The list is in the store; each process has a copy that is at most a second old. At the door the copy decides; before
anything is sent it must have been read, and what changed after entries were mapped has them asked about again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from relay.core.delivery.account import POISON, decode
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import JsonObject
from relay.core.marks import MARK_BYTES, Marks
from relay.core.notices import PeopleSuppressed, StoreWarned
from relay.core.segment.mentions import mentions, scraps
from relay.core.segment.people import identities
from relay.ports import NOW, Changes, Clock, Listed, Suppressions, Tell

REFRESH_S = 1.0
REREAD_S = 3600.0
"""The store lets go of old lines without saying so: so often the copy is made anew."""
CROWDED = 0.8
WARN_S = 3600.0
"""At most so often it is told that the list is nearly full, or full."""
LOOKED_BYTES = 64 * 1024
"""How much is searched of what is no event: so much of it would be kept."""


class Nobody:
    """See ``ports.Suppressions``: a list that stays empty, for who has none."""

    def mark(self, identity: str) -> bytes:
        """Of no use."""
        return identity.encode()[:MARK_BYTES]

    async def write(self, identities: Sequence[str], *, on: bool, asked_ms: Mapping[str, int] = NOW) -> Listed:
        """Nothing is written."""
        del identities, on, asked_ms
        return Listed(0, 0)

    async def since(self, after: str) -> Changes:
        """Nothing ever changes."""
        return Changes(after, [], more=False)


class Suppression:
    """One process's copy of the list. ``most``: how many identities the store takes."""

    def __init__(self, store: Suppressions, clock: Clock, tell: Tell, most: int = 1_000_000) -> None:
        self._store, self._clock, self._tell, self._most = store, clock, tell, most
        self._marks = Marks()
        self._place = ""
        self._read_at = self._reread_at = float("-inf")
        self._warned_at: dict[bool, float] = {}  # of a full list, and of one that is nearly full
        self._turn = asyncio.Lock()
        self.version = 0
        """Another one after each change of who is refused."""

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
        return len(self._marks) > 0 and self._named(identities(event))

    def marks_in(self, raw: bytes) -> frozenset[bytes]:
        """The marks of all that an event names, for ``lists``."""
        try:
            event = decode(raw)
            return frozenset(map(self._store.mark, identities(event) if isinstance(event, dict) else ()))
        except POISON:
            return frozenset()

    def lists(self, marks: Iterable[bytes]) -> bool:
        """Whether one of these marks is on the list."""
        return any(mark in self._marks for mark in marks)

    def refuses_raw(self, raw: bytes, *, loose: bool = False) -> bool:
        """``refuses`` for text. What is no JSON object, and all of it if ``loose``, is searched at any depth.

        Ten times as dear as an event of that size, so for what is no event only.
        """
        if not len(self._marks):
            return False
        try:
            found = decode(raw)
        except POISON:
            return self._named(scraps(raw[:LOOKED_BYTES]))
        named = isinstance(found, dict) and self.refuses(found)
        if named or (isinstance(found, dict) and not loose):
            return named
        return self._named(mentions(found, numbers=False) if len(raw) <= LOOKED_BYTES else scraps(raw[:LOOKED_BYTES]))

    async def add(self, people: Sequence[str], asked_ms: Mapping[str, int] = NOW) -> None:
        """Refuse these identities from now on, in every process within a second. StoreUnavailable: not written.

        ``asked_ms``: when each was asked for, if not now. Who was taken off the list since stays off.
        """
        await self._write(people, on=True, asked_ms=asked_ms)

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

    def _named(self, people: Iterable[str]) -> bool:
        return self.lists(map(self._store.mark, people))

    async def _write(self, people: Sequence[str], *, on: bool, asked_ms: Mapping[str, int] = NOW) -> None:
        if not people:
            return
        try:
            done = await self._store.write(people, on=on, asked_ms=asked_ms)
        except StoreUnavailable as error:
            if error.trouble is StoreTrouble.SUPPRESSED_FULL:
                self._warn(f"is full ({error.detail}), and whoever else wants to be on it gets a 503", full=True)
            raise
        if done.changed:
            self._tell(PeopleSuppressed(done.changed, on))
        if done.listed >= CROWDED * self._most:
            self._warn(f"has {done.listed:,} of {self._most:,} identities; full, it takes nobody else in", full=False)
        mark = self._store.mark
        if any((mark(identity) in self._marks) is not on for identity in people):
            await self.refresh(at_once=True)

    def _warn(self, text: str, *, full: bool) -> None:
        now = self._clock.monotonic()
        if now - self._warned_at.get(full, float("-inf")) >= WARN_S:
            self._warned_at[full] = now
            advice = "raise [privacy] suppress_most"
            self._tell(StoreWarned("suppression", f"the list of suppressed people {text}: {advice}"))

    async def _read(self, *, anew: bool) -> None:
        """Page by page; a new copy takes the place of the old one when it is whole."""
        marks, place = (Marks(), "") if anew else (self._marks, self._place)
        more, gathered = True, list[tuple[bytes, bool]]()
        while more:
            place, changes, more = await self._store.since(place)
            gathered += changes
        changed = marks.change(gathered)
        self.version += marks.differs_from(self._marks) if anew else changed
        self._marks, self._place = marks, place
