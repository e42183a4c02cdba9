"""What a mapping computes with: JSON values, ``UNDEFINED``, and JavaScript's notions of truth and text."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Literal

from relay.core.javascript.numbers import text_of
from relay.core.javascript.text import from_units, to_units
from relay.core.mapping.errors import MappingError

JsonObject = dict[str, Any]


class _Undefined(Enum):
    UNDEFINED = "undefined"

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> Literal[False]:
        return False


UNDEFINED: Final = _Undefined.UNDEFINED


class Function:
    """A built-in member that a path found on a string. It fails every schema and vanishes from JSON."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"function {self.name}() {{ [native code] }}"


def is_falsy(value: Any) -> bool:
    """Undefined, null, false, 0, -0, NaN and '' — but never an empty list or object."""
    kind = type(value)
    if kind is dict or kind is list:
        return False
    return not value or value != value  # noqa: PLR0124 - NaN


def exists(value: Any) -> bool:
    """Neither undefined nor null."""
    return value is not None and value is not UNDEFINED


_KINDS: dict[type, str] = {
    _Undefined: "undefined",
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    Function: "function",
}


def kind_of(value: Any) -> str:
    """Type name as Segment's messages use it."""
    return _KINDS[type(value)]


def is_number(value: Any) -> bool:
    """A number; True and False are none."""
    return type(value) is int or type(value) is float


def text_of_value(value: Any) -> str:
    """``String(value)``."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is list:
        return ",".join(text_of_value(item) if exists(item) else "" for item in value)
    if kind is dict:
        if "toString" in value:
            raise MappingError(["Cannot convert object to primitive value"])
        return "[object Object]"
    if kind is bool:
        return "true" if value else "false"
    if is_number(value):
        return text_of(value)
    return "null" if value is None else "undefined" if value is UNDEFINED else repr(value)


def in_key_order(value: JsonObject) -> JsonObject:
    """JavaScript's own order of keys: canonical integers first, ascending; the rest as written."""
    numeric = [key for key in value if is_index(key)]
    if not numeric:
        return value
    order = sorted(numeric, key=int) + [key for key in value if not is_index(key)]
    return {key: value[key] for key in order}


def is_index(key: str) -> bool:
    """A canonical integer 0…4294967294, as written by ``String(n)``."""
    if not (key.isascii() and key.isdigit()) or len(key) > 10:
        return False
    return (key == "0" or key[0] != "0") and int(key) < 4_294_967_295


def members_of(value: Any) -> JsonObject:
    """What ``{...value}`` copies: members, elements and code units under their indexes, else nothing."""
    if type(value) is dict:
        return in_key_order(value)
    if type(value) is list:
        return {str(index): item for index, item in enumerate(value)}
    if type(value) is str:
        units = to_units(value)
        return {str(at // 2): from_units(units[at : at + 2]) for at in range(0, len(units), 2)}
    return {}


def without_undefined(value: Any) -> Any:
    """A copy without undefined members at any depth. Elements of lists stay, even undefined ones."""
    if type(value) is dict:
        return {key: without_undefined(item) for key, item in value.items() if item is not UNDEFINED}
    if type(value) is list:
        return [without_undefined(item) for item in value]
    return value
