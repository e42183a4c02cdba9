from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.redis.attempts import LONGEST_ID, read, write
from relay.core.event import Attempt, EntryClass

wild = st.text(st.characters(), max_size=LONGEST_ID)
attempts = st.builds(
    Attempt,
    klass=st.sampled_from(EntryClass),
    first_id=st.just("1770000000000-12"),
    last_id=st.just("1770000000001-0"),
    whole=st.booleans(),
    items=st.integers(1, 1000),
    at_ms=st.integers(0, 10**15),
    verdict=st.sampled_from(["delivered", "retry", "slow_down", "hold", "split", "dead_letter", "called_off"]),
    label=wild,
    request_id=wild | st.sampled_from(["%", "=", "", "|"]),
    log_id=wild | st.sampled_from(["%", "=", "", "|"]),
    number=st.integers(1, 10**15),
)


@given(attempts)
def test_a_call_is_read_as_it_was_written(attempt: Attempt) -> None:
    assert read(write(attempt)) == attempt
    same = attempt._replace(log_id=attempt.request_id)
    assert read(write(same)) == same


def test_ids_from_the_other_side_are_bounded() -> None:
    attempt = Attempt(EntryClass.CONVERSION, "1-0", "1-1", True, 2, 3, "retry", "x", "R" * 9999, "L" * 9999, 4)
    kept = read(write(attempt))
    assert kept is not None
    assert (len(kept.request_id), len(kept.log_id)) == (LONGEST_ID, LONGEST_ID)


@pytest.mark.parametrize(
    "text", [b"", b"c", b"x|1-0|1-1|1|2|3|retry|0|4|R|L", b"c|1-0|1-1|1|two|3|retry|0|4|R|L", b"\xff|" * 11]
)
def test_what_another_version_wrote_is_passed_over(text: bytes) -> None:
    assert read(text) is None
