"""A file of subscriptions, brought to the one form that ``compile_destination`` takes.

Segment's Public API answers ``GET /destinations/{id}/subscriptions`` with ``{"data": {"subscriptions": […],
"pagination": …}}``, each with "trigger" and "settings", the latter as an object or as its JSON text. That whole
document, any inner part of it, and the shape of presets ("subscribe" and "mapping") are understood alike.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, NoReturn

from relay.core.mapping.errors import MappingError
from relay.core.mapping.values import JsonObject, kind_of

MOST_BYTES = 4 * 1024 * 1024
MOST_SUBSCRIPTIONS = 500  # Segment allows 50 for one destination
MOST_TRIGGER = 65_536  # characters; a trigger that Segment's editor makes has some hundred
_SIGNS = frozenset({"subscribe", "trigger", "mapping", "settings"})  # what only a subscription has


class Document(NamedTuple):
    """What a file holds: enabled subscriptions as ``{"name", "subscribe", "mapping"}``, and what is wrong with it."""

    subscriptions: list[JsonObject]
    disabled: int
    problems: list[str]


def read_document(raw: bytes) -> Document:
    """Never raises: whatever a file may hold is a subscription or a problem. Mappings are not looked into."""
    try:
        entries = _entries(_value(_text(raw)))
    except MappingError as error:
        return Document([], 0, error.errors)
    problems: list[str] = []
    read = [_subscription(number, entry, problems) for number, entry in enumerate(entries, 1)]
    disabled = sum(1 for entry in entries if _is_disabled(entry))
    subscriptions = [subscription for subscription in read if subscription is not None]
    if not subscriptions and not problems:
        problems.append("no subscription in it is enabled: everything owed would end as unmatched")
    return Document(subscriptions, disabled, problems)


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise MappingError([f"is larger than {MOST_BYTES // 1024**2} MiB, which no export of subscriptions is"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MappingError([f"not UTF-8 (byte {error.start})"]) from None
    if not text.strip():
        raise MappingError(["is empty"])
    return text


def _value(text: str) -> Any:
    """JSON as Segment reads it: NaN and Infinity are none."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise MappingError([f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"]) from None
    except RecursionError:
        raise MappingError(["is nested too deeply"]) from None
    except ValueError as error:
        text = str(error).partition(";")[0]  # what follows is advice about Python
        raise MappingError([f"not JSON: {text}"]) from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _entries(found: Any) -> list[Any]:
    """The list of subscriptions, wherever the document keeps it."""
    while type(found) is dict and type(found.get("data")) is dict and not _SIGNS & found.keys():
        found = found["data"]
    if type(found) is dict and not _SIGNS & found.keys():
        found = _unwrapped(found)
    entries = found if type(found) is list else [found] if type(found) is dict else None
    if not entries:
        raise MappingError(['needs a list of {"name", "subscribe", "mapping"} objects, or what Segment\'s API answers'])
    if len(entries) > MOST_SUBSCRIPTIONS:
        raise MappingError([f"holds {len(entries)} subscriptions; {MOST_SUBSCRIPTIONS} at most"])
    return entries


def _unwrapped(found: JsonObject) -> Any:
    if "errors" in found:
        raise MappingError(["is an error that Segment's API answered, not subscriptions"])
    pages = found.get("pagination")
    if type(pages) is dict and pages.get("next"):
        raise MappingError(["is the first page only (pagination.next is set): ask with pagination.count=200"])
    return found.get("subscriptions", found.get("subscription"))


def _is_disabled(entry: Any) -> bool:
    return type(entry) is dict and entry.get("enabled") is False


def _subscription(number: int, entry: Any, problems: list[str]) -> JsonObject | None:
    """One entry in the shape of presets; None when it is disabled or cannot be one."""
    if type(entry) is not dict:
        problems.append(f"subscription {number}: should be an object but it is {_kind(entry)}.")
        return None
    if entry.get("enabled") is False:
        return None
    name = entry.get("name") or f"subscription {number}"
    wrong: list[str] = []
    if type(name) is not str:
        wrong.append(f"/name should be a string but it is {_kind(name)}.")
        name = f"subscription {number}"
    if type(entry.get("enabled", True)) is not bool:
        wrong.append(f"/enabled should be a boolean but it is {_kind(entry['enabled'])}.")
    trigger, mapping = _trigger(entry, wrong), _mapping(entry, wrong)
    problems += [f"{name}: {text}" for text in wrong]
    return None if wrong else {"name": name, "subscribe": trigger, "mapping": mapping}


def _trigger(entry: JsonObject, wrong: list[str]) -> Any:
    key, trigger = _either(entry, "subscribe", "trigger", wrong)
    if trigger is None:
        wrong.append('/subscribe is missing (Segment\'s API calls it "trigger").')
    elif type(trigger) is not str:
        wrong.append(f"/{key} should be a string but it is {_kind(trigger)}.")
    elif len(trigger) > MOST_TRIGGER:
        wrong.append(f"/{key} should be a string of length {MOST_TRIGGER} or less.")
    return trigger


def _mapping(entry: JsonObject, wrong: list[str]) -> Any:
    """A missing mapping is an empty one (golden LANGUAGE section 8)."""
    key, mapping = _either(entry, "mapping", "settings", wrong)
    if type(mapping) is str:
        try:
            mapping = _value(mapping)
        except MappingError as error:
            wrong += [f"/{key}: {text}" for text in error.errors]
            return None
    if mapping is not None and type(mapping) is not dict:
        wrong.append(f"/{key} should be an object but it is {_kind(mapping)}.")
    return {} if mapping is None else mapping


def _either(entry: JsonObject, ours: str, theirs: str, wrong: list[str]) -> tuple[str, Any]:
    """The value under whichever name it has; two that differ leave open what is meant."""
    found = [(key, entry[key]) for key in (ours, theirs) if entry.get(key) is not None]
    if len(found) == 2 and found[0][1] != found[1][1]:
        wrong.append(f"/{ours} and /{theirs} mean the same, and differ.")
    return found[0] if found else (ours, None)


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
