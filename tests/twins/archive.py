"""The archive and its replays on plain dicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from relay.core.archive import Archived, Moved, ReplayJob, ReplayState, Requeue, Step
from relay.core.errors import StoreMisused
from relay.core.event import ArchiveSurvey, Entry, EntryClass, NewEntry, StreamKey
from tests.twins.shelves import EPOCHS, Held, State, parse, text


def archive_filtered(state: State, new: NewEntry) -> None:
    kept = Archived("", new.stream.klass, new.raw, new.received_ms, new.source, new.worth)
    _keep(state, kept)


def archive_ended(state: State, stream: StreamKey, entry: Entry, held: Held, *, delivered: bool) -> None:
    """As ``settle.lua``: TikTok may have it since the first claim, unless it may have had it before."""
    known = [entry.first_ms] if entry.first_ms else []
    first_ms = min([*known, held.first_ms] if delivered else known, default=0)
    name, klass = stream
    kept = Archived("", klass, entry.raw, entry.received_ms, entry.source, entry.worth, name, first_ms, delivered)
    _keep(state, kept._replace(entry_id=entry.id))


def _keep(state: State, kept: Archived) -> None:
    id_ = state.archive_ids[kept.klass].next(state.clock.now_ms())
    state.archive[kept.klass][id_] = kept._replace(id=text(id_))


def survey_archive(state: State) -> ArchiveSurvey:
    events = [event for kept in state.archive.values() for event in kept.values()]
    used, oldest = sum(len(event.raw) for event in events), min((event.ended_ms for event in events), default=None)
    return ArchiveSurvey({klass: len(kept) for klass, kept in state.archive.items()}, used, oldest)


class MemoryArchive:
    def __init__(self, state: State, retention_ms: int) -> None:
        self._state, self._retention_ms = state, retention_ms

    async def page(self, klass: EntryClass, *, after: str = "", limit: int = 200) -> Sequence[Archived]:
        kept = self._state.archive[klass]
        return [one for id_, one in kept.items() if not after or id_ > parse(after)][:limit]

    async def trim(self) -> int:
        bound, gone = self._state.clock.now_ms() - self._retention_ms, 0
        for kept in self._state.archive.values():
            for id_ in [id_ for id_ in kept if id_[0] < bound]:
                del kept[id_]
                gone += 1
        return gone


class MemoryReplays:
    def __init__(self, state: State, lease_ms: int = 15_000) -> None:
        self._state, self._lease_ms = state, lease_ms
        self._job: ReplayJob | None = None
        self._due_ms = 0

    async def load(self) -> ReplayJob | None:
        if self._job is None:
            return None
        return replace(self._job, held=self._due_ms > self._state.clock.now_ms())

    async def save(self, job: ReplayJob, expected_version: int, *, new: bool = False) -> bool:
        stored = self._job
        if (stored.version if stored else 0) != expected_version:
            return False
        if stored is None or new:
            kept = replace(job, counts={}, value_micros={}, waiting="")
        else:
            kept = replace(stored, state=job.state, owner=job.owner, ended_ms=job.ended_ms)
        self._job = replace(kept, version=expected_version + 1)
        self._due_ms = self._state.clock.now_ms() + self._lease_ms if job.owner else 0
        return True

    async def move(self, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        job = self._job
        if job is None or job.version != version or job.state is not ReplayState.RUNNING:
            return None
        if any(move.keep and not target.event_id for move in moves for target in move.targets):
            raise StoreMisused("what is kept would go there twice")
        owed = Counter({target.stream: 0 for move in moves for target in move.targets})
        values = Counter(job.value_micros)
        duplicates = sum(self._move(move, owed, values) for move in moves)
        counts = Counter(job.counts)
        counts.update({"moved": owed.total(), "duplicates": duplicates})
        counts.update(step.counts)
        self._job = replace(
            job, cursor=step.cursor, waiting=step.waiting, counts=_told(counts), value_micros=_told(values)
        )
        self._due_ms = self._state.clock.now_ms() + self._lease_ms
        return Moved(dict(owed), duplicates)

    def _move(self, move: Requeue, owed: Counter[StreamKey], values: Counter[str]) -> int:
        """How many of its targets had it already."""
        id_, kept = parse(move.event.id), self._state.archive[move.event.klass]
        found, duplicates = kept.get(id_), 0
        if found is None:
            return 0
        for stream, event_id in move.targets:
            if event_id and not self._remember(stream, event_id):
                duplicates += 1
                continue
            self._owe(stream, move.event._replace(raw=found.raw, first_ms=found.first_ms))
            owed[stream] += 1
            values[move.event.worth.currency] += move.event.worth.micros
        del kept[id_]
        if move.keep:
            first_ms = found.first_ms or self._state.clock.now_ms()
            _keep(self._state, found._replace(first_ms=first_ms))
        return duplicates

    def _owe(self, stream: StreamKey, event: Archived) -> None:
        one = self._state.stream(stream)
        entry = Entry("", event.raw, event.received_ms, event.source, event.worth, first_ms=event.first_ms)
        one.add(self._state.clock.now_ms(), entry)
        one.books["requeued"] += 1

    def _remember(self, stream: StreamKey, event_id: str) -> bool:
        if remember(self._state, stream, event_id):
            return True
        self._state.stream(stream).books["duplicates"] += 1
        return False


def remember(state: State, stream: StreamKey, event_id: str) -> bool:
    """False when the id is remembered already."""
    length, looked_up = EPOCHS[stream.klass]
    epoch, key = state.clock.now_ms() // length, (stream.destination, event_id)
    known = [state.seen.setdefault((stream.klass, epoch - back), set()) for back in range(looked_up)]
    if any(key in one for one in known):
        return False
    known[0].add(key)
    return True


def _told(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
