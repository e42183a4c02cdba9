from __future__ import annotations

import pytest

from relay.core.delivery.clocks import DAY_S, HOUR_MS, Clocks
from relay.core.event import DeadReason

NOW = 1_770_000_000_000


def ended(
    clocks: Clocks, *, age_s: int = 0, received_h: float = 0, first_h: float | None = None, released: bool = False
) -> DeadReason | None:
    result = clocks.ended(
        event_time_s=NOW // 1000 - age_s,
        received_ms=int(NOW - received_h * HOUR_MS),
        first_ms=0 if first_h is None else int(NOW - first_h * HOUR_MS),
        now_ms=NOW,
        released=released,
    )
    return result and result[0]


@pytest.mark.parametrize(
    ("age_s", "max_age_s", "reason"),
    [
        (7 * DAY_S, 7 * DAY_S, None),
        (7 * DAY_S + 1, 7 * DAY_S, DeadReason.EXPIRED),
        (28 * DAY_S, 99 * DAY_S, None),
        (28 * DAY_S + 1, 99 * DAY_S, DeadReason.EXPIRED),  # whatever is configured
        (-60, 7 * DAY_S, None),
    ],
)
def test_event_time(age_s: int, max_age_s: int, reason: DeadReason | None) -> None:
    assert ended(Clocks(max_age_s), age_s=age_s) is reason


@pytest.mark.parametrize(
    ("shared", "received_h", "first_h", "reason"),
    [
        (False, 100, None, None),  # never sent, nobody else sends: any age will do
        (True, 44, None, None),
        (True, 44.01, None, DeadReason.OVERLAP),
        (False, 100, 44, None),
        (False, 100, 44.01, DeadReason.AMBIGUOUS),
        (True, 100, 44.01, DeadReason.AMBIGUOUS),
        (True, 100, 1, DeadReason.OVERLAP),
    ],
)
def test_received_and_first(shared: bool, received_h: float, first_h: float | None, reason: DeadReason | None) -> None:  # noqa: FBT001
    assert ended(Clocks(shared=shared), received_h=received_h, first_h=first_h) is reason


def test_what_was_released_only_grows_too_old() -> None:
    assert ended(Clocks(shared=True), received_h=100, first_h=100, released=True) is None
    assert ended(Clocks(), age_s=7 * DAY_S + 1, released=True) is DeadReason.EXPIRED


def test_without_an_event_time_only_the_other_clocks_count() -> None:
    assert Clocks().ended(event_time_s=None, received_ms=0, first_ms=0, now_ms=NOW) is None


def test_the_message_says_how_old_is_too_old() -> None:
    result = Clocks(3 * DAY_S).ended(event_time_s=0, received_ms=NOW, first_ms=0, now_ms=NOW)
    assert result is not None
    assert "3 days" in result[1]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("max_age_s", [3600, 7 * 86_400, 90 * 86_400])
def test_what_is_kept_longest_is_what_may_just_be_sent(shared: object, max_age_s: int) -> None:
    clocks, now_ms = Clocks(max_age_s, shared=bool(shared)), 10**13

    def may_be_sent(age_s: float) -> bool:
        received_ms = now_ms - int(age_s * 1000)
        ended = clocks.ended(event_time_s=received_ms // 1000, received_ms=received_ms, first_ms=0, now_ms=now_ms)
        return ended is None

    assert may_be_sent(clocks.kept_s)
    assert not may_be_sent(clocks.kept_s + 1)
