"""Values of a template: those of a mapping, and four words of the language that are more than values.

Comparison, truth and conversion are liquidjs's, which are JavaScript's except where these words are concerned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

from relay.core.javascript.numbers import double, number_of
from relay.core.javascript.text import from_units, length, to_units, trim, unit_at
from relay.core.mapping.errors import MappingError
from relay.core.mapping.liquid.errors import Fault
from relay.core.mapping.values import UNDEFINED, is_index, is_number, text_of_value

Test = Callable[[Any, Any], bool]


class Word(Enum):
    """``nil``, ``empty``, ``blank``, and what ``block`` means inside a block."""

    NIL = "nil"
    EMPTY = "empty"
    BLANK = "blank"
    BLOCK = "block"

    def __repr__(self) -> str:
        return "[object Object]"  # what JavaScript shows where it does not know these words


_PLAIN: dict[Word, Any] = {Word.NIL: None, Word.EMPTY: "", Word.BLANK: "", Word.BLOCK: Word.BLOCK}


def plain(value: Any) -> Any:
    """The value behind a word; other values are their own."""
    return _PLAIN[value] if type(value) is Word else value


def is_nil(value: Any) -> bool:
    """Undefined, null, or the word for it."""
    return value is UNDEFINED or value is None or value is Word.NIL


def is_true(value: Any) -> bool:
    """Only false and nil are false."""
    return value is not False and not is_nil(value)


def text_of(value: Any) -> str:
    """``String(value)``."""
    try:
        return text_of_value(plain(value))
    except MappingError as problem:
        raise Fault(str(problem)) from None


def joined_text(value: Any) -> str:
    """``String(value)`` where JavaScript does it by itself, and does not know the words of the language."""
    return repr(value) if type(value) is Word else text_of(value)


def number(value: Any) -> float:
    """``Number(value)``."""
    value = plain(value)
    if is_number(value):
        return double(value)
    if value is None or type(value) is bool:
        return float(bool(value))
    return math.nan if value is UNDEFINED else number_of(text_of(value))


def number_or_zero(value: Any) -> float:
    """How number filters read their operands: what is no number is 0."""
    found = number(value)
    return 0.0 if math.isnan(found) else found


def integer(value: Any, least: int, most: int) -> int:
    """An index or count as JavaScript's string functions take it: cut to a whole number within bounds."""
    found = number_or_zero(value)
    return math.trunc(max(least, min(most, found)))


def added(left: Any, right: Any) -> Any:
    """``left + right``: joined when one of them is text."""
    left, right = _primitive(plain(left)), _primitive(plain(right))
    if type(left) is str or type(right) is str:
        return text_of(left) + text_of(right)
    return number(left) + number(right)


def whole(text: str) -> str:
    """Halves of a character that meet in a text are one again."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return from_units(to_units(text))
    return text


def equal(left: Any, right: Any) -> bool:
    """``==``: strict, lists by element, objects only when they are the same one."""
    for word, other in ((left, right), (right, left)):
        if type(word) is Word and word is not Word.BLOCK:
            return _matches(word, other)
    if type(left) is list:
        return type(right) is list and len(left) == len(right) and all(map(equal, left, right))
    if is_number(left) and is_number(right):
        return double(left) == double(right)
    if type(left) is not type(right):
        return False
    return left == right if type(left) is str else left is right


def _matches(word: Word, value: Any) -> bool:
    if word is Word.NIL:
        return is_nil(value)
    if word is Word.BLANK and (value is False or is_nil(value) or (type(value) is str and not trim(value))):
        return True
    # Neither word equals itself or the other.
    return type(value) in {str, list, dict} and not value


def contains(left: Any, right: Any) -> bool:
    """An element of a list, or a part of a text."""
    left = plain(left)
    if type(left) is list:
        return any(equal(item, right) for item in left)
    return type(left) is str and text_of(right) in left


def _ordered(test: Test) -> Test:
    """Two texts by their units, anything else by number; the words of the language are never in order."""

    def compare(left: Any, right: Any) -> bool:
        if type(left) is Word or type(right) is Word:
            return False
        left, right = _primitive(left), _primitive(right)
        if type(left) is str and type(right) is str:
            return test(_by_units(left), _by_units(right))
        return test(number(left), number(right))

    return compare


def _by_units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _primitive(value: Any) -> Any:
    return text_of(value) if type(value) in {list, dict, Word} else value


less: Test = _ordered(lambda left, right: bool(left < right))
greater: Test = _ordered(lambda left, right: bool(left > right))
less_or_equal: Test = _ordered(lambda left, right: bool(left <= right))
greater_or_equal: Test = _ordered(lambda left, right: bool(left >= right))


def member(value: Any, key: Any) -> Any:
    """An own member. A member of nothing is that nothing."""
    kind = type(value)
    if kind is dict and type(key) is str:
        found = value.get(key, UNDEFINED)
        return len(value) if found is UNDEFINED and key == "size" else found
    if value is None or value is UNDEFINED:
        return value
    key = plain(key)
    if kind is list and is_number(key):
        return element(value, key)
    name = text_of(key)
    found = own(value, name)
    return _derived(value, name) if found is UNDEFINED else found


def own(value: Any, name: str) -> Any:
    """What ``hasOwnProperty`` finds of an object, a list or a text."""
    if type(value) is dict:
        return value.get(name, UNDEFINED)
    if type(value) is list:
        if name == "length":
            return len(value)
        return element(value, int(name)) if is_index(name) else UNDEFINED
    if type(value) is str:
        count = length(value)
        if name == "length":
            return count
        return unit_at(value, int(name)) if is_index(name) and int(name) < count else UNDEFINED
    return UNDEFINED


def element(value: list[Any], index: float) -> Any:
    """An element; negative indexes count from the end."""
    at = double(index) + len(value) if index < 0 else double(index)
    return value[int(at)] if 0 <= at < len(value) and at.is_integer() else UNDEFINED


def _derived(value: Any, name: str) -> Any:
    """Members that the language adds."""
    if name == "size" and type(value) in {list, str, dict}:
        return length(value) if type(value) is str else len(value)
    if type(value) is list and name in {"first", "last"}:
        return element(value, 0 if name == "first" else -1)
    return UNDEFINED
