from __future__ import annotations

import pytest

from relay.core.delivery.governor import Governor, Presumed
from relay.core.tiktok.reply import Reply
from relay.core.tiktok.verdict import Judgement, judge
from tests.twins.tiktok import BAD_GATEWAY, OK, THROTTLED

GOOD, FAILED, SLOW = judge(OK, 2), judge(BAD_GATEWAY, 2), judge(THROTTLED, 2)


def second(governor: Governor, now: float, judgement: Judgement = GOOD, *, busy: bool = True) -> float:
    """One second of calls, as many at once as allowed (or one at a time)."""
    for tenth in range(10):
        start = now + tenth / 10
        calls = governor.limit if busy else 1
        for _ in range(calls):
            governor.started(start)
        for _ in range(calls):
            governor.answered(judgement, start, start + 0.05)
    return now + 1.0


def levels(governor: Governor, now: float, seconds: int, *, busy: bool = True) -> list[int]:
    found = []
    for n in range(seconds):
        second(governor, now + n, busy=busy)
        found.append(governor.limit)
    return found


def fail(governor: Governor, now: float, times: int) -> list[str]:
    found = []
    for _ in range(times):
        governor.started(now)
        found.append(governor.answered(FAILED, now, now))
    return found


def test_slow_start_doubles_each_clean_second_up_to_the_last_good_level_then_adds_one() -> None:
    governor = Governor()
    assert levels(governor, 100.0, 7) == [1, 2, 4, 8, 16, 16, 16]
    assert fail(governor, 107.0, 3) == ["", "", "http_502"]
    assert governor.limit == 8
    governor.restart()
    assert governor.limit == 1
    assert levels(governor, 107.0, 8) == [2, 4, 8, 9, 10, 11, 12, 13]


def test_an_idle_destination_learns_nothing() -> None:
    governor = Governor()
    assert levels(governor, 100.0, 3) == [1, 2, 4]
    assert levels(governor, 103.0, 6, busy=False) == [8, 8, 8, 8, 8, 8]  # its last busy second still counts


def test_calls_in_flight_together_cut_once() -> None:
    governor = Governor()
    governor.limit = 16
    for _ in range(16):
        governor.started(1.0)
    reasons = [governor.answered(FAILED, 1.0, 1.5) for _ in range(16)]
    assert (governor.limit, governor.in_flight) == (8, 0)
    assert [reason for reason in reasons if reason] == ["http_502"]


@pytest.mark.parametrize(("every", "settled"), [(20, 16), (2, 1)])
def test_a_few_failures_among_many_calls_do_not_slow_down_but_many_do(every: int, settled: int) -> None:
    governor = Governor()
    for call in range(400):
        now = 100.0 + call / 20
        while governor.in_flight < governor.limit:
            governor.started(now)
        governor.answered(FAILED if call % every == 0 else GOOD, now, now)
    assert governor.limit == settled


def test_throttling_pauses_longer_each_time_until_something_is_accepted() -> None:
    governor, now, pauses, presumed = Governor(), 0.0, [], []
    for _ in range(12):
        governor.started(now)
        governor.answered(SLOW, now, now)
        pauses.append(governor.paused_for(now))
        presumed.append(governor.presumed)
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 900, 900]
    assert presumed == 4 * [Presumed.PER_SECOND] + 6 * [Presumed.PER_MINUTE] + 2 * [Presumed.PER_DAY]
    stormy = governor.storm
    governor.started(now)
    governor.answered(GOOD, now, now)
    assert (stormy, governor.storm, governor.presumed) == (True, False, Presumed.NONE)
    governor.started(now + 1)
    governor.answered(SLOW, now + 1, now + 1)
    assert governor.paused_for(now + 1) == 1


def test_who_is_woken_knocks_at_once_and_learns_no_less() -> None:
    governor = Governor()
    for now in (0.0, 1.0):
        governor.started(now)
        governor.answered(SLOW, now, now)
    governor.woken()
    assert not governor.paused_for(1.5)
    governor.started(1.5)
    governor.answered(SLOW, 1.5, 1.6)
    assert governor.paused_for(1.6) == pytest.approx(4)


def test_throttled_calls_of_one_moment_are_one_throttling() -> None:
    governor = Governor()
    governor.limit = 16
    for _ in range(16):
        governor.started(1.0)
    for _ in range(16):
        governor.answered(SLOW, 1.0, 1.1)
    assert governor.paused_for(1.1) == 1
    assert not governor.storm


def test_retry_after_is_a_floor() -> None:
    governor = Governor()
    governor.started(0.0)
    governor.answered(judge(Reply(429, None, retry_after=30.0), 2), 0.0, 0.0)
    assert governor.paused_for(0.0) == 30


def test_never_above_the_ceiling() -> None:
    governor, now, calls = Governor(calls_per_s=20), 0.0, []
    while now < 10:
        wait = governor.wait_for_rate(now)
        if wait:
            now += wait
            continue
        governor.started(now)
        governor.answered(GOOD, now, now)
        calls.append(now)
    for start in range(1, 9):
        assert sum(start <= at < start + 1 for at in calls) in (19, 20, 21)


def test_a_limit_that_was_never_announced_is_learned() -> None:
    """TikTok takes 20 calls in each second and throttles the others: soon hardly any is refused."""
    governor, now, by_second = Governor(), 0.0, dict[int, list[bool]]()
    while now < 60:
        wait = max(governor.paused_for(now), governor.wait_for_rate(now))
        if wait:
            now += wait
            continue
        calls = by_second.setdefault(int(now), [])
        calls.append(sum(calls) < 20)
        governor.started(now)
        governor.answered(GOOD if calls[-1] else SLOW, now, now)
        now += 0.005
    late = [calls for at, calls in by_second.items() if at >= 20]
    assert sum(len(calls) - sum(calls) for calls in late) / sum(map(len, late)) < 0.05
    assert sum(map(sum, late)) > 0.8 * 20 * 40 * 0.85


@pytest.mark.parametrize("judgement", [GOOD, FAILED, SLOW])
def test_calls_in_flight_are_counted_down_whatever_the_answer(judgement: Judgement) -> None:
    governor = Governor()
    governor.started(0.0)
    full = governor.room
    governor.answered(judgement, 0.0, 1.0)
    assert (full, governor.room) == (False, True)
    governor.started(5.0)
    governor.stopped()
    assert governor.in_flight == 0


def gaps(governor: Governor, now: float, shares: tuple[int, ...]) -> list[float]:
    """Seconds between two calls, with so many replicas one after the other."""
    found = []
    for number, replicas in enumerate(shares):
        governor.share(replicas)
        governor.started(now + number)
        found.append(governor.wait_for_rate(now + number))
        governor.stopped()
    return found


def test_replicas_share_one_budget_and_give_back_what_they_took() -> None:
    assert gaps(Governor(calls_per_s=20.0), 100.0, (1, 2, 4, 1, 0)) == pytest.approx([0.05, 0.1, 0.2, 0.05, 0.05])


def test_what_throttling_taught_is_shared_too() -> None:
    governor = Governor(calls_per_s=20.0)
    for tenth in range(10):
        governor.started(100.0 + tenth / 10)
        governor.answered(GOOD, 100.0 + tenth / 10, 100.0 + tenth / 10)
    governor.started(101.0)
    governor.answered(SLOW, 101.0, 101.0)
    (learned,) = gaps(governor, 110.0, (1,))
    assert learned > 0.1
    assert gaps(governor, 120.0, (2, 1)) == pytest.approx([2 * learned, learned])
