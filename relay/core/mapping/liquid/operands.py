"""Operands of a template: words, texts, numbers, ranges and names with their members, each turned into a closure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.core.mapping.liquid.cursor import DEEPEST, Cursor, word_pattern
from relay.core.mapping.liquid.rendering import ELEMENT, Rendering
from relay.core.mapping.liquid.values import Word, member, number

Evaluate = Callable[[Rendering], Any]


@dataclass(frozen=True, slots=True)
class Operand:
    """``text`` is how it is written, ``constant`` whether it is the same for every payload."""

    evaluate: Evaluate
    text: str
    constant: bool

    def value(self) -> Any:
        """The value of a constant."""
        return self.evaluate(_NOTHING)


_NOTHING = Rendering(None, None)  # what constants are evaluated with
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "nil": Word.NIL,
    "null": Word.NIL,
    "empty": Word.EMPTY,
    "blank": Word.BLANK,
}
_WORD = word_pattern(*_WORDS)


def read_value(cursor: Cursor) -> Operand | None:
    """One operand: a word, text, range, number or name, with its members. None when there is none."""
    cursor.skip_blanks()
    start = cursor.at
    cursor.depth += 1
    if cursor.depth > DEEPEST:
        cursor.fail("expression nested too deeply")
    base = _literal(cursor) or _range(cursor)
    keys = _members(cursor, named=base is None)
    cursor.depth -= 1
    text = cursor.text[start : cursor.at]
    if not keys:
        return Operand(base[0], text, base[1]) if base else None
    return Operand(_lookup(base[0], keys) if base else _path(keys), text, constant=False)


def read_path(text: str) -> Evaluate | None:
    """Names alone, as the filter ``where`` takes them."""
    keys = _members(Cursor(text), named=True)
    return _path(keys) if keys else None


_Base = tuple[Evaluate, bool]


def _constant(value: Any) -> _Base:
    return (lambda _run: value), True


def _literal(cursor: Cursor) -> _Base | None:
    word = cursor.match(_WORD)
    if word:
        return _constant(_WORDS[word[0]])
    text = cursor.quoted()
    if text is not None:
        return _constant(text)
    found = cursor.number()
    return None if found is None else _constant(found)


def _range(cursor: Cursor) -> _Base | None:
    """``(1..3)``; neither parentheses nor anything else stands in for it."""
    if cursor.peek() != "(":
        return None
    cursor.at += 1
    low = _demanded(cursor)
    cursor.skip_blanks()
    if not (cursor.take() == "." and cursor.take() == "."):
        cursor.fail("invalid range syntax")
    high = _demanded(cursor)
    cursor.skip_blanks()
    if cursor.take() != ")":
        cursor.fail("invalid range syntax")

    def numbers(run: Rendering) -> list[float]:
        first, last = number(low(run)), number(high(run))
        count = last + 1 - first
        run.use(ELEMENT * count)
        return [first + step for step in range(math.ceil(count))] if count > 0 else []

    return numbers, False


def _demanded(cursor: Cursor) -> Evaluate:
    value = read_value(cursor)
    if value is None:
        cursor.fail(f"unexpected token {cursor.shown()}, value expected")
    return value.evaluate


def _members(cursor: Cursor, *, named: bool) -> list[Operand]:
    """``name.member["key"][0]``; without ``named`` only what follows a value."""
    keys: list[Operand] = []
    while True:
        if cursor.peek() == "[":
            keys.append(_bracketed(cursor))
        elif named and not keys and (name := cursor.name()):
            keys.append(_key(name))
        elif cursor.peek() == "." and cursor.peek(1) != ".":  # two dots are a range
            cursor.at += 1
            name = cursor.name()
            if not name:
                return keys
            keys.append(_key(name))
        else:
            return keys


def _key(name: str) -> Operand:
    return Operand(lambda _run: name, name, constant=True)


def _bracketed(cursor: Cursor) -> Operand:
    cursor.at += 1
    key = read_value(cursor) or _key("")
    if not cursor.past("]"):
        cursor.fail("[ not closed")
    return key


def _lookup(base: Evaluate, keys: list[Operand]) -> Evaluate:
    def look(run: Rendering) -> Any:
        value = base(run)
        for key in keys:
            value = member(value, key.evaluate(run))
        return value

    return look


def _path(keys: list[Operand]) -> Evaluate:
    first, rest = keys[0], keys[1:]
    if not all(key.constant for key in keys):
        root = first.evaluate
        return _lookup(lambda run: run.root(root(run)), rest)
    names = [key.value() for key in keys]
    name, others = names[0], tuple(names[1:])

    def at(run: Rendering) -> Any:
        value = run.root(name)
        for other in others:
            value = member(value, other)
        return value

    return at
