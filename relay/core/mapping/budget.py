"""How much a mapping may make of one event. Directives can multiply: what they copy, join and repeat is counted.

Segment takes events of 32 KB and TikTok requests of about 1 MB, so nobody's mapping comes near; one that would make
gigabytes of a line, or of another list's every item a list, fails on the event instead of standing still on it.
"""

from __future__ import annotations

from typing import Any

from relay.core.mapping.errors import MappingError

ALLOWANCE = 2**20  # characters
ITEM = 16  # what a member of an object or list costs, in characters: about what it takes


class Budget:
    """What is left for the event at hand; the mapping that compiled it renews it for each."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = ALLOWANCE

    def renew(self) -> None:
        """The next event."""
        self._left = ALLOWANCE

    def spend(self, cost: int) -> None:
        """Raises MappingError when there is not so much left."""
        self._left -= cost
        if self._left < 0:
            raise MappingError([f"the mapping makes more than {ALLOWANCE:,} characters of this event"])

    def spend_on(self, value: Any) -> None:
        """The cost of walking through a value. Without recursion, and over before a shared value repeats for ever."""
        if type(value) is str:
            self.spend(len(value))
            return
        waiting: list[Any] = [value] if type(value) is dict or type(value) is list else []
        while waiting:
            found = waiting.pop()
            kind = type(found)
            if kind is str:
                self.spend(len(found))
            elif kind is dict or kind is list:
                self.spend(ITEM * len(found))
                waiting += found.values() if kind is dict else found
