from __future__ import annotations

import pytest

from relay.core.delivery.asking import FEW_CALLS, FILL_CALLS, FILL_S, Asking
from relay.core.delivery.service import QUEUES

LIVE, BACKLOG, VIEWS, _ = QUEUES
LINGER, POLL = 0.05, 0.2


def asking(*, scarce: bool, backlog: float = 1.0) -> Asking:
    """At 10 s the backlog gave this, and the live conversions a few."""
    found = Asking(LINGER, POLL)
    found.answered(BACKLOG, backlog, 10.0, scarce=scarce)
    found.answered(LIVE, 0.1, 10.0, scarce=scarce)
    return found


def test_every_queue_is_asked_at_once() -> None:
    assert all(Asking(LINGER, POLL).due(queue, 0.0) for queue in QUEUES)


def test_a_short_queue_lingers_and_an_empty_one_is_polled() -> None:
    found = asking(scarce=False, backlog=0.1)
    found.answered(VIEWS, 0.0, 10.0, scarce=False)
    assert not any(found.due(queue, 10.0) for queue in (BACKLOG, LIVE, VIEWS))
    assert found.due(LIVE, 10.0 + LINGER)
    assert not found.due(VIEWS, 10.0 + LINGER)
    found.woken()
    assert found.due(VIEWS, 10.0 + LINGER)


def test_a_claim_that_filled_half_a_call_or_more_may_be_followed_by_another() -> None:
    assert asking(scarce=True, backlog=0.5).due(BACKLOG, 10.0)


def test_while_calls_are_scarce_a_short_queue_gathers_for_two_seconds() -> None:
    found = asking(scarce=True)
    found.woken()
    assert not found.due(LIVE, 10.0 + FILL_S - 0.1)
    assert found.due(LIVE, 10.0 + FILL_S)


@pytest.mark.parametrize(("scarce", "claims"), [(True, FILL_CALLS), (False, FEW_CALLS)])
def test_or_until_so_many_claims_went_to_others(*, scarce: bool, claims: int) -> None:
    found = asking(scarce=scarce)
    for _ in range(claims):
        assert not found.due(LIVE, 10.1)
        found.answered(BACKLOG, 1.0, 10.1, scarce=True)
    assert found.due(LIVE, 10.1)


def test_nobody_gathers_when_no_other_queue_fills_calls() -> None:
    assert asking(scarce=True, backlog=0.1).due(LIVE, 10.0 + LINGER)


def test_nobody_gathers_any_more_when_calls_are_left_over() -> None:
    found = asking(scarce=True)
    found.idle()
    assert found.due(LIVE, 10.0 + LINGER)


def test_what_came_back_is_asked_for_at_once() -> None:
    found = asking(scarce=True)
    found.came_back(LIVE)
    assert found.due(LIVE, 10.0)


def test_a_backlog_never_gathers() -> None:
    found = asking(scarce=True)
    found.answered(VIEWS, 1.0, 10.0, scarce=True)
    found.answered(BACKLOG, 0.1, 10.0, scarce=True)
    assert found.due(BACKLOG, 10.0 + LINGER)
