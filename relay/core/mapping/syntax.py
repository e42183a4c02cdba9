"""How mappings are told apart: a directive object, plain data, and the fast shapes that presets are made of."""

from __future__ import annotations

from typing import Any

from relay.core.mapping.errors import MappingError
from relay.core.mapping.paths import Steps, parse_path
from relay.core.mapping.values import JsonObject, members_of

ROOT_KEY = "__segment_internal_directive"
METADATA = "_metadata"
MAX_DEPTH = 100  # levels of JSON in a mapping: far beyond use, well inside the interpreter's own stack
MAX_SIZE = 20_000  # values in a mapping; Segment's largest preset has 244


def directive_keys(value: Any) -> list[str]:
    """Keys with an @ of an object, else none."""
    return [key for key in value if key.startswith("@")] if type(value) is dict else []


def is_directive(value: Any) -> bool:
    """An object of @ keys and ``_metadata`` only; anything mixed is plain data."""
    return bool(directive_keys(value)) and all(key.startswith("@") or key == METADATA for key in value)


def static_path(mapping: Any) -> Steps | None:
    """Steps of ``{"@path": "text"}``; None for every other mapping."""
    if type(mapping) is dict and is_directive(mapping) and next(iter(directive_keys(mapping))) == "@path":
        text = mapping["@path"]
        return parse_path(text) if type(text) is str else None
    return None


def is_same(left: Any, right: Any) -> bool:
    """Equal as written, so that evaluating one is evaluating the other (1 is not true)."""
    return repr(left) == repr(right)


def demand_bounded(mapping: Any) -> None:
    """Refuse a mapping that is too deep to be walked or too large to be compiled; measured without recursion."""
    level, size = [mapping], 1
    for _ in range(MAX_DEPTH):
        size += sum(len(value) for value in level if type(value) in {dict, list})
        if size > MAX_SIZE:
            raise MappingError([f"/ holds more than {MAX_SIZE:,} values."])
        level = [member for value in level for member in _children(value)]
        if not level:
            return
    raise MappingError([f"/ is nested more than {MAX_DEPTH} levels deep."])


def _children(value: Any) -> list[Any]:
    if type(value) is dict:
        return list(value.values())
    return value if type(value) is list else []


def root_of(mapping: Any) -> JsonObject:
    """The mapping as an object, with ``__segment_internal_directive`` unfolded. Never changes its argument."""
    if mapping is None:
        raise MappingError(["Cannot convert undefined or null to object"])
    root = members_of(mapping)
    if ROOT_KEY not in root:
        return root
    directive = root[ROOT_KEY]
    if directive is None:
        raise MappingError(["Cannot convert undefined or null to object"])
    members = members_of(directive)
    if len(members) > 1:
        raise MappingError(["The root mapping must only have a single directive object"])
    name, options = next(iter(members.items()), ("", None))  # of a list its first item, as if it were an object
    if type(options) is list:
        return {name: options}  # what is stored on a list beside its items shows nowhere
    if type(options) is not dict:
        raise MappingError(["The root directive must be an object"])
    rest = {key: value for key, value in root.items() if key != ROOT_KEY}
    return {name: {**options, "mapping": rest}}
