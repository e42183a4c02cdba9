"""One value against one type: Segment's coercions and the words of its refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from relay.core.javascript.numbers import SAFE, double, for_json, number_of
from relay.core.mapping.values import UNDEFINED, is_number, kind_of, text_of_value
from relay.core.tiktok.fields.field import Field, Kind


class Findings:
    """What came up while a payload was checked. ``infinite``: titles of numbers that JSON cannot carry."""

    __slots__ = ("infinite", "problems")

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.infinite: list[str] = []


# From a value and where to report to the value as its type wants it (the value itself when it cannot).
Check = Callable[[Any, Findings], Any]
# The same with what messages call the value: a title, or the path of a list and a place in it.
NumberedCheck = Callable[[Any, Findings, str, int | None], Any]

_ARTICLE = {"integer": "an", "array": "an", "object": "an"}


def scalar(field: Field) -> Check:
    """A check of one value, which messages call by the field's title. What is usual is spared the long way."""
    general, title = numbered_scalar(field), field.title
    if field.kind is Kind.NUMBER:
        return _quick_number(general, title)
    if field.kind is Kind.STRING and not field.choices:
        return _quick_string(general, title)
    if field.kind is Kind.BOOLEAN:
        return lambda value, findings: value if type(value) is bool else general(value, findings, title, None)
    choices = frozenset(field.choices)
    return lambda value, findings: (
        value if type(value) is str and value in choices else general(value, findings, title, None)
    )


def _quick_string(general: NumberedCheck, title: str) -> Check:
    def check(value: Any, findings: Findings) -> Any:
        if type(value) is str:
            return value
        if type(value) is int and -SAFE <= value <= SAFE:
            return str(value)
        return general(value, findings, title, None)

    return check


def _quick_number(general: NumberedCheck, title: str) -> Check:
    def check(value: Any, findings: Findings) -> Any:
        kind = type(value)
        if kind is int:
            if -SAFE <= value <= SAFE:
                return value
        elif kind is float:
            if value % 1 > 0:  # a fraction: finite, and printed as JavaScript does
                return value
        elif kind is str and value and math.isfinite(number := number_of(value)):
            return for_json(number)
        return general(value, findings, title, None)

    return check


def numbered_scalar(field: Field) -> NumberedCheck:
    """A check of one value, named only when there is something to say: lists can be long."""
    kind, coerce, choices = field.kind, COERCIONS[field.kind], field.choices

    def check(value: Any, findings: Findings, title: str, index: int | None) -> Any:
        # A list of one stands for its element, once; the element is then what a message describes.
        subject = value[0] if type(value) is list and len(value) == 1 else value
        found = coerce(subject)
        if found is UNDEFINED:
            found = subject
            findings.problems.append(mismatch(_name(title, index), kind, subject))
        elif type(found) is float and math.isinf(found):
            findings.infinite.append(_name(title, index))
        if choices and (type(found) is not str or found not in choices):
            findings.problems.append(f"{_name(title, index)} must be {_choice_list(choices)}.")
        return found

    return check


def _name(title: str, index: int | None) -> str:
    return title if index is None else f"The value at {title}/{index}"


def mismatch(name: str, wanted: str, value: Any) -> str:
    """A type failure in Segment's words: "Price must be a number but it was a string."."""
    kind = kind_of(value)
    found = kind if kind in {"null", "undefined"} else f"{_ARTICLE.get(kind, 'a')} {kind}"
    return f"{name} must be {_ARTICLE.get(wanted, 'a')} {wanted} but it was {found}."


def _choice_list(choices: tuple[str, ...]) -> str:
    quoted = [f'"{choice}"' for choice in choices]
    if len(quoted) < 3:
        return f"one of: {' or '.join(quoted)}"
    return f"one of: {', '.join(quoted[:-1])}, or {quoted[-1]}"


def _string(value: Any) -> Any:
    if type(value) is str:
        return value
    if value is None:
        return ""
    return text_of_value(value) if type(value) is bool or is_number(value) else UNDEFINED


def _number(value: Any) -> Any:
    """A number as JSON should print it. Texts may be infinite, numbers may not."""
    if type(value) is int and -SAFE <= value <= SAFE:
        return value
    if is_number(value):
        return for_json(value) if math.isfinite(double(value)) else UNDEFINED
    if value is None or type(value) is bool:
        return int(bool(value))
    if type(value) is not str or not value:
        return UNDEFINED
    found = number_of(value)
    return UNDEFINED if math.isnan(found) else for_json(found)


def _integer(value: Any) -> Any:
    found = _number(value)
    if type(found) is not float:
        return found
    # Infinity passes, as it does in the original: its remainder is no number, and no number is falsy.
    return found if math.isinf(found) or found.is_integer() else UNDEFINED


def _boolean(value: Any) -> Any:
    if type(value) is bool:
        return value
    if value is None or (type(value) is str and value == "false") or (is_number(value) and value == 0):
        return False
    return True if (type(value) is str and value == "true") or (is_number(value) and value == 1) else UNDEFINED


COERCIONS: dict[Kind, Callable[[Any], Any]] = {
    Kind.STRING: _string,
    Kind.NUMBER: _number,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    # Objects are never made of anything else.
    Kind.OBJECT: lambda value: value if type(value) is dict else UNDEFINED,
}
