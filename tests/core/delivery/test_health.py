from __future__ import annotations

from relay.core.delivery.health import Health


def feed(health: Health, pattern: str, *, start: float = 0.0, step: float = 0.1) -> list[bool]:
    return [health.heard(start + n * step, healthy=mark == ".") for n, mark in enumerate(pattern)]


def test_five_in_a_row() -> None:
    assert feed(Health(), "xxxx.xxxxx") == [False] * 9 + [True]


def test_half_of_twenty_in_the_window() -> None:
    assert feed(Health(), ".x" * 9 + ".") == [False] * 19
    assert feed(Health(), ".x" * 10)[-1]


def test_what_is_older_than_the_window_does_not_count() -> None:
    health = Health()
    feed(health, "xxx." * 4)
    assert feed(health, "..xx." * 4, start=60.0)[-1] is False


def test_reset_forgets() -> None:
    health = Health()
    feed(health, "xxxx")
    health.reset()
    assert feed(health, "xxxx", start=1.0) == [False] * 4
