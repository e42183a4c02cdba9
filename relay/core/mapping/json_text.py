"""``JSON.stringify`` and ``JSON.parse``, where they differ from Python's."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson

from relay.core.javascript.numbers import text_of
from relay.core.mapping.values import UNDEFINED, Function, in_key_order

_EXACT_DIGITS = 15


def encoded(value: Any) -> Any:
    """Compact JSON text; UNDEFINED for what has none."""
    if value is UNDEFINED or isinstance(value, Function):
        return UNDEFINED
    if type(value) is str:
        # Python writes a lone surrogate in just the way that JSON escapes it.
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    if type(value) is dict:
        members = ((key, encoded(member)) for key, member in in_key_order(value).items())
        return "{" + ",".join(f"{encoded(key)}:{text}" for key, text in members if text is not UNDEFINED) + "}"
    if type(value) is list:
        texts = (encoded(item) for item in value)
        return "[" + ",".join("null" if text is UNDEFINED else text for text in texts) + "]"
    if value is None or type(value) is bool:
        return json.dumps(value)
    return text_of(value) if math.isfinite(_double(value)) else "null"


def compact(value: Any) -> bytes:
    """The same for what is sent: in C, but for lone surrogates, numbers past 64 bits and odder things."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        pass
    try:
        return orjson.dumps(_partly_written(value))
    except orjson.JSONEncodeError:
        return str(encoded(value)).encode()


def _partly_written(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _partly_written(member) for key, member in value.items()}
    if kind is list:
        return [_partly_written(item) for item in value]
    odd = not -(2**63) <= value < 2**64 if kind is int else kind is str and not value.isascii()
    return orjson.Fragment(encoded(value)) if odd else value


def decoded(value: Any) -> Any:
    """The JSON value of a text; whatever is not strict JSON is returned as it is."""
    if type(value) is not str:
        return value
    try:
        return json.loads(value, parse_int=_whole, parse_constant=_refuse, object_hook=in_key_order)
    except (ValueError, RecursionError):
        return value


def _whole(text: str) -> float:
    """Every number is a double; short ones are the same as integers."""
    return int(text) if len(text) <= _EXACT_DIGITS else float(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
