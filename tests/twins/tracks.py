"""What the store on plain dicts can say about single entries."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from relay.core.event import Attempt, EntryClass, Lane, StreamKey
from relay.core.trace import AgeSample, Page, Standing
from tests.twins.shelves import EPOCHS, State, parse, text


class MemoryTracks:
    def __init__(self, state: State) -> None:
        self._state = state

    async def search(self, stream: StreamKey, needle: bytes, *, after: str = "", limit: int = 200) -> Page:
        one = self._state.stream(stream)
        start = bisect_left(one.ids, (parse(after)[0], parse(after)[1] + 1)) if after else 0
        ids = one.ids[start : start + limit]
        found = [(at, one.entries[id_]) for at, id_ in enumerate(ids) if needle in one.entries[id_].raw]
        return Page(len(ids), text(ids[-1]) if ids else after, tuple(found))

    async def accepted(self, destination: str, event_id: str) -> Mapping[EntryClass, tuple[int, int]]:
        now, found = self._state.clock.now_ms(), {}
        for klass, (length, looked_up) in EPOCHS.items():
            for epoch in range(now // length - looked_up + 1, now // length + 1):
                if (destination, event_id) in self._state.seen.get((klass, epoch), ()):
                    found[klass] = epoch * length, min(now, (epoch + 1) * length)
        return found

    async def standing(self, stream: StreamKey, entry_id: str) -> Standing:
        one, now = self._state.stream(stream), self._state.clock.now_ms()
        lane = Lane.BACKLOG if parse(entry_id) <= one.mark else Lane.LIVE
        for held in one.leases.values():
            if held.first <= parse(entry_id) <= held.last:
                return Standing(lane, now, held.due_ms, held.first_ms)
        return Standing(lane, now)

    async def calls(self, destination: str, *, after: str = "", limit: int = 500) -> tuple[str, list[Attempt]]:
        start = int(after or 0)
        page = self._state.attempts[destination][start : start + limit]
        return str(start + len(page)) if page else "", page

    async def ages(self, stream: StreamKey) -> Sequence[AgeSample]:
        return [AgeSample(entry.received_ms, 1) for _, entry in sorted(self._state.stream(stream).entries.items())]
