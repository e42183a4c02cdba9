"""Faults of a drain: live conversions wait for the backlog, or the backlog for ever."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from relay.core.delivery.governor import Governor
from relay.core.delivery.service import OLDEST_FIRST, QUEUES, Queue, Service
from relay.core.event import Lane
from relay.engine import pump
from tests.twins.shelves import Held, Id, Stream


def oldest_first_always(patch: pytest.MonkeyPatch) -> None:
    """Live entries are starved by the backlog."""
    patch.setattr(Service, "order", lambda _: OLDEST_FIRST)


def shares_of_the_backlog_only(patch: pytest.MonkeyPatch) -> None:
    """What is live has no rank: it waits until the backlog has nothing to claim any more."""

    def order(self: Service) -> Sequence[Queue]:
        return sorted(QUEUES, key=lambda queue: (queue.lane is Lane.LIVE, self._due[queue] <= 0))

    patch.setattr(Service, "order", order)


def mark_not_moved_by_a_second_outage(patch: pytest.MonkeyPatch) -> None:
    honest = Stream.move_mark

    def move_mark(self: Stream, now_ms: int, live_age_ms: int) -> None:
        if self.mark == (0, 0):
            honest(self, now_ms, live_age_ms)

    patch.setattr(Stream, "move_mark", move_mark)


def mark_moved_by_every_claim(patch: pytest.MonkeyPatch) -> None:
    """Everything is backlog."""
    honest = Stream.move_mark
    patch.setattr(Stream, "move_mark", lambda self, now_ms, _: honest(self, now_ms, -1))


def too_many_leases_in_hand(patch: pytest.MonkeyPatch) -> None:
    """Live entries are claimed at once, and then wait behind what was claimed before."""
    patch.setattr(pump, "AHEAD", 30)


def leases_of_the_dead_are_never_due(patch: pytest.MonkeyPatch) -> None:
    def init(self: Held, first: Id, last: Id, due_ms: int, number: int, first_ms: int) -> None:
        self.first, self.last, self.due_ms, self.number, self.first_ms = first, last, due_ms * 2, number, first_ms

    patch.setattr(Held, "__init__", init)


def pace_never_regained(patch: pytest.MonkeyPatch) -> None:
    """A call a minute, for ever."""
    patch.setattr(Governor, "wait_for_rate", lambda self, now: max(0.0, self._cut_at + 60 - now))


FAULTS = (
    oldest_first_always,
    shares_of_the_backlog_only,
    mark_not_moved_by_a_second_outage,
    mark_moved_by_every_claim,
    too_many_leases_in_hand,
    leases_of_the_dead_are_never_due,
    pace_never_regained,
)
