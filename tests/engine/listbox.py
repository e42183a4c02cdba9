"""A store for tests of intake: a list, a set, and the troubles a test asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import NewEntry, Reject
from relay.engine.append import MAX_BYTES, MAX_ENTRIES

POISON = b"poison"


class ListInbox:
    """Keeps what it is given and refuses repetitions, as the contract of ``ports.Inbox`` says.

    ``trouble`` is raised by every call while it is set; an entry with ``POISON`` in it is a caller's mistake. With
    ``gate`` set, a call waits until the test opens it.
    """

    def __init__(self) -> None:
        self.entries: list[NewEntry] = []
        self.rejects: list[Reject] = []
        self.calls: list[int] = []  # entries of each call that was made
        self.trouble: StoreUnavailable | Exception | None = None
        self.gate: asyncio.Event | None = None
        self._seen: set[tuple[str, str]] = set()

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        items: list[NewEntry | Reject] = [*entries, *rejects]
        self.calls.append(len(items))
        assert 0 < len(items) <= MAX_ENTRIES
        assert len(items) == 1 or sum(len(item.raw) for item in items) <= MAX_BYTES
        if self.gate is not None:
            await self.gate.wait()
        else:
            await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        if any(POISON in entry.raw for entry in entries):
            raise StoreMisused("poison")
        self.rejects += rejects
        return [self._owe(entry) for entry in entries]

    def _owe(self, entry: NewEntry) -> bool:
        identity = (entry.stream.destination, entry.event_id)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        self.entries.append(entry)
        return True
