"""Directives that make text: @template, @case, @replace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from relay.core.javascript.text import from_units, halved, has_half, length, to_units, trim
from relay.core.mapping.budget import ITEM, Budget
from relay.core.mapping.directives.resolver import Compile, Resolver, constant, failing
from relay.core.mapping.errors import MappingError
from relay.core.mapping.paths import Steps, parse_steps, walk
from relay.core.mapping.values import UNDEFINED, JsonObject, exists, is_falsy, is_number, kind_of, text_of_value

_LONGEST = 10  # UTF-16 units of a pattern or replacement
_DOLLAR = re.compile(r"\$[$&`']")


def template(argument: Any, compiler: Compile) -> Resolver:
    """Text with placeholders filled in; always text."""
    budget = compiler.budget
    if type(argument) is str and next(_placeholders(argument, 3), None) is None:
        parts = _parts(argument, 2)
        return lambda payload: _filled(parts, payload, budget)
    resolve = compiler.value(argument) if type(argument) is not str else constant(argument)

    def filled(payload: Any) -> str:
        text = resolve(payload)
        if type(text) is not str:
            raise MappingError([f"@template: expected string, got {kind_of(text)}"])
        # Two passes, so that what triple braces insert is itself expanded, as in the original.
        once = _filled(_parts(text, 3), payload, budget)
        return _filled(_parts(once, 2), payload, budget)

    return filled


def _parts(text: str, braces: int) -> tuple[list[tuple[str, Steps]], str]:
    """What stands before each placeholder, with the steps that it names, and what stands after the last."""
    parts, done = [], 0
    for start, end in _placeholders(text, braces):
        parts.append((text[done:start], parse_steps(trim(text[start + braces : end - braces]))))
        done = end
    return parts, text[done:]


def _filled(template: tuple[list[tuple[str, Steps]], str], payload: Any, budget: Budget) -> str:
    parts, last = template
    pieces = []
    for before, steps in parts:
        value = walk(payload, steps)
        budget.spend_on(value)
        pieces += [before, _shown(value)]
    text = "".join([*pieces, last])
    budget.spend(len(text))
    return text


def _shown(value: Any) -> str:
    return text_of_value(value) if exists(value) else ""


def _placeholders(text: str, braces: int) -> Iterator[tuple[int, int]]:
    """Where ``{{…}}`` stand: from the first braces to the next closing one, if enough of those follow each other.

    Looked for by hand, because a pattern looks again from each of thousands of braces that nobody closes.
    """
    opening, closing = "{" * braces, "}" * braces
    start = text.find(opening)
    while start >= 0:
        close = text.find("}", start + braces)
        if close < 0:
            return
        end = close + 1
        if close > start + braces and text.startswith(closing, close):
            end = close + braces
            yield start, end
        start = text.find(opening, end)


def case(argument: Any, compiler: Compile) -> Resolver:
    """Text in lower or upper case; other values unchanged."""
    if type(argument) is not dict:
        return failing('@case requires an object with a "operator" key')
    operator = argument.get("operator")
    if is_falsy(operator):
        return failing('@case requires a "operator" key')
    if is_falsy(argument.get("value")):
        return constant(UNDEFINED)
    resolve = compiler.value(argument["value"])
    changes: dict[Any, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}
    change, budget = changes.get(operator) if type(operator) is str else None, compiler.budget

    def changed(payload: Any) -> Any:
        value = resolve(payload)
        if type(value) is not str:
            return value
        budget.spend(len(value))
        if change is None:
            raise MappingError(['operator key should have a value of "lower" or "upper"'])
        return change(value)

    return changed


def replace(argument: Any, compiler: Compile) -> Resolver:
    """Plain text replaced, once or twice in turn."""
    if type(argument) is not dict:
        return failing('@replace requires an object with a "pattern" key')
    if is_falsy(argument.get("pattern")):
        return failing('@replace requires a "pattern" key')
    if is_falsy(argument.get("value")):
        return constant(UNDEFINED)
    resolve = compiler.value(argument["value"])
    turns = _turns(argument, compiler.budget)

    def replaced(payload: Any) -> str:
        value = resolve(payload)
        if type(value) is bool or is_number(value):
            value = text_of_value(value)
        if type(value) is not str or turns is None:
            return ""
        for turn in turns:
            value = turn(value)
        return value

    return replaced


def _turns(options: JsonObject, budget: Budget) -> list[Callable[[str], str]] | None:
    """One or two replacements with the same flags; None where an option has the wrong type (nobody checks lists)."""
    ignore_case = _option(options, "ignorecase", otherwise=False)
    everywhere = _option(options, "global", otherwise=True)
    first = options["pattern"], _option(options, "replacement", otherwise="")
    second = options.get("pattern2"), _option(options, "replacement2", otherwise="")
    if not (_are(str, *first) and _are(bool, ignore_case, everywhere)):
        return None
    pairs = [first, second] if second[0] and _are(str, *second) else [first]
    return [
        _replacement(pattern, new, budget, ignore_case=ignore_case, everywhere=everywhere) for pattern, new in pairs
    ]


def _are(kind: type, *values: Any) -> bool:
    return all(type(value) is kind for value in values)


def _option(options: JsonObject, name: str, *, otherwise: Any) -> Any:
    value = options.get(name)
    return otherwise if value is None else value


def _replacement(
    pattern: str, new: str, budget: Budget, *, ignore_case: bool, everywhere: bool
) -> Callable[[str], str]:
    too_long = next(
        (name for name, text in (("pattern", pattern), ("replacement", new)) if length(text) > _LONGEST), None
    )
    by_unit = has_half(pattern)
    fold = _folded if ignore_case else str
    needle = fold(halved(pattern) if by_unit else pattern)

    def replace_in(text: str) -> str:
        if too_long:
            raise MappingError([f'@replace requires a "{too_long}" less than {_LONGEST} characters'])
        budget.spend(len(text))
        text = halved(text) if by_unit else text
        haystack = fold(text)
        pieces, done = [], 0
        found = haystack.find(needle)
        while found >= 0:
            end = found + len(needle)
            inserted = _expanded(new, text, found, end)
            budget.spend(ITEM + len(inserted))
            pieces += [text[done:found], inserted]
            done = end
            found = haystack.find(needle, end) if everywhere else -1
        replaced = "".join([*pieces, text[done:]])
        return from_units(to_units(replaced)) if by_unit else replaced

    return replace_in


def _expanded(new: str, text: str, start: int, end: int) -> str:
    """The ``$`` sequences of JavaScript's ``String.prototype.replace`` without groups."""
    if "$" not in new:
        return new
    parts = {"$$": "$", "$&": text[start:end], "$`": text[:start], "$'": text[end:]}
    return _DOLLAR.sub(lambda found: parts[found[0]], new)


def _folded(text: str) -> str:
    return "".join(map(_fold, text))


def _fold(char: str) -> str:
    """How an ignore-case RegExp without the u flag compares: single units, never from outside ASCII into it."""
    upper = char.upper()
    if len(upper) != 1 or char > "\uffff" or (char > "\x7f" and upper <= "\x7f"):
        return char
    return upper
