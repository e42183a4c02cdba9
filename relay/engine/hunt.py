"""One search through what the store keeps: page by page, bounded in time, resting between pages.

Entries are stored compressed, so an id can only be found by unpacking them one after the other. Who delivers must not
notice: after each page the search rests three times as long as the page took.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from relay.core.delivery.account import POISON, decode
from relay.core.event import Attempt, DeadLetter, Entry, StreamKey
from relay.core.trace import Searched
from relay.ports import Clock, DeadLetters, Tracks

PAGE = 200
CALLS_PAGE = 500
REST = 3.0
PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")  # what every JSON writer leaves as it is
T = TypeVar("T")


class Find(NamedTuple):
    """An owed entry, its stream, and how many entries are before it."""

    stream: StreamKey
    entry: Entry
    behind: int


class Hunt:
    """Looks for one message id. What was not found before time ran out may be there all the same: ``complete``."""

    def __init__(self, tracks: Tracks, letters: DeadLetters, clock: Clock, message_id: str, patience_s: float) -> None:
        self._tracks, self._letters, self._clock = tracks, letters, clock
        self._message_id, self._needle = message_id, needle_of(message_id)
        self._began = clock.monotonic()
        self._until = self._began + patience_s
        self._rest_s = 0.0
        self._places: dict[StreamKey, tuple[str, int]] = {}  # how far each stream was searched: last id, entries
        self._letters_seen = 0
        self.complete = True

    @property
    def searched(self) -> Searched:
        """What was done so far."""
        owed = sum(count for _, count in self._places.values())
        return Searched(owed, self._letters_seen, self._clock.monotonic() - self._began, self.complete)

    async def owed(self, stream: StreamKey) -> Find | None:
        """The entry, from where an earlier search of this stream ended: what was owed since is looked at, too."""
        after, count = self._places.get(stream, ("", 0))
        while await self._in_time():
            page = await self._timed(self._tracks.search(stream, self._needle, after=after, limit=PAGE))
            for index, entry in page.found:
                if has_id(entry.raw, self._message_id):
                    self._places[stream] = entry.id, count + index + 1
                    return Find(stream, entry, count + index)
            after, count = page.last_id, count + page.searched
            self._places[stream] = after, count
            if page.searched < PAGE:
                return None
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
