"""Numbers as JavaScript reads and prints them: every number is an IEEE double."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from relay.core.javascript.text import trim

SAFE = 2**53
# Digits can be matched in one way only, and are never given back: neighbours that both take them would need the square
# of a text's length to refuse it.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_RADIX = re.compile(r"0(?:[xX]([0-9a-fA-F]++)|[oO]([0-7]++)|[bB]([01]++))")
_BASES = (16, 8, 2)
_INFINITY = {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}


def double(number: float) -> float:
    """The double that stands for ``number``; whole numbers beyond every double are infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def number_of(text: str) -> float:
    """``Number(text)``: NaN when it is none, 0 when it is blank, infinity on overflow."""
    if _DECIMAL.fullmatch(text):
        return float(text)
    text = trim(text)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if found := _RADIX.fullmatch(text):
        which = (found.lastindex or 1) - 1
        return double(int(found[which + 1], _BASES[which]))
    return _INFINITY.get(text, math.nan)


def text_of(number: float) -> str:
    """``String(number)``: shortest digits that round-trip; exponents below 1e-6 and from 1e21 on."""
    if type(number) is int and -SAFE <= number <= SAFE:
        return str(number)
    number = double(number)
    if not math.isfinite(number):
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124 - NaN
    if number == 0:
        return "0"
    if 1e-4 <= abs(number) < 1e16:  # where Python writes no exponent either
        return repr(number).removesuffix(".0")
    sign = "-" if number < 0 else ""
    return sign + _laid_out(*_shortest(abs(number)))


def _shortest(number: float) -> tuple[str, int]:
    """Shortest digits and the place of the decimal point: 0.05 is ("5", -1), 1200.0 is ("12", 4)."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    dropped = len(whole + fraction) - len(digits)
    return digits.rstrip("0"), len(whole) + int(exponent or 0) - dropped


def _laid_out(digits: str, point: int) -> str:
    """ECMAScript Number::toString, from the digits and the place of the point."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def for_json(number: float) -> float:
    """The number to serialise: whole ones below 1e21 as an int with JavaScript's digits, minus zero as 0."""
    if type(number) is int and -SAFE <= number <= SAFE:
        return number
    number = double(number)
    if number.is_integer() and abs(number) < 1e21:
        return int(number) if -SAFE <= number <= SAFE else int(Decimal(repr(number)))
    return number
