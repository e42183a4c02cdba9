from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.javascript.numbers import number_of
from relay.core.mapping.repair.amounts import amount
from relay.core.mapping.repair.rules import Rule

MONEY, THOUSANDS, COMMA = Rule.MONEY, Rule.THOUSANDS, Rule.DECIMAL_COMMA


@pytest.mark.parametrize(
    ("text", "number", "rules"),
    [
        ("$19.90", "19.90", (MONEY,)),
        ("19.90 USD", "19.90", (MONEY,)),
        ("12 eur", "12", (MONEY,)),
        ("US$ 3", "3", (MONEY,)),
        ("-$5.00", "-5.00", (MONEY,)),
        ("$-5", "-5", (MONEY,)),
        ("− 5", "-5", (MONEY,)),
        ("$.99", "0.99", (MONEY,)),
        ("Rs.500", "500", (MONEY,)),
        ("5 kr.", "5", (MONEY,)),
        ("19,- €", "19", (MONEY,)),
        ("$12.", "12", (MONEY,)),
        ("1.234,-", "1234", (MONEY, THOUSANDS)),
        ("1.234,-- €", "1234", (MONEY, THOUSANDS)),
        ("12.500 KWD".replace(".500", ".5"), "12.5", (MONEY,)),
        ("1,234", "1234", (THOUSANDS,)),
        ("1,234.50", "1234.50", (THOUSANDS,)),
        ("1.234.567", "1234567", (THOUSANDS,)),
        ("12,34,567.50", "1234567.50", (THOUSANDS,)),
        ("19,90", "19.90", (COMMA,)),
        ("0,234", "0.234", (COMMA,)),
        ("1234,567", "1234.567", (COMMA,)),
        ("$1,234", "1234", (MONEY, THOUSANDS)),
        ("CHF 1'200.-", "1200", (MONEY, THOUSANDS)),
        ("1.234,50 €", "1234.50", (MONEY, THOUSANDS, COMMA)),
        ("R$ 1.299,00", "1299.00", (MONEY, THOUSANDS, COMMA)),
        ("1 234,56 kr", "1234.56", (MONEY, THOUSANDS, COMMA)),
        ("1\u00a0234\u202f567 zł", "1234567", (MONEY, THOUSANDS)),
    ],
)
def test_what_people_write(text: str, number: str, rules: tuple[Rule, ...]) -> None:
    assert amount(text) == (number, rules)


@pytest.mark.parametrize(
    "text",
    [
        *("", "£", "free", "12abc", "1,2,3", "1..2", "1,234,5", "1e5", "5.00.", "12 34", "$5 USD", "€ 1.234", "١٢"),
        *("3 for 2", "9" * 65, "12,500 TND", "1.500 KWD", "12.34,-"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_not_read(text: str) -> None:
    assert amount(text) is None


@given(st.text(st.sampled_from("0123456789.,'  -−$€kr.USDR"), max_size=20))
def test_whatever_is_read_is_a_number_of_the_same_digits(text: str) -> None:
    found = amount(text)
    if found is not None:
        assert math.isfinite(number_of(found[0]))
        kept = [char for char in found[0] if char.isdigit()]
        written = [char for char in text if char.isdigit()]
        assert kept in (written, ["0", *written])
        assert found[1]


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", ".")]))
def test_an_amount_survives_being_written(whole: int, cents: int, marks: tuple[str, str]) -> None:
    group, point = marks
    written = f"{whole:,}".replace(",", group) + f"{point}{cents:02d} EUR"
    found = amount(written)
    assert found is not None
    assert number_of(found[0]) == whole + cents / 100
