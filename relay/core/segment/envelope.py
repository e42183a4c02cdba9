"""From the bytes of a request to the items in it, whatever they are wrapped in (Segment sheet sections 1.3, 2.2 and 7).

Everything that leaves here can be written by orjson again: NaN and Infinity have become null, lone surrogates U+FFFD,
integers beyond 64 bits floats (as in JavaScript), and a text that orjson cannot read is never kept as it came.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

import orjson

from relay.core.event import JsonObject
from relay.core.notices import Why

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
UINT64_DIGITS = 20
# Lenient parsing takes up to a microsecond a value, and only ever meets what an SDK wrote.
LENIENT_VALUES = 200_000
LENIENT_LIMIT = 4 * 1024**2  # bytes; Segment itself takes half a megabyte
NOT_JSON = "the body is not JSON (an Extensible Webhook must not be set to send a form: its nested values are lost)"


class Unreadable(NamedTuple):
    """A body that holds no items. ``message`` is for the sender's developer and repeats nothing of the body."""

    why: Why
    message: str


class Envelope(NamedTuple):
    """The items of one request. ``raw`` is the text of the only item when the body is that item, word for word."""

    items: list[Any]
    raw: bytes | None = None
    sent_at: Any = None
    write_key: str = ""


def open_envelope(body: bytes, max_events: int) -> Envelope | Unreadable:
    """Read ``body`` and take the items out: a bare event, an array, ``{"batch": […]}``, each perhaps wrapped."""
    raw: bytes | None = body
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "limit" in error.msg:  # orjson stops at a depth of 1,024, and so would a second look
            return Unreadable(Why.TOO_DEEP, "the body is nested too deeply")
        raw = None
        value = _lenient(body)
        if type(value) is Unreadable:
            return value
    if type(value) is dict and "batch" not in value and len(value) > 1:
        return Envelope([value], raw, None, _text(value["writeKey"]) if "writeKey" in value else "")
    return _open_any(value, raw, max_events)


def values_in(body: bytes) -> int:
    """No more values than this come of ``body``; counted at memory speed, so commas within texts count as well."""
    return body.count(b",") + body.count(b"[") + body.count(b"{") + 1


def _open_any(value: Any, raw: bytes | None, max_events: int) -> Envelope | Unreadable:
    if isinstance(value, list):
        return _counted([_bare(item) for item in value], max_events)
    if not isinstance(value, dict):
        return Unreadable(Why.BAD_SHAPE, "the body must be an object or an array of objects")
    if "batch" in value and not isinstance(value.get("type"), str):
        return _open_batch(value, max_events)
    bare = _bare(value)
    if bare is value:
        return Envelope([value], raw, write_key=_text(value.get("writeKey")))
    if isinstance(bare, dict):
        return Envelope([bare], write_key=_text(bare.get("writeKey")))
    return _counted([_bare(item) for item in bare], max_events)


def _open_batch(value: JsonObject, max_events: int) -> Envelope | Unreadable:
    batch = value["batch"]
    if not isinstance(batch, list):
        return Unreadable(Why.BAD_SHAPE, "batch must be an array")
    common = {name: value[name] for name in ("context", "integrations") if isinstance(value.get(name), dict)}
    opened = _counted([_bare(item) for item in batch], max_events)
    if isinstance(opened, Unreadable):
        return opened
    items = [_merged(common, item) for item in opened.items] if common else opened.items
    return Envelope(items, None, value.get("sentAt"), _text(value.get("writeKey")))


def _counted(items: list[Any], max_events: int) -> Envelope | Unreadable:
    if not items:
        return Unreadable(Why.EMPTY_BATCH, "the batch is empty")
    if len(items) > max_events:
        return Unreadable(
            Why.TOO_MANY_EVENTS, f"more than {max_events} events in one request: send smaller batches (500 are plenty)"
        )
    return Envelope(items)


def _bare(item: Any) -> Any:
    """Unwrap ``{"json": …}`` and ``{"body": …}``; a form-encoded body is no object and stays wrapped."""
    if type(item) is dict and len(item) == 1:
        inner = item.get("json", item.get("body"))
        if isinstance(inner, dict | list):
            return inner
    return item


def _merged(common: JsonObject, item: Any) -> Any:
    """Members of the envelope's context and integrations that the item does not have itself."""
    if not isinstance(item, dict):
        return item
    merged = dict(item)
    for name, shared in common.items():
        own = item.get(name)
        merged[name] = {**shared, **own} if isinstance(own, dict) else shared
    return merged


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def deeper_than(value: Any, limit: int) -> bool:
    """Whether containers nest deeper than ``limit``; level by level, so that no input can exhaust our own stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return bool(level)


def _lenient(body: bytes) -> Any:
    """What Segment's own ingestion and the Python SDK take for JSON though the standard does not."""
    if len(body) > LENIENT_LIMIT or (len(body) > LENIENT_VALUES and values_in(body) > LENIENT_VALUES):
        return Unreadable(Why.BAD_JSON, "the body is not JSON by the standard, and too large for a second look")
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        value = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_nothing)
        if SURROGATE_ESCAPE.search(text):
            value = json.loads(LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        return Unreadable(Why.TOO_DEEP, "the body is nested too deeply")
    except ValueError:
        return Unreadable(Why.BAD_JSON, NOT_JSON)
    return value


def _integer(digits: str) -> int | float | None:
    if len(digits) <= UINT64_DIGITS:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return _finite(digits)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _nothing(_: str) -> None:
    """NaN, Infinity and -Infinity: null, as ``JSON.stringify`` writes them."""
