from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.forecast import SETTLED_S, SPAN_S, Breach, Cohort, Trend, cohorts, drain_eta, full_eta, limit_breach


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


def test_a_sample_becomes_a_queue_that_adds_up() -> None:
    assert cohorts([(1_000, 3), (4_000, 0), (3_000, 1)], owed=4, now_ms=5_000) == [Cohort(4.0, 3.0), Cohort(2.0, 1.0)]
    queue = cohorts([(1_000, 6), (0, 5), (4_000, 0), (3_000, 3)], owed=105, now_ms=5_000)
    assert queue == [Cohort(4.0, 65.0), Cohort(1.0, 5.0), Cohort(2.0, 35.0)], "a third is empty, so some is spread"
    assert cohorts([(1_000, 0), (3_000, 0)], owed=8, now_ms=5_000) == [Cohort(4.0, 4.0), Cohort(2.0, 4.0)]
    assert cohorts([], 7, 5_000) == []
    assert cohorts([(9_000, 2)], 7, 5_000) == [Cohort(0.0, 7.0)], "a clock that was set back makes nobody younger"


def test_what_is_served_in_time_breaches_nothing() -> None:
    queue = [Cohort(90.0, 50), Cohort(10.0, 50)]
    assert limit_breach(queue, 100.0, -5.0) == Breach()
    assert limit_breach(queue, 100.0, -2.5) == Breach(25, 10.0), "the second half of the old ones is 10 s too late"
    assert limit_breach(queue, 100.0, None) == Breach(), "nobody can tell yet"


@pytest.mark.parametrize("rate", [0.0, 3.0])
def test_what_never_goes_passes_its_limit_some_day(rate: float) -> None:
    assert limit_breach([Cohort(90.0, 50), Cohort(10.0, 50)], 100.0, rate) == Breach(100, 10.0)


def test_what_is_past_its_limit_already_counts_at_once() -> None:
    assert limit_breach([Cohort(500.0, 3), Cohort(1.0, 3)], 100.0, -1000.0) == Breach(3, 0.0)


queues = st.lists(st.tuples(st.floats(0, 1000), st.integers(1, 40)).map(lambda one: Cohort(*one)), max_size=6)


@given(queues, st.floats(1, 1000), st.floats(0.01, 50))
def test_the_forecast_is_what_serving_one_by_one_gives(queue: list[Cohort], limit_s: float, rate: float) -> None:
    late, served, first_s = 0, 0, math.inf
    for age_s, entries in queue:
        for _ in range(int(entries)):
            served += 1
            if age_s + served / rate > limit_s:
                late += 1
                first_s = min(first_s, max(0.0, limit_s - age_s))
    found = limit_breach(queue, limit_s, -rate)
    assert abs(found.entries - late) <= len(queue) + 1, "an entry on its way counts in part"
    if late > len(queue):
        assert found.first_s <= first_s + 1e-6
