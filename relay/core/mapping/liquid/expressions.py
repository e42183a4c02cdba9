"""Values, operators and filter chains of a template, each read once and turned into a closure.

The grammar is liquidjs's: operands that no operator takes are ignored (``{{ x upcase }}`` is x), ``and`` and ``or``
have equal precedence and group from the right, a comparison binds tighter than ``not``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from relay.core.mapping.liquid import values
from relay.core.mapping.liquid.cursor import Cursor, word_pattern
from relay.core.mapping.liquid.filters import FILTERS, Filter
from relay.core.mapping.liquid.operands import Evaluate, Operand, read_value
from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.values import is_true
from relay.core.mapping.values import UNDEFINED

_OPERATOR = re.compile(f"[=!]=|[<>]=?|{word_pattern('contains', 'not', 'and', 'or').pattern}")
_PRECEDENCE = {"not": 1, "and": 0, "or": 0}  # comparisons: 2
_BINARY: dict[str, values.Test] = {
    "==": values.equal,
    "!=": lambda left, right: not values.equal(left, right),
    "<": values.less,
    ">": values.greater,
    "<=": values.less_or_equal,
    ">=": values.greater_or_equal,
    "contains": values.contains,
    "and": lambda left, right: is_true(left) and is_true(right),
    "or": lambda left, right: is_true(left) or is_true(right),
}


def read_filtered(cursor: Cursor) -> Evaluate:
    """An expression with its filters, to the end of the tag."""
    value = _expression(cursor)
    if value is None:
        cursor.fail(f"invalid value expression: {cursor.shown()}")
    steps = []
    while step := _filter(cursor):
        steps += [step] if step.filter else []
    return _chain(value, steps) if steps else value


def _expression(cursor: Cursor) -> Evaluate | None:
    """Shunting yard with closures for operands; what is left over at the end is ignored but for the first."""
    operands: list[Evaluate] = []
    operators: list[str] = []
    while not cursor.done:
        cursor.skip_blanks()
        operator = cursor.match(_OPERATOR)
        if operator:
            rank = _PRECEDENCE.get(operator[0], 2)
            while operators and _PRECEDENCE.get(operators[-1], 2) > rank:
                _apply(operators.pop(), operands)
            operators.append(operator[0])
            continue
        operand = read_value(cursor)
        if operand is None:
            break
        operands.append(operand.evaluate)
    while operators:
        _apply(operators.pop(), operands)
    return operands[0] if operands else None


def _missing(_run: Rendering) -> Any:
    return UNDEFINED


def _apply(operator: str, operands: list[Evaluate]) -> None:
    right = operands.pop() if operands else _missing
    if operator == "not":
        operands.append(lambda run: not is_true(right(run)))
        return
    left = operands.pop() if operands else _missing
    test = _BINARY[operator]

    def compared(run: Rendering) -> bool:
        pair = left(run), right(run)
        _weigh(run, pair)
        return test(*pair)

    operands.append(compared)


def _weigh(run: Rendering, values: Iterable[Any]) -> None:
    for value in values:
        if type(value) is list:
            run.weigh(value)


@dataclass(frozen=True, slots=True)
class _Step:
    """One filter of a chain; ``filter`` is None for an unknown one, which is skipped."""

    filter: Filter | None
    arguments: tuple[Evaluate, ...]
    constants: Sequence[Any] | None


def _filter(cursor: Cursor) -> _Step | None:
    cursor.skip_blanks()
    if cursor.done:
        return None
    if cursor.take() != "|":
        cursor.fail('expected "|" before filter')
    name = cursor.name()
    if not name:
        if cursor.at < cursor.end:
            cursor.fail("expected filter name")
        return None
    cursor.skip_blanks()
    if not (cursor.done or cursor.peek() in {":", "|"}):
        cursor.fail('expected ":" after filter name')
    arguments = _arguments(cursor) if cursor.peek() == ":" else []
    known = all(argument.constant for argument in arguments)
    constants = tuple(argument.value() for argument in arguments) if known else None
    return _Step(FILTERS.get(name), tuple(argument.evaluate for argument in arguments), constants)


def _arguments(cursor: Cursor) -> list[Operand]:
    found: list[Operand] = []
    while cursor.peek() in {":", ","} and not cursor.done:
        cursor.at += 1
        argument = _argument(cursor)
        found += [argument] if argument else []
        cursor.skip_blanks()
        if not (cursor.done or cursor.peek() in {",", "|"}):
            cursor.fail(f"unexpected character {cursor.shown()}")
    return found


def _argument(cursor: Cursor) -> Operand | None:
    """A value, or a named one: those reach the filter as a list of name and value."""
    first = read_value(cursor)
    cursor.skip_blanks()
    if first is None or cursor.peek() != ":":
        return first
    cursor.at += 1
    name, value = first.text, read_value(cursor)
    evaluate = value.evaluate if value else _missing
    return Operand(lambda run: [name, evaluate(run)], name, constant=False)


def _chain(value: Evaluate, steps: list[_Step]) -> Evaluate:
    calls = [(step.filter, step.constants, step.arguments) for step in steps if step.filter]

    def filtered(run: Rendering) -> Any:
        found = value(run)
        for apply, constants, arguments in calls:
            if type(found) is list:
                run.weigh(found)
            values = constants
            if values is None:
                values = [argument(run) for argument in arguments]
                _weigh(run, values)
            found = apply(run, found, *values)
        return found

    return filtered
