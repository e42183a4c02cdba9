from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from relay.core.forecast import SETTLED_S, SPAN_S, Trend, drain_eta, full_eta


def trend(*samples: tuple[float, float]) -> Trend:
    found = Trend()
    for at, quantity in samples:
        found = found.with_sample(at, quantity)
    return found


def test_a_rate_needs_time() -> None:
    assert Trend().rate is None
    assert trend((0, 5)).rate is None
    assert trend((0, 5), (SETTLED_S - 0.1, 50)).rate is None
    assert trend((0, 5), (SETTLED_S, 55)).rate == 50 / SETTLED_S


def test_a_rate_forgets_what_is_older_than_the_span() -> None:
    found = trend((0, 0), (10, 1000), (10 + SPAN_S, 1000))
    assert found.rate == 0.0
    assert len(found.samples) == 2


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(0, 10**9)), max_size=50))
def test_the_samples_stay_bounded_by_the_span(steps: list[tuple[float, int]]) -> None:
    found, at = Trend(), 0.0
    for step, quantity in steps:
        at += step
        found = found.with_sample(at, quantity)
        assert all(at - moment <= SPAN_S for moment, _ in found.samples)
        assert found.samples[-1] == (at, quantity)


def test_drain() -> None:
    assert drain_eta(owed=20, backlog=0, rate=5.0) == 0.0
    assert drain_eta(owed=100, backlog=90, rate=-20.0) == 5.0
    assert drain_eta(owed=100, backlog=90, rate=0.0) == math.inf
    assert drain_eta(owed=100, backlog=90, rate=3.0) == math.inf
    assert drain_eta(owed=100, backlog=90, rate=None) == math.inf


def test_full() -> None:
    assert full_eta(used=80, limit=100, rate=2.0) == 10.0
    assert full_eta(used=80, limit=0, rate=2.0) == math.inf
    assert full_eta(used=80, limit=100, rate=-2.0) == math.inf
    assert full_eta(used=80, limit=100, rate=None) == math.inf
    assert full_eta(used=100, limit=100, rate=None) == 0.0
