from __future__ import annotations

import pytest

from relay.simulator.control import Limits
from relay.simulator.limits import APP_LIMIT, DAY, PIXEL_LIMIT, Windows

NOON = 20_000 * DAY + DAY / 2


def calls(windows: Windows, limits: Limits, now: float, count: int) -> int:
    """How many of ``count`` calls at once are served."""
    return sum(windows.token("t", limits, now) is None for _ in range(count))


def test_the_next_second_is_free_again() -> None:
    windows, limits = Windows(), Limits(per_second=3)
    assert calls(windows, limits, NOON, 10) == 3
    assert calls(windows, limits, NOON + 0.9, 10) == 0
    assert calls(windows, limits, NOON + 1.0, 10) == 3


def test_over_a_minute_means_five_minutes_without_service() -> None:
    windows, limits = Windows(), Limits(per_minute=3)
    assert calls(windows, limits, NOON, 10) == 3
    assert calls(windows, limits, NOON + 299, 1) == 0
    assert calls(windows, limits, NOON + 300, 1) == 1


def test_over_a_day_means_until_midnight() -> None:
    windows, limits = Windows(), Limits(per_day=3)
    assert calls(windows, limits, NOON, 10) == 3
    assert calls(windows, limits, NOON + DAY / 2 - 1, 1) == 0
    assert calls(windows, limits, NOON + DAY / 2, 10) == 3


def test_tokens_and_pixels_have_limits_of_their_own() -> None:
    windows, limits = Windows(), Limits(per_second=1, per_pixel=1)
    for token in "ab":
        assert windows.token(token, limits, NOON) is None
        refused = windows.token(token, limits, NOON)
        assert refused is not None
        assert refused[0] == APP_LIMIT
    for pixel in "ab":
        assert windows.pixel(pixel, limits, NOON) is None
        refused = windows.pixel(pixel, limits, NOON)
        assert refused is not None
        assert refused[0] == PIXEL_LIMIT


@pytest.mark.parametrize("limits", [Limits(0, 0, 0, 0), Limits()])
def test_none_is_near(limits: Limits) -> None:
    assert calls(Windows(), limits, NOON, 1000) == 1000


def test_cleared_windows_start_afresh() -> None:
    windows, limits = Windows(), Limits(per_minute=1)
    assert calls(windows, limits, NOON, 5) == 1
    windows.clear()
    assert calls(windows, limits, NOON, 5) == 1
