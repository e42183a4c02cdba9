"""A set of 64-bit marks in eight bytes each: a million suppressed people must not cost every process 100 MB."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

MARK_BYTES = 8


class Marks:
    """Sorted, so that a look-up is a bisection. Marks are ``MARK_BYTES`` long."""

    __slots__ = ("_sorted",)

    def __init__(self) -> None:
        self._sorted: array[int] = array("Q")

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, mark: bytes) -> bool:
        return self._holds(int.from_bytes(mark, "big"))

    def differs_from(self, other: Marks) -> bool:
        """Whether another set holds other marks."""
        return self._sorted != other._sorted

    def change(self, changes: Iterable[tuple[bytes, bool]]) -> bool:
        """Add (True) or take away (False), in order: the last word on a mark holds. Whether that made a difference."""
        last = {int.from_bytes(mark, "big"): on for mark, on in changes}
        new = {number: on for number, on in last.items() if self._holds(number) is not on}
        if len(new) < len(self._sorted) // 16:
            for number, on in new.items():
                self._change_one(number, on=on)
        elif new:
            kept = {number for number in self._sorted if number not in new}
            self._sorted = array("Q", sorted(kept | {number for number, on in new.items() if on}))
        return bool(new)

    def _holds(self, number: int) -> bool:
        at = bisect_left(self._sorted, number)
        return at < len(self._sorted) and self._sorted[at] == number

    def _change_one(self, number: int, *, on: bool) -> None:
        at = bisect_left(self._sorted, number)
        there = at < len(self._sorted) and self._sorted[at] == number
        if on and not there:
            self._sorted.insert(at, number)
        elif there and not on:
            del self._sorted[at]
