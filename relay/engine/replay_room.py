"""How much a replay may put in front of fresh events.

What is sent again is old, so the stream it goes to is backlog from there on, and fresh events of that stream queue up
behind it. A replay therefore puts no more than about two calls' worth into a stream, and waits until that is sent:
whatever its rate, a fresh event is delayed by two calls. What calls carry already is in nobody's way: a brisk
trade alone has thousands of entries in them at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from relay.core.archive import Requeue
from relay.core.delivery.gate import GateState
from relay.core.event import StreamKey
from relay.ports import Clock, Owed

HELD = 1_000
"""Entries: two full calls to TikTok."""
LOOK_S = 0.2
"""The store is asked no more often than this: 5,000 entries a second at most."""

PROBES = frozenset({GateState.OPEN.value, GateState.PROBING.value, GateState.HELD.value})


class Room:
    """What the destinations can take. ``gates``: their states; ``pressed``: whether the store itself has no room."""

    def __init__(
        self, owed: Owed, clock: Clock, gates: Callable[[], Mapping[str, str]], pressed: Callable[[], bool]
    ) -> None:
        self._owed, self._clock, self._gates, self._pressed = owed, clock, gates, pressed
        self._owing: dict[StreamKey, int] = {}
        self._waiting: dict[StreamKey, int] = {}  # of these, what no call carries yet
        self._looked_at = float("-inf")

    async def store_ms(self) -> int:
        """The store's clock: what has ended bears its time, whatever the clock here says. Raises StoreUnavailable."""
        return (await self._owed.survey()).now_ms

    async def stuck(self, name: str) -> str:
        """Why nothing can be sent to a destination at the moment, '' when it can. Raises StoreUnavailable.

        A gate closes again only by probing with entries. Where none are owed it gets a step of them from here: else the
        replay would wait for the gate, and the gate for the replay (found by the conservation test).
        """
        state = self._gates().get(name, "")
        if state in PROBES:
            await self._look()
        if state == GateState.CLOSED.value or (state in PROBES and not self._owed_to(name)):
            return ""
        return f"{name}: {state or 'not served here'}"

    async def full(self, moves: Iterable[Requeue]) -> str:
        """Why these have to wait, '' when they need not. Raises StoreUnavailable."""
        if self._pressed():
            return "the store is full"
        streams = {target.stream for move in moves for target in move.targets}
        if self._looked_at == float("-inf") or any(self._waiting.get(stream, 0) >= HELD for stream in streams):
            await self._look()
        for stream in streams:
            if (waiting := self._waiting.get(stream, 0)) >= HELD:
                return f"{stream.destination} has {waiting:,} {stream.klass.value} entries to send first"
        return ""

    def _owed_to(self, name: str) -> int:
        return sum(count for stream, count in self._owing.items() if stream.destination == name)

    def taken(self, moved: Mapping[StreamKey, int]) -> None:
        """So many more wait there."""
        for stream, count in moved.items():
            for counts in (self._owing, self._waiting):
                counts[stream] = counts.get(stream, 0) + count

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        streams = (await self._owed.survey()).streams
        self._owing = {one.stream: one.sendable for one in streams}
        self._waiting = {one.stream: max(0, one.sendable - one.leased) for one in streams}
