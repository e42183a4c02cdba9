"""From an item to an event: is it one, which is its id, and what does Segment's own door add to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from relay.core.event import Event, JsonObject
from relay.core.notices import Why
from relay.core.segment.envelope import deeper_than
from relay.core.segment.identity import identify
from relay.core.segment.timing import correct_time

# The path of the Tracking API names the type, in full and as the browser's short form; None: the items say it.
TYPE_BY_PATH = {
    "track": "track",
    "page": "page",
    "screen": "screen",
    "identify": "identify",
    "group": "group",
    "alias": "alias",
    "t": "track",
    "p": "page",
    "s": "screen",
    "i": "identify",
    "g": "group",
    "a": "alias",
    "batch": None,
    "import": None,
    "b": None,
}
# Segment fills context.ip from the connection for client-side libraries only (Segment sheet section 2.2).
CLIENT_LIBRARIES = frozenset(
    {
        "analytics.js",
        "analytics-ios",
        "analytics-swift",
        "analytics-android",
        "analytics-kotlin",
        "analytics-react-native",
        "@segment/analytics-react-native",
        "analytics-flutter",
        "analytics_flutter",
        "Analytics-CSharp",
        "Analytics.Xamarin",
    }
)
# RudderStack's SDKs say where they run in ``channel``, Jitsu's in ``context.library.env`` (Segment sheet section 7).
CLIENT_CHANNELS = frozenset({"web", "mobile"})
SERVER_CHANNELS = frozenset({"server", "sources"})


class Misfit(NamedTuple):
    """An item that is no event. ``raw`` is JSON, shortened to its plain top-level members when it nests too deeply."""

    why: Why
    raw: bytes


class Decoded:
    """The items of a request, each made into an event only when its turn comes: a huge batch must not stop the loop."""

    __slots__ = ("_finish", "_items")

    def __init__(self, items: Sequence[Any], finish: Callable[[Any], Event | Misfit]) -> None:
        self._items = items
        self._finish = finish

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Event | Misfit]:
        return map(self._finish, self._items)

    def __contains__(self, item: object) -> bool:
        return any(item == own for own in self)


class Arrival(NamedTuple):
    """What only the door of the Tracking API knows about an item. ``ip`` is '' when it must not be told."""

    received_ms: int
    kind: str | None = None
    sent_at: Any = None
    ip: str = ""


def webhook_event(item: Any, raw: bytes | None, max_depth: int) -> Event | Misfit:
    """An item that Segment has already processed. ``raw`` is its text, or None when it has to be written."""
    if raw is not None and type(item) is dict and _is_shallow(raw, max_depth):
        event_id = item.get("messageId")
        seen_from = "request_ip" in item or "requestIp" in item
        if type(event_id) is str and event_id and type(item.get("type")) is str and not seen_from:
            return Event(event_id, item, raw)  # as Segment sends nearly all of them: nothing is missing
    if raw is None:
        raw = _json_of(item)  # needed anyway, and its brackets are counted faster than a tree is walked
    misfit = _misfit(item, raw, max_depth)
    if misfit is not None:
        return misfit
    if type(item.get("type")) is not str:
        item, raw = {**item, "type": "track"}, None
    item, raw = _with_ip(item, raw)
    event_id = item.get("messageId")
    if type(event_id) is not str or not event_id:
        event_id = identify(item)
        if type(item.get("messageId")) is not int:  # a number is an id that the mapping turns into text itself
            item, raw = {**item, "messageId": event_id}, None
    return Event(event_id, item, orjson.dumps(item) if raw is None else raw)


def sdk_event(item: Any, arrival: Arrival, max_depth: int) -> Event | Misfit:
    """An item from an SDK, completed as Segment's ingestion would complete it; the write key is taken out."""
    if type(item) is dict and arrival.kind and type(item.get("type")) is not str:
        item = {**item, "type": arrival.kind}
    if _fault(item) or not _has_id(item):  # the depth comes first where an id has to be made of everything in it
        misfit = _misfit(item, None, max_depth)
        if misfit is not None:
            return misfit
    event = _completed(item, arrival)
    raw = _json_of(event)
    if raw is None or (not _is_shallow(raw, max_depth) and deeper_than(item, max_depth)):
        return Misfit(Why.TOO_DEEP, orjson.dumps(_outline(item)))
    return Event(event["messageId"], event, raw)


def _completed(item: JsonObject, arrival: Arrival) -> JsonObject:
    # Before anything is added: a repetition of this request must get the same derived id.
    event = {**item, "messageId": identify(item)}
    if type(item.get("type")) is not str:
        event["type"] = "track"
    event.pop("writeKey", None)
    event.update(correct_time(item, arrival.sent_at, arrival.received_ms))
    if arrival.ip and _wants_ip(item):
        event["context"] = {**item["context"], "ip": arrival.ip}
    return event


def _fault(item: Any) -> Why:
    """What makes ``item`` no event at first sight."""
    if type(item) is not dict:
        return Why.BAD_SHAPE
    if type(item.get("type")) is not str and type(item.get("event")) is not str:
        return Why.NOT_AN_EVENT
    return Why.NONE


def _misfit(item: Any, raw: bytes | None, max_depth: int) -> Misfit | None:
    why = _fault(item)
    if not why and (raw is None or not _is_shallow(raw, max_depth)) and deeper_than(item, max_depth):
        why = Why.TOO_DEEP
    return Misfit(why, _written(item, raw, max_depth)) if why else None


def _has_id(item: JsonObject) -> bool:
    own = item.get("messageId")
    return type(own) is str and own != ""


def _json_of(item: Any) -> bytes | None:
    """``item`` as JSON; None when it nests deeper than the 254 levels that orjson writes."""
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        return None


def _is_shallow(raw: bytes, max_depth: int) -> bool:
    """Whether it cannot nest too deeply: counting brackets runs at memory speed and nearly always settles it."""
    return raw.count(b"{") + raw.count(b"[") <= max_depth


def _written(item: Any, raw: bytes | None, max_depth: int) -> bytes:
    if raw is not None:
        return raw
    if deeper_than(item, max_depth):
        item = _outline(item)
    return orjson.dumps(item)


def _outline(item: Any) -> JsonObject:
    """Plain members of the top level: enough to recognise what it was, and shallow enough to be written."""
    members = item.items() if isinstance(item, dict) else ()
    return {name: value for name, value in members if not isinstance(value, dict | list)}


def _wants_ip(item: JsonObject) -> bool:
    """Whether the connection's address is the visitor's: client-side libraries, or ``context.direct``."""
    context = item.get("context")
    if not isinstance(context, dict) or context.get("ip"):
        return False
    if context.get("direct") is True or _text(item.get("channel")) in CLIENT_CHANNELS:
        return True
    library = context.get("library")
    if not isinstance(library, dict):
        return _text(library) in CLIENT_LIBRARIES
    return _text(library.get("name")) in CLIENT_LIBRARIES or library.get("env") == "browser"


def _with_ip(item: JsonObject, raw: bytes | None) -> tuple[JsonObject, bytes | None]:
    """The item and its text; no text when the item had to be changed."""
    if ip := _seen_from(item):
        return {**item, "context": {**(item.get("context") or {}), "ip": ip}}, None
    return item, raw


def _seen_from(item: JsonObject) -> str:
    """The visitor's address as RudderStack (``request_ip``) or Jitsu (``requestIp``) saw it; '' if it is no visitor's.

    Only where ``context.ip`` is empty, and never from a server's SDK: that would be the address of the shop.
    """
    ip = _text(item.get("request_ip") or item.get("requestIp"))
    context = item.get("context") or {}
    if not ip or not isinstance(context, dict) or context.get("ip") or _text(item.get("channel")) in SERVER_CHANNELS:
        return ""
    library = context.get("library")
    return "" if isinstance(library, dict) and library.get("env") == "node" else ip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
