"""What the in-memory store keeps: streams with leases, mark and books; the ports over it are in ``memory.py``."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from relay.core.archive import Archived
from relay.core.delivery.gate import GateRecord
from relay.core.delivery.mode import ModeRecord
from relay.core.errors import StoreMisused
from relay.core.event import Attempt, DeadLetter, Entry, EntryClass, StreamKey
from relay.ports import Clock

Id = tuple[int, int]
EPOCHS = {EntryClass.ENGAGEMENT: (86_400_000, 3), EntryClass.CONVERSION: (864_000_000, 4)}  # length ms, looked up
BOUND = 9_000_000_000_000_000  # a total outside is left alone, as the scripts do


def parse(text: str) -> Id:
    ms, _, seq = text.partition("-")
    return int(ms), int(seq)


def text(id_: Id) -> str:
    return f"{id_[0]}-{id_[1]}"


@dataclass
class Ids:
    """Ids that only grow, whatever the clock does."""

    last: Id = (0, 0)

    def next(self, now_ms: int) -> Id:
        self.last = (now_ms, 0) if now_ms > self.last[0] else (self.last[0], self.last[1] + 1)
        return self.last


@dataclass
class Held:
    """A lease as stored."""

    first: Id
    last: Id
    due_ms: int
    number: int
    first_ms: int


@dataclass
class Window:
    """What may be claimed: ids from ``first`` (None: nothing) to ``last`` (None: no end)."""

    first: Id | None
    last: Id | None = None

    def holds(self, id_: Id) -> bool:
        return self.first is not None and self.first <= id_ and (self.last is None or id_ <= self.last)


@dataclass
class Stream:
    """One owed stream with its leases, mark, window and books."""

    ids: list[Id] = field(default_factory=list)
    entries: dict[Id, Entry] = field(default_factory=dict)
    leases: dict[Id, Held] = field(default_factory=dict)
    mark: Id = (0, 0)
    window: Window = field(default_factory=lambda: Window((0, 0)))
    number: int = 0
    books: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    sequence: Ids = field(default_factory=Ids)

    def add(self, now_ms: int, entry: Entry) -> None:
        id_ = self.sequence.next(now_ms)
        self.ids.append(id_)
        self.entries[id_] = entry._replace(id=text(id_))
        self.count_value(entry, 1)

    def remove(self, id_: Id) -> Entry | None:
        entry = self.entries.pop(id_, None)
        if entry is not None:
            del self.ids[bisect_left(self.ids, id_)]
            self.count_value(entry, -1)
        return entry

    def count_value(self, entry: Entry, sign: int) -> None:
        if entry.worth.micros and abs(self.values[entry.worth.currency] + sign * entry.worth.micros) < BOUND:
            self.values[entry.worth.currency] += sign * entry.worth.micros

    def inside(self, first: Id, last: Id) -> list[Id]:
        return self.ids[bisect_left(self.ids, first) : bisect_right(self.ids, last)]

    def claimable(self) -> tuple[int, int]:
        """Positions of the window among the ids."""
        first, last = self.window.first, self.window.last
        if first is None:
            return 0, 0
        return bisect_left(self.ids, first), len(self.ids) if last is None else bisect_right(self.ids, last)

    def standing(self) -> list[Id]:
        """What nobody may claim."""
        first, last = self.claimable()
        return [*self.ids[:first], *self.ids[last:]]

    def runs(self, now_ms: int) -> Iterator[tuple[Held | None, list[Id]]]:
        """Claimable runs in id order: what is left of due leases, and the gaps between leases."""
        position, stop = self.claimable()
        for held in sorted(self.leases.values(), key=lambda one: one.first):
            start, end = bisect_left(self.ids, held.first), bisect_right(self.ids, held.last)
            if start > position:
                yield None, self.ids[position : min(start, stop)]
            if held.due_ms <= now_ms and self.window.holds(held.first):
                yield held, self.ids[start:end]
            position = max(position, end)
        if position < stop:
            yield None, self.ids[position:stop]

    def move_mark(self, now_ms: int, live_age_ms: int) -> None:
        """Level-triggered: an old unclaimed entry after the mark makes everything up to the tail backlog."""
        for held, ids in self.runs(now_ms):
            after = ids[bisect_right(ids, self.mark) :]
            if held is None and after:
                if now_ms - self.entries[after[0]].received_ms > live_age_ms:
                    self.mark = self.ids[self.claimable()[1] - 1]
                return  # only the oldest unclaimed one counts


class State:
    """Everything the four ports share."""

    def __init__(self, streams: Sequence[StreamKey], clock: Clock, lease_ms: int, live_age_ms: int) -> None:
        self.streams = {key: Stream() for key in streams}
        self.clock, self.lease_ms, self.live_age_ms = clock, lease_ms, live_age_ms
        self.dead: dict[str, dict[str, DeadLetter]] = {
            name: {} for name in ("-", *(key.destination for key in streams))
        }
        self.dead_ids = Ids()
        self.seen: dict[tuple[EntryClass, int], set[tuple[str, str]]] = {}
        self.gates: dict[str, GateRecord] = {}
        self.pauses: set[str] = set()
        self.attempts: dict[str, list[Attempt]] = {key.destination: [] for key in streams}
        self.modes: dict[str, ModeRecord] = {}
        self.archives = False
        self.archive: dict[EntryClass, dict[Id, Archived]] = {klass: {} for klass in EntryClass}
        self.archive_ids = {klass: Ids() for klass in EntryClass}

    def stream(self, key: StreamKey) -> Stream:
        if key not in self.streams:
            raise StoreMisused(f"unknown stream {key}")
        return self.streams[key]

    def bury(self, letter: DeadLetter) -> None:
        id_ = text(self.dead_ids.next(self.clock.now_ms()))
        self.dead[letter.destination][id_] = replace(letter, id=id_)
