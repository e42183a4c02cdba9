"""How much of a destination's backlog is a replay's: such a backlog stands because it should, and is no incident."""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.archive import ReplayJob, ReplayState
from relay.core.event import EntryClass, StoreSurvey
from relay.engine.replay_room import HELD
from relay.engine.replay_work import MOST

MOST_HELD = (HELD + MOST) * len(EntryClass)
MOVES_MS = 30_000
"""A replay that owed a destination nothing for so long does not move there: what waits is not for its sake."""


@dataclass(slots=True)
class _Seen:
    """The ``requeued`` of a destination's books before the replay, now, and when they last grew."""

    before: int
    now: int
    grew_ms: int


class Shares:
    """What the books of each destination say that was owed again while a replay ran.

    Every replica reads the same books, whichever of them works on the replay. Dead letters that an operator requeues
    meanwhile count, too: nothing tells them apart.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def of(self, destination: str, survey: StoreSurvey, job: ReplayJob | None) -> int:
        """About how many entries of its backlog the replay put there; none unless it moves. For every survey."""
        requeued = sum(one.books.get("requeued", 0) for one in survey.streams if one.stream.destination == destination)
        seen = self._seen.get(destination)
        if seen is None or job is None or job.state is not ReplayState.RUNNING:
            self._seen[destination] = _Seen(requeued, requeued, survey.now_ms - MOVES_MS)
            return 0
        if requeued > seen.now:
            seen.now, seen.grew_ms = requeued, survey.now_ms
        moves = survey.now_ms - seen.grew_ms < MOVES_MS
        return min(seen.now - seen.before, MOST_HELD) if moves else 0
