"""Conditions of a trigger as functions of the event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.core.javascript.numbers import number_of, text_of
from relay.core.javascript.text import halved, has_half
from relay.core.mapping.errors import TriggerError
from relay.core.mapping.paths import walk
from relay.core.mapping.values import UNDEFINED, exists, is_number

Condition = Callable[[Mapping[str, Any]], bool]
Subject = Callable[[Mapping[str, Any]], Any]
Value = str | float | bool

_NAME_BREAKS = re.compile(r"[.\[\]]")


def key(name: str) -> Subject:
    """A top-level key of the event."""
    return lambda event: event.get(name, UNDEFINED)


def member(parent: str, name: str) -> Subject:
    """A member of ``properties``, ``traits`` or ``context``. Keys with dots or brackets cannot be reached."""
    steps = tuple(piece for piece in _NAME_BREAKS.split(name) if piece)

    def found(event: Mapping[str, Any]) -> Any:
        if not steps:
            raise TriggerError(f"the trigger names no member of {parent}")
        return walk(event.get(parent, UNDEFINED), steps)

    return found


def text_of_operand(value: Value) -> str:
    """A value as the text operators see it."""
    if isinstance(value, str):
        return value
    return text_of(value) if is_number(value) else "true" if value else "false"


def _number_of_operand(value: Value) -> float:
    return number_of(value) if isinstance(value, str) else float(value)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "number_equals": lambda left, right: left == right,
    "number_not_equals": lambda left, right: left != right,
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "not_contains": lambda text, part: part not in text,
    "starts_with": str.startswith,
    "not_starts_with": lambda text, part: not text.startswith(part),
    "ends_with": str.endswith,
    "not_ends_with": lambda text, part: not text.endswith(part),
}
_PRESENCE: dict[str, Callable[[Any], bool]] = {
    "exists": exists,
    "not_exists": lambda found: not exists(found),
    "is_true": lambda found: found is True,
    "is_false": lambda found: found is False,
}


def condition(subject: Subject, operator: str, value: Value) -> Condition:
    """One comparison. An unknown operator is false; so is every text test of what is no text, negated or not."""
    if operator in _PRESENCE:
        present = _PRESENCE[operator]
        return lambda event: present(subject(event))
    if operator in {"=", "!="}:
        text = text_of_operand(value)
        if operator == "=":
            return lambda event: _is_text(subject(event), text)
        return lambda event: not _is_text(subject(event), text)
    if operator in _COMPARISONS:
        return _numeric(subject, _COMPARISONS[operator], _number_of_operand(value))
    if operator in _TEXT_TESTS:
        return _textual(subject, _TEXT_TESTS[operator], text_of_operand(value))
    # The subject is still looked up: a name without any step fails there.
    return lambda event: subject(event) is None and False


def _is_text(found: Any, text: str) -> bool:
    return type(found) is str and found == text


def _numeric(subject: Subject, compare: Callable[[float, float], bool], right: float) -> Condition:
    def holds(event: Mapping[str, Any]) -> bool:
        found = subject(event)
        return is_number(found) and compare(found, right)

    return holds


def _textual(subject: Subject, test: Callable[[str, str], bool], part: str) -> Condition:
    by_unit = has_half(part)  # what match() leaves of a character, for one
    wanted = halved(part) if by_unit else part

    def holds(event: Mapping[str, Any]) -> bool:
        found = subject(event)
        return type(found) is str and test(halved(found) if by_unit else found, wanted)

    return holds


def hole(_event: Mapping[str, Any]) -> bool:
    """An empty group: Segment fails when it gets there."""
    raise TriggerError("the trigger has an empty group")


def group(members: Sequence[Condition], *, every: bool) -> Condition:
    """All of them, or any; left to right, stopping as soon as it is decided."""
    if every:
        return lambda event: all(holds(event) for holds in members)
    return lambda event: any(holds(event) for holds in members)
