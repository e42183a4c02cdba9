"""What was filtered lately, so that a trace can say so: a filtered event leaves nothing in the store."""

from __future__ import annotations

from relay.core.notices import Why

KEPT = 20_000
Met = tuple[Why, int]


class PassedOver:
    """The last events that no destination wanted: at least ``kept`` of them, in this process only.

    By hash, because an id may be as long as its sender likes. Two generations instead of a queue: one is dropped when
    the other is full.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._young: dict[int, Met] = {}
        self._old: dict[int, Met] = {}

    def note(self, event_id: str, why: Why, at_ms: int) -> None:
        """An event was filtered."""
        if len(self._young) >= self._kept:
            self._old, self._young = self._young, {}
        self._young[hash(event_id)] = why, at_ms

    def find(self, event_id: str) -> Met | None:
        """Why and when; None when it was not, or too long ago."""
        key = hash(event_id)
        return self._young.get(key) or self._old.get(key)
