"""Words of erasing a person's data: where it may lie, and what a search through there came to."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from relay.core.event import EntryClass


class Kept(StrEnum):
    """Why something is kept. In the order of the search: what moves on meanwhile is met where it goes."""

    OWED = "owed"
    LETTERS = "dead_letters"
    ARCHIVE = "archive"


class Place(NamedTuple):
    """One stream. ``length``: how many records it held when it was looked up."""

    kept: Kept
    destination: str = ""
    klass: EntryClass | None = None
    length: int = 0

    @property
    def name(self) -> str:
        """For a cursor."""
        return f"{self.kept}:{self.destination}:{self.klass or ''}"


class Swept(NamedTuple):
    """One page of a search: records looked at, the last one's id, and what became of those that were wanted.

    ``leased``: not erased, because somebody is sending them; ``unreadable``: they could not be opened.
    """

    looked: int
    last_id: str
    erased: int
    leased: int = 0
    unreadable: int = 0


class Erased(NamedTuple):
    """What one call of an erasure did. ``cursor``: where the next goes on, '' at the end; ``total`` records there are.

    ``found`` counts by ``Kept``.
    """

    cursor: str
    looked: int
    total: int
    found: dict[str, int]
    leased: int
    unreadable: int
    seconds: float
