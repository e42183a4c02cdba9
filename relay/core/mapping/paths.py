"""Paths of Segment's mapping language: ``$.properties.products[0]['name']``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from relay.core.javascript.text import length, unit_at
from relay.core.mapping.values import UNDEFINED, Function, JsonObject, is_falsy, is_index

Steps = tuple[str, ...]

_BREAKS = re.compile(r"""\.|\[(?=["'0-9])|(?<=["'0-9])\]+""")
_QUOTES = str.maketrans("", "", "\"'")
# JavaScript's built-in members are undefined here but for those of strings: a text where an object is expected
# (``"properties": "…"``) must be refused as Segment refuses it ("Trim of the Vehicle … was a function").
_STRING_MEMBERS = frozenset({
    "anchor", "at", "big", "blink", "bold", "charAt", "charCodeAt", "codePointAt", "concat", "endsWith", "fontcolor",
    "fontsize", "fixed", "includes", "indexOf", "isWellFormed", "italics", "lastIndexOf", "link", "localeCompare",
    "match", "matchAll", "normalize", "padEnd", "padStart", "repeat", "replace", "replaceAll", "search", "slice",
    "small", "split", "strike", "sub", "substr", "substring", "sup", "startsWith", "toWellFormed", "trim", "trimStart",
    "trimEnd", "toLocaleLowerCase", "toLocaleUpperCase", "toLowerCase", "toUpperCase",
})  # fmt: skip


def parse_path(text: str) -> Steps:
    """Steps of an @path or @arrayPath: the first ``$.`` is dropped wherever it stands."""
    return parse_steps(text.replace("$.", "", 1))


def parse_steps(text: str) -> Steps:
    """Steps of a placeholder. ``""`` and ``"."`` are the payload itself, as is a path of nothing but dots."""
    return tuple(piece.translate(_QUOTES) for piece in _BREAKS.split(text) if piece)


def walk(value: Any, steps: Steps) -> Any:
    """Follow the steps; a falsy value on the way is the answer, a missing member is UNDEFINED."""
    for step in steps:
        if type(value) is dict:
            value = value.get(step, UNDEFINED)
        elif is_falsy(value):
            return value
        else:
            value = _member(value, step)
    return value


def is_builtin(key: str) -> bool:
    """Whether a key may lead somewhere in a text or a list."""
    return key == "length" or key in _STRING_MEMBERS or is_index(key)


def stand_in(keys: Iterable[str]) -> Callable[[Any], JsonObject]:
    """From a value that is no object to one in which these keys lead where one more step of a path would lead."""
    names = tuple(keys)
    builtin = tuple(filter(is_builtin, names))

    def made(value: Any) -> JsonObject:
        if is_falsy(value):
            return dict.fromkeys(names, value)
        return {key: found for key in builtin if (found := _member(value, key)) is not UNDEFINED}

    return made


def _member(value: Any, step: str) -> Any:
    """A member of a list or a truthy string; other values have none."""
    if type(value) is list:
        if step == "length":
            return len(value)
        return value[int(step)] if is_index(step) and int(step) < len(value) else UNDEFINED
    if type(value) is str:
        if step == "length":
            return length(value)
        if is_index(step):
            return unit_at(value, int(step)) if int(step) < length(value) else UNDEFINED
        return Function(step) if step in _STRING_MEMBERS else UNDEFINED
    return UNDEFINED
