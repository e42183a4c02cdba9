from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.marks import Marks

MARK = st.integers(0, 40).map(lambda number: (number * 0x0123456789ABCDEF % 2**64).to_bytes(8, "big"))


@given(st.lists(st.lists(st.tuples(MARK, st.booleans()), max_size=30), max_size=30))
def test_it_is_a_set(batches: list[list[tuple[bytes, bool]]]) -> None:
    marks, twin = Marks(), set[bytes]()
    for batch in batches:
        marks.change(batch)
        for mark, on in batch:
            (twin.add if on else twin.discard)(mark)
        assert len(marks) == len(twin)
    assert all(mark in marks for mark in twin)
    assert all((number.to_bytes(8, "big") in marks) is (number.to_bytes(8, "big") in twin) for number in range(300))


def test_single_changes_of_a_large_set_agree_with_a_set() -> None:
    marks, twin = Marks(), {(n * 7919).to_bytes(8, "big") for n in range(1000)}
    marks.change([(mark, True) for mark in twin])
    gone, new = (7919).to_bytes(8, "big"), (5).to_bytes(8, "big")
    marks.change([(gone, False), (new, True), (new, True), (gone, False)])
    assert gone not in marks
    assert new in marks
    assert len(marks) == 1000
