"""Faults of replays: what is moved twice, nowhere, unbooked, too early or for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.core.archive import Archived, Moved, ReplayJob, ReplayState, Requeue, Step
from relay.core.event import Entry, StreamKey
from relay.engine.replay_room import Room
from tests.twins import memory
from tests.twins.archive import MemoryArchive, MemoryReplays, archive_ended
from tests.twins.shelves import Held, State


def moved_and_kept(patch: pytest.MonkeyPatch) -> None:
    """Owed again, and archived as well: the next replay doubles it. The books balance."""
    honest = MemoryReplays._move

    def move(self: MemoryReplays, one: Requeue, owed: Counter[StreamKey], values: Counter[str]) -> int:
        kept = dict(self._state.archive[one.event.klass])
        duplicates = honest(self, one, owed, values)
        self._state.archive[one.event.klass] = kept
        return duplicates

    patch.setattr(MemoryReplays, "_move", move)


def taken_out_and_not_owed(patch: pytest.MonkeyPatch) -> None:
    """Every fiftieth event falls between archive and stream."""
    honest = MemoryReplays._owe
    count = Counter[str]()

    def owe(self: MemoryReplays, stream: StreamKey, event: Archived) -> None:
        count["moved"] += 1
        if count["moved"] % 50:
            honest(self, stream, event)

    patch.setattr(MemoryReplays, "_owe", owe)


def owed_again_without_a_line_in_the_books(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryReplays._owe

    def owe(self: MemoryReplays, stream: StreamKey, event: Archived) -> None:
        honest(self, stream, event)
        self._state.stream(stream).books["requeued"] -= 1

    patch.setattr(MemoryReplays, "_owe", owe)


def a_step_that_is_not_fenced(patch: pytest.MonkeyPatch) -> None:
    """Whoever lost the job to another, or to a cancellation, goes on moving."""
    honest = MemoryReplays.move

    async def move(self: MemoryReplays, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        assert self._job is not None
        before, self._job = self._job, replace(self._job, version=version, state=ReplayState.RUNNING)
        moved = await honest(self, version, step, moves)
        self._job = replace(self._job, version=before.version, state=before.state)
        return moved

    patch.setattr(MemoryReplays, "move", move)


def the_archive_forgets_since_when_tiktok_has_it(patch: pytest.MonkeyPatch) -> None:
    """As if TikTok could not have it: sent once more after its window."""

    def ended(state: State, stream: StreamKey, entry: Entry, held: Held, *, delivered: bool) -> None:
        archive_ended(state, stream, entry._replace(first_ms=0), replace(held, first_ms=0), delivered=delivered)

    patch.setattr(memory, "archive_ended", ended)


def archived_twice(patch: pytest.MonkeyPatch) -> None:
    def ended(state: State, stream: StreamKey, entry: Entry, held: Held, *, delivered: bool) -> None:
        for _ in range(2):
            archive_ended(state, stream, entry, held, delivered=delivered)

    patch.setattr(memory, "archive_ended", ended)


def trimmed_too_soon(patch: pytest.MonkeyPatch) -> None:
    honest = MemoryArchive.trim

    async def trim(self: MemoryArchive) -> int:
        self._retention_ms = 60_000
        return await honest(self)

    patch.setattr(MemoryArchive, "trim", trim)


def a_replay_waits_for_a_gate_that_waits_for_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "_owed_to", lambda *_: 1)


def a_lease_that_never_falls_due(patch: pytest.MonkeyPatch) -> None:
    """Who died in a replay holds it for ever."""
    honest = MemoryReplays.load

    async def load(self: MemoryReplays) -> ReplayJob | None:
        job = await honest(self)
        return job and replace(job, held=bool(job.owner))

    patch.setattr(MemoryReplays, "load", load)


FAULTS = (
    moved_and_kept,
    taken_out_and_not_owed,
    owed_again_without_a_line_in_the_books,
    a_step_that_is_not_fenced,
    the_archive_forgets_since_when_tiktok_has_it,
    archived_twice,
    trimmed_too_soon,
    a_replay_waits_for_a_gate_that_waits_for_it,
    a_lease_that_never_falls_due,
)
