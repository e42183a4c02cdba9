"""Filters of numbers: doubles throughout, and what is no number is 0."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.values import number, number_or_zero
from relay.core.mapping.values import UNDEFINED

_Unary = Callable[[float], float]
_Binary = Callable[[float, float], float]


def _unary(compute: _Unary) -> Callable[..., float]:
    return lambda _run, value, *_: compute(number_or_zero(value))


def _binary(compute: _Binary) -> Callable[..., float]:
    """Without its operand, the result is NaN."""

    def apply(_run: Rendering, value: Any, *arguments: Any) -> float:
        return compute(number_or_zero(value), number_or_zero(arguments[0])) if arguments else math.nan

    return apply


def _ceiling(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _quotient(dividend: float, divisor: float) -> float:
    """IEEE division, with a divisor of either zero."""
    if divisor:
        return dividend / divisor
    if not dividend or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def _remainder(value: float, divisor: float) -> float:
    """JavaScript's ``%``, of the sign of the value."""
    return math.fmod(value, divisor) if divisor and math.isfinite(value) and not math.isnan(divisor) else math.nan


def _modulo(value: float, divisor: float) -> float:
    """Of the sign of the divisor."""
    return _remainder(_remainder(value, divisor) + divisor, divisor)


def _extreme(choose: Callable[[list[float]], float]) -> Callable[..., float]:
    return lambda _run, *values: choose([number_or_zero(value) for value in values])


def divided_by(_run: Rendering, value: Any, *arguments: Any) -> float:
    """Float division; a second argument that is not 0 cuts the result down to a whole number."""
    if not arguments:
        return math.nan
    result = _quotient(number_or_zero(value), number_or_zero(arguments[0]))
    return _floor(result) if len(arguments) > 1 and number_or_zero(arguments[1]) else result


def rounded(_run: Rendering, value: Any, digits: Any = 0, *_: Any) -> float:
    """Half up, after a factor that lifts 1.005 over the half it was meant to be."""
    amplifier = _power_of_ten(number_or_zero(digits))
    scaled = number_or_zero(value) * amplifier * (1 + sys.float_info.epsilon)
    below = _floor(scaled)
    nearest = below + 1 if scaled - below >= 0.5 else below
    return _quotient(nearest, amplifier) if math.isfinite(amplifier) else math.nan


def _power_of_ten(exponent: float) -> float:
    try:
        return math.pow(10, exponent)
    except OverflowError:
        return math.inf


def to_integer(_run: Rendering, value: Any = UNDEFINED, *_: Any) -> float:
    """``Number(value)``: neither whole nor even a number necessarily."""
    return number(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _unary(abs),
    "at_least": _extreme(max),
    "at_most": _extreme(min),
    "ceil": _unary(_ceiling),
    "divided_by": divided_by,
    "floor": _unary(_floor),
    "minus": _binary(lambda left, right: left - right),
    "modulo": _binary(_modulo),
    "plus": _binary(lambda left, right: left + right),
    "round": rounded,
    "times": _binary(lambda left, right: left * right),
    "to_integer": to_integer,
}
