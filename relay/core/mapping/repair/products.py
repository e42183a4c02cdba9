"""Lists of products that were written as something else: JSON text, or an object with the numbers as its keys."""

from __future__ import annotations

from typing import Any

import orjson

from relay.core.mapping.paths import Steps, parse_path, walk
from relay.core.mapping.values import UNDEFINED, JsonObject, is_index

LONGEST = 32_768  # characters of JSON text; a Segment event has at most 32 KB (Segment sheet section 2.2)


def list_roots(mapping: Any, names: frozenset[str]) -> tuple[Steps, ...]:
    """Where the mapping looks for the lists of objects that it puts into the fields of these ``names``."""
    roots: dict[Steps, None] = {}
    for name in names & mapping.keys() if type(mapping) is dict else ():
        source = mapping[name]
        arguments = source.get("@arrayPath") if type(source) is dict else None
        if type(arguments) is list and arguments and type(arguments[0]) is str and (steps := parse_path(arguments[0])):
            roots[steps] = None
    return tuple(roots)


def unfold(event: JsonObject, roots: tuple[Steps, ...]) -> JsonObject:
    """The event with readable lists at ``roots``; the very same event when there is nothing to unfold."""
    for steps in roots:
        value = walk(event, steps)
        unfolded = _list_of(value)
        if unfolded is not UNDEFINED:
            event = _put(event, steps, unfolded)
    return event


def _list_of(value: Any) -> Any:
    """The list that ``value`` stands for, UNDEFINED if it is one already or none at all."""
    if type(value) is str:
        read = _parsed(value)
        return [read] if _is_plain_object(read) else _numbered(read) if type(read) is dict else read
    if type(value) is dict and not _is_plain_object(value):
        return _numbered(value)
    if type(value) is list and any(type(item) is str for item in value):
        read_items = [_parsed(item) if type(item) is str else item for item in value]
        return read_items if all(type(item) is dict for item in read_items) else UNDEFINED
    return UNDEFINED


def _parsed(text: str) -> Any:
    """The object or list that the text is JSON of, else UNDEFINED."""
    if len(text) > LONGEST or text.lstrip()[:1] not in ("{", "["):
        return UNDEFINED
    try:
        return orjson.loads(text)
    except ValueError:  # also what nests too deeply, and lone surrogates
        return UNDEFINED


def _is_plain_object(value: Any) -> bool:
    return type(value) is dict and not (value and all(map(is_index, value)))


def _numbered(value: JsonObject) -> Any:
    """Members in the order of their numbers, if all of them are objects."""
    members = [value[key] for key in sorted(value, key=int)]
    return members if all(type(member) is dict for member in members) else UNDEFINED


def _put(event: JsonObject, steps: Steps, value: Any) -> JsonObject:
    """A copy of the event with ``value`` at ``steps``; everything beside the way is shared."""
    first, *rest = steps
    if not rest:
        return {**event, first: value}
    inner = event.get(first)
    return {**event, first: _put(inner, tuple(rest), value)} if type(inner) is dict else event
