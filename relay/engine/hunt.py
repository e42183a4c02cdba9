"""One search through what the store keeps: page by page, bounded in time, resting between pages.

Entries are stored compressed, so an id can only be found by unpacking them one after the other. Who delivers must not
notice: after each page the search rests three times as long as the page took.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from relay.core.archive import Archived
from relay.core.delivery.account import POISON, decode
from relay.core.event import Attempt, DeadLetter, Entry, EntryClass, StreamKey
from relay.core.trace import Searched, parse_id
from relay.ports import Archive, Clock, DeadLetters, Tracks

PAGE = 200
CALLS_PAGE = 500
REST = 3.0
MARGIN_MS = 600_000
"""A store whose last id is further ahead of its clock than this is refused at start."""
PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")  # what every JSON writer leaves as it is
T = TypeVar("T")


class Find(NamedTuple):
    """An owed entry, its stream, and how many entries are before it (None: not counted)."""

    stream: StreamKey
    entry: Entry
    behind: int | None


class Wanted(NamedTuple):
    """What to look for, and for how many seconds. ``since_ms``: received then or later, 0 when nobody knows."""

    message_id: str
    patience_s: float = 10.0
    since_ms: int = 0


class Hunt:
    """Looks for one message id. What was not found before time ran out may be there all the same: ``complete``."""

    def __init__(self, tracks: Tracks, letters: DeadLetters, archive: Archive, clock: Clock, wanted: Wanted) -> None:
        self._tracks, self._letters, self._archive, self._clock = tracks, letters, archive, clock
        self._message_id, self._needle = wanted.message_id, needle_of(wanted.message_id)
        # Ids order but do not tell time: a guess where to begin, and what was skipped is searched at last.
        guess_ms = wanted.since_ms - MARGIN_MS
        self._start = f"{guess_ms}-0" if guess_ms > 0 else ""
        self._began = clock.monotonic()
        self._until = self._began + wanted.patience_s
        self._rest_s = 0.0
        self._places: dict[StreamKey, str] = {}  # up to which id each stream was searched
        self._owed_seen = 0
        self._letters_seen = 0
        self._archived_seen = 0
        self.complete = True

    @property
    def searched(self) -> Searched:
        """What was done so far."""
        seconds = self._clock.monotonic() - self._began
        return Searched(self._owed_seen, self._letters_seen, seconds, self.complete, self._archived_seen)

    async def owed(self, stream: StreamKey) -> Find | None:
        """The entry; asked again, among what was owed since.

        Who knows when it was received begins there, and looks at what is older last.
        """
        known = self._places.get(stream)
        if known is not None:
            return await self._walk(stream, known)
        return await self._walk(stream, self._start) or (await self._walk_head(stream) if self._start else None)

    async def _walk_head(self, stream: StreamKey) -> Find | None:
        place = self._places.get(stream, self._start)
        find = await self._walk(stream, "", until=self._start)
        self._places[stream] = place
        return find

    async def _walk(self, stream: StreamKey, after: str, until: str = "") -> Find | None:
        """From one id on, to the end or past another."""
        behind = None if after else 0
        while await self._in_time():
            page = await self._timed(self._tracks.search(stream, self._needle, after=after, limit=PAGE))
            for index, entry in page.found:
                if has_id(entry.raw, self._message_id):
                    self._owed_seen += index + 1
                    return Find(stream, entry, None if behind is None else behind + index)
            self._owed_seen += page.searched
            after, behind = page.last_id, None if behind is None else behind + page.searched
            self._places[stream] = after
            if page.searched < PAGE or (until and parse_id(after) >= parse_id(until)):
                break
        return None

    async def archived(self, klass: EntryClass, destination: str) -> Archived | None:
        """What ended as delivered or unmatched, or ('' as destination) was filtered, while that is archived."""
        after = self._start
        while await self._in_time():
            page = await self._timed(self._archive.page(klass, after=after, limit=PAGE))
            for event in page:
                self._archived_seen += 1
                asked = event.destination == destination and self._needle in event.raw
                if asked and has_id(event.raw, self._message_id):
                    return event
            if len(page) < PAGE:
                return None
            after = page[-1].id
        return None

    async def letter(self, destination: str) -> DeadLetter | None:
        """The dead letter."""
        after = ""
        while await self._in_time():
            page = await self._timed(self._letters.list(destination, after=after, limit=PAGE))
            for letter in page:
                self._letters_seen += 1
                if self._needle in letter.raw and has_id(letter.raw, self._message_id):
                    return letter
            if len(page) < PAGE:
                return None
            after = page[-1].id
        return None

    async def calls(self, destination: str) -> list[Attempt]:
        """The whole log of calls of a destination, oldest first, each once."""
        calls: dict[Attempt, None] = {}
        after = ""
        while await self._in_time():
            after, page = await self._timed(self._tracks.calls(destination, after=after, limit=CALLS_PAGE))
            calls.update(dict.fromkeys(page))
            if not after:
                break
        return list(calls)

    async def _in_time(self) -> bool:
        """Rest, then say whether there is time for another page."""
        rest_s, self._rest_s = self._rest_s, 0.0
        await self._clock.sleep(rest_s)
        if self._clock.monotonic() < self._until:
            return True
        self.complete = False
        return False

    async def _timed(self, look: Awaitable[T]) -> T:
        began = self._clock.monotonic()
        found = await look
        self._rest_s = REST * (self._clock.monotonic() - began)
        return found


def needle_of(message_id: str) -> bytes:
    """A part of the id that stands in the stored JSON as it is, however the rest was escaped."""
    return max(PLAIN.findall(message_id), key=len, default="").encode()


def has_id(raw: bytes, message_id: str) -> bool:
    """Whether an event is the one with this id; a number is an id, too (``identify``)."""
    try:
        event = decode(raw)
    except POISON:
        return False
    own = event.get("messageId") if isinstance(event, dict) else None
    return own == message_id or (type(own) is int and str(own) == message_id)
