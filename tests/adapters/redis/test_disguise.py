from __future__ import annotations

import re
from typing import Any

import pytest

from relay.adapters.redis.disguise import Disguise


def disguised(event: Any) -> Any:
    return Disguise().event(event)


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        ({"email": "Jo.Doe@x.org"}, r"[A-Z][a-z]\.[A-Z][a-z]{2}@[a-z]\.[a-z]{3}"),
        ({"customer": {"notes": ["Ab 12"]}}, r"[A-Z][a-z] \d\d"),
        ({"request_ip": "203.0.113.9"}, r"\d{3}\.\d\.\d{3}\.\d"),
        ({"device": {"id": "AB-77"}}, r"[A-Z]{2}-\d\d"),
        ({"userId": "0b1e5f0a-0000-4000-8000-00000000000c"}, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ({"x": "call +49 170 1234567 now"}, r"call \+\d\d \d{3} \d{7} now"),
        (
            {"x": "https://a.example/p?mail=jo%40x.org&utm_source=tt"},
            r"https://a\.example/p\?mail=.{8,10}&utm_source=tt",
        ),
    ],
)
def test_a_personal_value_has_the_same_shape_and_is_another(event: dict[str, Any], shape: str) -> None:
    before: Any = event
    after = disguised(event)
    while not isinstance(before, str):
        before, after = (next(iter(one.values())) if isinstance(one, dict) else one[0] for one in (before, after))
    assert re.fullmatch(shape, after), after
    assert after != before


def test_what_is_nobody_s_stays() -> None:
    event = {
        "type": "track",
        "event": "Order Completed",
        "timestamp": "2026-01-31T10:00:00.123Z",
        "context": {"userAgent": "Chrome/127.0.0.0", "library": {"name": "a.js", "version": "1.2.3.4"}, "ok": True},
        "properties": {"name": "Wild Hammock", "price": 87.99, "url": "https://a.example/p/wild", "none": None},
    }
    assert disguised(event) == event


def test_numbers_and_repetitions_and_keys_are_exchanged_as_well() -> None:
    event = {"traits": {"first": "Ximena", "phone": 491701234567}, "hello": "Dear XIMENA!", "by": {"jo@x.org": 1}}
    made = disguised(event)
    assert made["traits"]["phone"] != 491701234567
    assert "ximena" not in repr(made).lower()
    assert "jo@x.org" not in made["by"]
    assert made["hello"].startswith("Dear ")
