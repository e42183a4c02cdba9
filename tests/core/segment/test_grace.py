from __future__ import annotations

from relay.core.segment.grace import Grace, Patience

HOUR = 3_600_000


def test_patience_lasts_from_start_until_the_period_is_over() -> None:
    grace = Grace(0, 4 * HOUR)
    assert grace.failed("a", HOUR) == Patience(patient=True, since_ms=HOUR, tell=True)
    assert grace.failed("a", 4 * HOUR - 1).patient
    assert not grace.failed("a", 4 * HOUR).patient


def test_a_good_request_starts_the_period_anew() -> None:
    grace = Grace(0, 4 * HOUR)
    grace.good("a", 3 * HOUR)
    assert grace.failed("a", 7 * HOUR - 1).patient
    assert not grace.failed("a", 7 * HOUR).patient
    assert not grace.failed("b", 5 * HOUR).patient  # sources do not share their credit


def test_it_is_told_once_a_minute_even_between_good_requests() -> None:
    grace = Grace(0, 4 * HOUR)
    assert grace.failed("a", 1_000).tell
    grace.good("a", 2_000)
    assert grace.failed("a", 3_000) == Patience(patient=True, since_ms=3_000, tell=False)
    assert grace.failed("a", 60_999).tell is False
    assert grace.failed("a", 61_000) == Patience(patient=True, since_ms=3_000, tell=True)
    assert grace.failed("b", 61_000).tell
