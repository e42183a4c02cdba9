"""Order of service: which queue of a destination is claimed next, with a guaranteed minimum share for each."""

from __future__ import annotations

from typing import NamedTuple

from relay.core.event import EntryClass, Lane


class Queue(NamedTuple):
    """One side of the mark of one owed stream."""

    klass: EntryClass
    lane: Lane


QUEUES = (
    Queue(EntryClass.CONVERSION, Lane.LIVE),
    Queue(EntryClass.CONVERSION, Lane.BACKLOG),
    Queue(EntryClass.ENGAGEMENT, Lane.LIVE),
    Queue(EntryClass.ENGAGEMENT, Lane.BACKLOG),
)
"""Best first."""

SHARES = {QUEUES[0]: 0.4, QUEUES[1]: 0.2, QUEUES[2]: 0.1, QUEUES[3]: 0.05}
"""Of the entries served while a queue has some; what nobody needs goes to the best queue."""

OLDEST_FIRST = (QUEUES[1], QUEUES[0], QUEUES[3], QUEUES[2])
"""Probing: the oldest still deliverable, so that one and the same entry risks an unknown outcome."""

FORGOTTEN = 2_000.0
"""Entries. A claim or debt beyond this is of another time."""


class Service:
    """What each queue got and what it may claim."""

    def __init__(self) -> None:
        self._due = dict.fromkeys(QUEUES, 0.0)

    def order(self) -> list[Queue]:
        """Queues below their share first, then by rank."""
        return sorted(QUEUES, key=lambda queue: (self._due[queue] <= 0, QUEUES.index(queue)))

    def served(self, queue: Queue, entries: int) -> None:
        """``queue`` got ``entries``; the others' claims grow by their shares."""
        for other, share in SHARES.items():
            got = entries if other == queue else 0
            due = self._due[other] + share * entries - got
            self._due[other] = max(-FORGOTTEN, min(FORGOTTEN, due))

    def empty(self, queue: Queue) -> None:
        """``queue`` has nothing to serve: it is owed nothing."""
        self._due[queue] = 0.0
