"""What an event is worth in the books. TikTok never sees this figure: the mapping makes its own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from relay.core.event import NO_WORTH, JsonObject, Worth

MICROS = 1_000_000
LIMIT = 1e9  # units; more is a mistake, and sums must stay far from 64 bits
CODE_LENGTH = 3


class Appraisal(NamedTuple):
    """``odd`` is True when a value or currency was there but could not be used."""

    worth: Worth
    odd: bool


NOTHING = Appraisal(NO_WORTH, odd=False)
ODD = Appraisal(NO_WORTH, odd=True)


def appraise(event: JsonObject) -> Appraisal:
    """``properties.value``, else ``properties.revenue``, in ``properties.currency``."""
    properties = event.get("properties")
    if type(properties) is not dict:
        return NOTHING
    value = properties.get("value")
    if value is None:
        value = properties.get("revenue")
    if value is None or value == "":
        return NOTHING
    number = _number(value)
    if number is None or not -LIMIT <= number <= LIMIT:
        return ODD
    currency = _currency(properties.get("currency"))
    return Appraisal(Worth(round(number * MICROS), currency or ""), currency is None)


def _number(value: Any) -> int | float | None:
    """A finite number, also when written as a plain numeric string; never from a boolean."""
    if type(value) is int:
        return value  # as it is: an integer too large for a float is too large for the books as well
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            return None
    return value if type(value) is float and math.isfinite(value) else None


def _currency(value: Any) -> str | None:
    """Upper-case ISO 4217 shape, '' when missing, None when odd."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and len(value) == CODE_LENGTH and value.isascii() and value.isalpha():
        return value.upper()
    return None
