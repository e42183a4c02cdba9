from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.segment.allowance import Allowance


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    allowance = Allowance(10, 3)
    assert [allowance.take(1, 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]
    assert allowance.take(1, 100.05) > 0
    assert allowance.take(1, 100.2) == 0.0


def test_a_request_larger_than_the_burst_passes_and_is_paid_for() -> None:
    allowance = Allowance(100, 50)
    assert allowance.take(500, 0.0) == 0.0
    assert allowance.take(1, 0.0) == 4.51
    assert allowance.take(1, 4.0) > 0
    assert allowance.take(1, 4.6) == 0.0


@given(st.floats(0.1, 1e4), st.integers(1, 1000), st.lists(st.tuples(st.integers(1, 50), st.floats(0, 2)), max_size=60))
def test_never_more_than_rate_and_burst_and_waiting_as_told_helps(
    rate: float, burst: int, asked: list[tuple[int, float]]
) -> None:
    allowance, now, passed, largest = Allowance(rate, burst), 0.0, 0, 0
    for events, gap in asked:
        now += gap
        wait = allowance.take(events, now)
        if wait:
            now += wait + 1e-6
            wait = allowance.take(events, now)
            assert wait < 1e-3
        if not wait:
            passed += events
            largest = max(largest, events)
    assert passed <= burst + largest + rate * now + 1e-6
