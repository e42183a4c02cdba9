"""Filters of lists. What is no list is one of a single element; nil is an empty one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relay.core.javascript.text import cut, length
from relay.core.mapping.liquid.errors import demand
from relay.core.mapping.liquid.operands import read_path
from relay.core.mapping.liquid.rendering import ELEMENT, EXCEEDED, Rendering
from relay.core.mapping.liquid.values import (
    added,
    element,
    equal,
    integer,
    is_nil,
    is_true,
    joined_text,
    member,
    number,
    number_or_zero,
    own,
    plain,
    text_of,
    whole,
)
from relay.core.mapping.values import UNDEFINED, is_falsy, is_number

_LONGEST = 1e8  # a part longer than this fails in liquidjs, however short the value


def _list_of(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    return [] if is_nil(value) else [plain(value)]


def join(run: Rendering, value: Any, separator: Any = UNDEFINED, *_: Any) -> str:
    """Elements as JavaScript's text of them, so that lists inside are joined with commas."""
    items = _list_of(value)
    mark = " " if is_nil(separator) else run.text(separator)
    texts = ["" if item is None or item is UNDEFINED else joined_text(item) for item in items]
    run.use(sum(map(len, texts)) + len(mark) * (len(texts) - 1))
    return whole(mark.join(texts))


def _at(index: int) -> Callable[..., Any]:
    """An end of a list or text; '' for what has no ends."""

    def end(_run: Rendering, value: Any, *_: Any) -> Any:
        value = plain(value)
        if type(value) is list:
            return element(value, index)
        count = own(value, "length")
        if is_falsy(value) or not is_number(count):
            return ""
        return own(value, text_of(index if index >= 0 else count + index))

    return end


def size(_run: Rendering, value: Any, *_: Any) -> Any:
    """Length of a list or text; 0 for everything else, but for objects with a member ``length``."""
    if type(value) is list:
        return len(value)
    count = own(value, "length")
    return 0 if is_falsy(count) else count


def total(run: Rendering, value: Any, name: Any = UNDEFINED, *_: Any) -> float:
    """The sum of what is a number among the elements, or among one member of each."""
    path = [] if is_falsy(name) else run.text(name).split(".")
    result = 0.0
    run.use(ELEMENT * len(path) * len(_list_of(value)))
    for item in _list_of(value):  # one by one: Python's own sum makes up for rounding, JavaScript does not
        found = item
        for step in path:
            found = member(found, step)
        result += number_or_zero(found)
    return result


def compact(_run: Rendering, value: Any, *_: Any) -> list[Any]:
    """Without nils."""
    return [item for item in _list_of(value) if not is_nil(item)]


def push(_run: Rendering, value: Any, item: Any = UNDEFINED, *_: Any) -> list[Any]:
    """One element more at the end."""
    return [*_list_of(value), item]


def unshift(_run: Rendering, value: Any, item: Any = UNDEFINED, *_: Any) -> list[Any]:
    """One element more at the start."""
    return [item, *_list_of(value)]


def pop(_run: Rendering, value: Any, *_: Any) -> list[Any]:
    """Without the last element."""
    return _list_of(value)[:-1]


def shift(_run: Rendering, value: Any, *_: Any) -> list[Any]:
    """Without the first element."""
    return _list_of(value)[1:]


def part(run: Rendering, value: Any, begin: Any = UNDEFINED, count: Any = 1, *_: Any) -> Any:
    """A part of a list or text, by default of one element. A begin given as text is joined to the count, not added."""
    value = plain(value)
    if is_nil(value):
        return []
    items: list[Any] | str = value if type(value) is list else run.text(value)
    most = length(items) if isinstance(items, str) else len(items)
    first = added(most, begin) if number(begin) < 0 else begin
    count = 1 if count is UNDEFINED else count
    demand(not number(count) > _LONGEST, EXCEEDED)
    if number(first) < 0 or number(count) < 0:
        return items[:0]
    start, end = integer(first, -most, most), integer(added(first, count), -most, most)
    if isinstance(items, str):
        return cut(items, start, end)
    return items[start:end]


def sample(run: Rendering, value: Any, count: Any = 1, *_: Any) -> Any:
    """Segment draws at random; so that a mapping gives the same result every time, the first ones are drawn here."""
    value = plain(value)
    if is_nil(value):
        return []
    items = _list_of(value) if type(value) is list else list(run.text(value))
    if count is UNDEFINED or (is_number(count) and count == 1):
        return items[0] if items else UNDEFINED
    return items[: integer(count, -len(items), len(items))]


def where(run: Rendering, value: Any, path: Any = UNDEFINED, wanted: Any = UNDEFINED, *_: Any) -> list[Any]:
    """Elements whose member is true, or equals a value."""
    name = run.text(path)
    items, look = _list_of(value), read_path(name)
    run.use((ELEMENT + len(name)) * len(items))
    found = [look(run.of(item)) if look else UNDEFINED for item in items]
    if wanted is UNDEFINED:
        return [item for item, member_ in zip(items, found, strict=True) if is_true(member_)]
    return [item for item, member_ in zip(items, found, strict=True) if equal(member_, wanted)]


FILTERS: dict[str, Callable[..., Any]] = {
    "compact": compact,
    "first": _at(0),
    "join": join,
    "last": _at(-1),
    "pop": pop,
    "push": push,
    "sample": sample,
    "shift": shift,
    "size": size,
    "slice": part,
    "sum": total,
    "unshift": unshift,
    "where": where,
}
