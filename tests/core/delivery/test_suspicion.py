from __future__ import annotations

from relay.core.delivery.suspicion import Suspicion


def test_five_different_singles_with_one_complaint() -> None:
    suspicion = Suspicion()
    assert [suspicion.refused(f"{n}-0", "40002 no", 0.0) for n in range(6)] == [False] * 4 + [True, True]


def test_the_same_single_again_proves_nothing() -> None:
    suspicion = Suspicion()
    assert not any(suspicion.refused("1-0", "40002 no", 0.0) for _ in range(10))


def test_different_complaints_are_about_events() -> None:
    suspicion = Suspicion()
    assert not any(suspicion.refused(f"{n}-0", f"40002 {n % 2}", 0.0) for n in range(20))


def test_what_was_accepted_clears_it_for_a_minute() -> None:
    suspicion = Suspicion()
    for n in range(4):
        suspicion.refused(f"{n}-0", "40002 no", 0.0)
    suspicion.accepted(1.0)
    assert not any(suspicion.refused(f"{n}-0", "40002 no", 60.9) for n in range(20))
    assert [suspicion.refused(f"{n}-0", "40002 no", 61.0) for n in range(5)][-1]


def test_two_alike_ask_for_a_proof_until_there_is_one() -> None:
    suspicion, doubts = Suspicion(), []
    for n in range(3):
        suspicion.refused(f"{n}-0", "40002 no", 0.0)
        doubts.append(suspicion.rising)
    suspicion.accepted(0.0)
    assert [*doubts, suspicion.rising] == [False, True, True, False]
