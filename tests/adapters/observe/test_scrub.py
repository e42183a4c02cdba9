from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.observe.scrub import LONGEST, harmless, scrubbed


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        ("data[2].user.email is invalid: jane.doe+x@example.com", "data[2].user.email is invalid: [email]"),
        ("bad phone +49 (170) 123-45 67", "bad phone [number]"),
        ("event_time 1770000000 is too old", "event_time [number] is too old"),
        ("ip 203.0.113.9 refused", "ip [ip] refused"),
        ("ip 2001:db8:0:1:aa:bb:cc:dd refused", "ip [ip] refused"),
        (f"hash {'a1' * 32} is no hash", "hash [hash] is no hash"),
        ("see https://shop.example/a?email=x&q=1 now", "see https://shop.example/a?[query] now"),
        ("'Jane Doe' is not allowed", "'[value]' is not allowed"),
        ('field "data[2].properties.value" must be a number', 'field "data[2].properties.value" must be a number'),
        ("missing required field 'event_id'", "missing required field 'event_id'"),
        ("Batch.0. has no event", "Batch.0. has no event"),
        ("Access token is incorrect or has been revoked.", "Access token is incorrect or has been revoked."),
    ],
)
def test_what_may_be_personal_goes_and_the_rest_stays(message: str, clean: str) -> None:
    assert scrubbed(message) == clean


@given(st.text(max_size=2000))
def test_any_text_becomes_one_bounded_line(text: str) -> None:
    line = harmless(scrubbed(text))
    assert len(line.splitlines()) <= 1
    assert all(char == " " or char.isprintable() or ord(char) > 0x9F for char in line)
    assert len(line) <= LONGEST + 40
    line.encode()


def test_a_forged_line_stays_inside_its_value() -> None:
    assert harmless("x\n{'level': 'info'}\x1b[2J\u2028\udc80") == "x\\n{'level': 'info'}\\x1b[2J\\u2028\\udc80"
