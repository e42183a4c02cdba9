from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.javascript.numbers import for_json, number_of, text_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-7, "1e-7"),
        (1e-6, "0.000001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1.0, "1"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.5e300, "1.5e+300"),
        (-123456.789, "-123456.789"),
        (2**60, "1152921504606847000"),
        (9007199254740993, "9007199254740992"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_as_text(number: float, text: str) -> None:
    assert text_of(number) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        (" \ufeff\n", 0),
        (" 12 ", 12),
        ("0x1A", 26),
        ("0O17", 15),
        ("0b101", 5),
        ("1e3", 1000),
        (".5", 0.5),
        ("5.", 5),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("0x" + "f" * 400, math.inf),
        ("007", 7),
    ],
)
def test_texts_as_numbers(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text", ["1,234", "$5", "12abc", "1_000", "NaN", "-0x10", "infinity", ".", "1e", "٣", "\u001c1"]
)
def test_texts_that_are_no_numbers(text: str) -> None:
    assert math.isnan(number_of(text))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_text_of_a_number_reads_back_as_it(number: float) -> None:
    assert float(text_of(number)) == number
    assert number_of(text_of(number)) == number
    assert float(for_json(number)) == number
    assert not str(for_json(number)).endswith(".0") or abs(number) >= 1e16
