"""When each queue of a destination is asked for entries again. Times are monotonic seconds, given by the caller.

A call is paid for in full, however few entries it carries, and so is a claim. While another queue can fill them, live
entries are left to gather, so that they do not use up what a backlog waits for; longer when calls are scarce.
"""

from __future__ import annotations

from relay.core.delivery.service import QUEUES, Queue
from relay.core.event import Lane

FILL_CALLS, FEW_CALLS = 40, 10
"""A queue that gathers is asked again after so many claims for others, few where calls are not scarce: what it costs
them is small, fast or slow."""
FILL_S = 2.0
"""Or after so long: a conversion is accepted within 5 s, even if its first call fails."""
HALF, FULL = 0.5, 0.9
"""Of a call. A claim may end early at a lease: from half of a call on, assume that there is more."""
NEVER = float("inf")


class Asking:
    """Remembers what each queue gave. A short one is left alone for ``linger``, an empty one for ``poll`` seconds."""

    def __init__(self, linger_s: float, poll_s: float) -> None:
        self._linger_s, self._poll_s = linger_s, poll_s
        self._asked = dict.fromkeys(QUEUES, float("-inf"))
        self._next = dict.fromkeys(QUEUES, float("-inf"))
        self._gathers = dict.fromkeys(QUEUES, NEVER)  # until so many claims were granted; NEVER: does not gather
        self._empty = dict.fromkeys(QUEUES, False)
        self._short = dict.fromkeys(QUEUES, True)
        self._claims = 0

    def due(self, queue: Queue, now: float) -> bool:
        """Whether it may be asked."""
        return now >= self._next[queue] or self._claims >= self._gathers[queue]

    @property
    def nothing(self) -> bool:
        """Whether no queue had anything when it was asked last."""
        return all(self._empty.values())

    def short(self, queue: Queue) -> bool:
        """Whether it could not fill half a call."""
        return self._short[queue]

    def answered(self, queue: Queue, filled: float, now: float, *, scarce: bool) -> None:
        """It filled so much of a call, 0 to 1. ``scarce``: there is more to send than calls to send it with."""
        self._asked[queue], self._gathers[queue] = now, NEVER
        self._empty[queue] = not filled
        self._short[queue] = filled < HALF
        self._claims += bool(filled)
        if not filled:
            self._next[queue] = now + self._poll_s
        elif filled < FULL and queue.lane is Lane.LIVE and self._others_fill_calls(queue):
            self._next[queue] = now + FILL_S
            self._gathers[queue] = self._claims + (FILL_CALLS if scarce else FEW_CALLS)
        else:
            self._next[queue] = now + self._linger_s if self._short[queue] else now

    def _others_fill_calls(self, queue: Queue) -> bool:
        return any(not short for other, short in self._short.items() if other != queue)

    def woken(self) -> None:
        """Something was appended: what is neither full nor gathering need not wait for ``poll``."""
        for queue in QUEUES:
            if self._gathers[queue] == NEVER:
                self._soon(queue)

    def idle(self) -> None:
        """Nothing was due: calls are left over, and nobody needs to gather."""
        for queue in QUEUES:
            if self._gathers[queue] != NEVER:
                self._gathers[queue] = NEVER
                self._soon(queue)

    def came_back(self, queue: Queue) -> None:
        """Entries were given back: they have waited before."""
        self._next[queue], self._gathers[queue] = float("-inf"), NEVER

    def _soon(self, queue: Queue) -> None:
        self._next[queue] = min(self._next[queue], self._asked[queue] + self._linger_s)
