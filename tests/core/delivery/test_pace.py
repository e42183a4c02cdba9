from __future__ import annotations

from relay.core.delivery.pace import HELD_S, Pace


def run(pace: Pace, seconds: float, takes: int, *, late: float = 0.0, start: float = 1000.0) -> dict[int, list[bool]]:
    """Calls as fast as the pace allows, each ``late``; TikTok takes so many in each second. A refusal costs one."""
    now, by_second = start, dict[int, list[bool]]()
    while now < start + seconds:
        if wait := pace.wait(now):
            now += wait + late
            continue
        calls = by_second.setdefault(int(now), [])
        calls.append(sum(calls) < takes)
        pace.started(now)
        if not calls[-1]:
            pace.failed(now)
            pace.throttled(now, now)
            now += 1.0
    return by_second


def test_no_second_has_more_calls_than_the_rate_wherever_it_begins() -> None:
    pace, now, starts = Pace(20.0), 5.0, []
    while now < 30.0:
        now += pace.wait(now) or 0.001
        if not pace.wait(now):
            pace.started(now)
            starts.append(now)
    assert all(sum(one <= other < one + 1.0 for other in starts) <= 20 for one in starts)
    assert len(starts) >= 25 * 19


def test_calls_that_are_a_little_late_cost_no_calls() -> None:
    calls = run(Pace(20.0), 20, 1000, late=0.03)
    assert sum(map(len, calls.values())) >= 20 * 19


def test_a_limit_is_learned_once_and_kept_for_a_while() -> None:
    calls = run(Pace(1000.0), HELD_S - 5, 20)
    refused = [second for second, taken in calls.items() if not all(taken)]
    assert len(refused) <= 6
    assert max(refused) <= 1015
    late = [len(taken) for second, taken in calls.items() if second > 1015]
    assert sum(late) / len(late) >= 0.8 * 20


def test_an_outgrown_limit_is_left_behind() -> None:
    pace = Pace(1000.0)
    run(pace, 20, 20)
    learned = pace.rate
    for second in range(200):
        pace.regain(1020.0 + second)
    assert learned < 20 < pace.rate


def test_the_last_refusals_of_a_trouble_know_the_limit_better() -> None:
    """Ten calls just before TikTok's second begins, twenty in it, then refusals until its end."""
    pace = Pace(1000.0)
    for at in (*(9.8 + n / 100 for n in range(10)), *(10.0 + n / 30 for n in range(20))):
        pace.started(at)
    pace.throttled(10.7, 10.8)
    first = pace.rate
    pace.throttled(10.95, 11.0, again=True)
    assert first > 20 > pace.rate > 18


def test_what_few_calls_taught_is_soon_doubted() -> None:
    pace = Pace(1000.0)
    for at in (10.0, 10.1, 10.2):
        pace.started(at)
    pace.failed(10.2)
    pace.throttled(10.2, 10.4)
    learned = pace.rate
    pace.regain(20.0)
    assert pace.rate == learned < 2
    pace.regain(23.0)
    assert pace.rate > learned


def test_a_refusal_with_nothing_taken_before_it_teaches_no_rate() -> None:
    pace = Pace(1000.0)
    pace.started(10.0)
    pace.failed(10.0)
    pace.throttled(10.0, 10.2)
    assert pace.rate == 1000.0


def test_one_refusal_does_not_shake_a_limit_that_held_but_a_second_one_does() -> None:
    pace = Pace(1000.0)
    run(pace, 20, 20)
    learned = pace.rate
    for late in (1032.0, 1036.0):  # seconds in which few calls had left before one was refused
        for call in range(8):
            pace.started(late + call / 20)
        pace.failed(late + 0.35)
        pace.throttled(late + 0.35, late + 0.5)
        pace.throttled(late + 0.34, late + 0.5, again=True)
        if late < 1035:
            assert pace.rate == learned, "calls came late, and all at once"
    assert pace.rate < 10
