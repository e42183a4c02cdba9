from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.event import NO_WORTH, Worth
from relay.core.segment.worth import LIMIT, MICROS, appraise


def worth_of(**properties: Any) -> tuple[Worth, bool]:
    return appraise({"properties": properties})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"value": 19.99, "currency": "usd"}, Worth(19_990_000, "USD")),
        ({"revenue": 337, "currency": "EUR"}, Worth(337_000_000, "EUR")),
        ({"value": 1, "revenue": 2}, Worth(1_000_000)),
        ({"value": None, "revenue": "2.50"}, Worth(2_500_000)),
        ({"value": 0}, Worth(0)),
        ({"revenue": -5, "currency": ""}, Worth(-5_000_000)),
        ({"value": 1e9, "currency": None}, Worth(10**15)),
        ({"value": 0.1 + 0.2}, Worth(300_000)),
    ],
)
def test_what_counts(properties: dict[str, Any], expected: Worth) -> None:
    assert worth_of(**properties) == (expected, False)


@pytest.mark.parametrize("properties", [{}, {"value": None}, {"revenue": ""}, {"currency": "USD"}, {"total": 7}])
def test_nothing_is_not_odd(properties: dict[str, Any]) -> None:
    assert worth_of(**properties) == (NO_WORTH, False)


@pytest.mark.parametrize(
    "value", ["$19.90", "1,337.00", "337,00 EUR", True, [], {}, 1e10, -1e10, 10**400, float("inf"), "nan", "Infinity"]
)
def test_an_odd_value_is_ignored_and_said(value: Any) -> None:
    assert worth_of(value=value, currency="USD") == (NO_WORTH, True)


@pytest.mark.parametrize("currency", ["$", "US", "DOLLARS", 840, "ÄÖÜ", True, {}])
def test_an_odd_currency_leaves_the_value(currency: Any) -> None:
    assert worth_of(value=1, currency=currency) == (Worth(1_000_000), True)


@pytest.mark.parametrize("properties", [None, [], "x", 7])
def test_odd_properties(properties: Any) -> None:
    assert appraise({"properties": properties}) == (NO_WORTH, False)


@given(st.one_of(st.floats(), st.integers(), st.text(), st.booleans()), st.one_of(st.none(), st.text(), st.integers()))
def test_the_books_stay_far_from_64_bits(value: Any, currency: Any) -> None:
    worth, _ = worth_of(value=value, currency=currency)
    assert abs(worth.micros) <= LIMIT * MICROS
    assert worth.currency == "" or (len(worth.currency) == 3 and worth.currency.isupper())
