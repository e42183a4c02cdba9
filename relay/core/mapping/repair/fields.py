"""Fields of a payload that fail their check, read once more with good will."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from relay.core.javascript.dates import epoch_seconds
from relay.core.javascript.numbers import number_of
from relay.core.javascript.text import trim
from relay.core.mapping.repair.amounts import LONGEST, amount
from relay.core.mapping.repair.rules import Repair, Rule
from relay.core.mapping.schema.coercion import Findings, scalar
from relay.core.mapping.values import UNDEFINED, JsonObject, is_number
from relay.core.tiktok.fields.field import Field, Kind

TIMESTAMP = "timestamp"
IDENTITY = frozenset({"event", "event_id", "event_source", "event_spec_type", TIMESTAMP})
"""Without these an item is another one: TikTok tells events apart by them, and no time would be the time of receipt."""
MOST = 200  # values of one event; so many are no slips any more, and looking takes time
EARLIEST_S, LATEST_S = 946_684_800, 4_102_444_800  # the years 2000 and 2100
UNITS = (1, 1_000, 1_000_000, 1_000_000_000)  # a second in s, ms, µs, ns
_DIGITS = re.compile(r"\d{9,20}(?:\.\d{1,9})?", re.ASCII)

# From a value and where to note what was done to the value that stands for it; UNDEFINED: leave the field out.
Mend = Callable[[Any, list[Repair]], Any]


def compile_fields(fields: Sequence[Field]) -> Callable[[JsonObject, list[Repair]], JsonObject]:
    """Mends a resolved payload. What passes its check stays as it is, and so does what nobody can read."""
    mends = {field.name: _top_level(field) for field in fields}

    def mended(payload: JsonObject, repairs: list[Repair]) -> JsonObject:
        found = {name: mends[name](value, repairs) if name in mends else value for name, value in payload.items()}
        return {name: value for name, value in found.items() if value is not UNDEFINED}

    return mended


def _top_level(field: Field) -> Mend:
    if field.name == TIMESTAMP:
        return _moment(field)
    if field.many:
        return _objects(field) if field.kind is Kind.OBJECT else _texts(field)
    return _record(field) if field.kind is Kind.OBJECT else _scalar(field)


def _objects(field: Field) -> Mend:
    element = _record(field)

    def mend(value: Any, repairs: list[Repair]) -> Any:
        return [element(item, repairs) for item in value] if type(value) is list else element(value, repairs)

    return mend


def _record(field: Field) -> Mend:
    members = {member.name: _texts(member) if member.many else _scalar(member) for member in field.members}

    def mend(value: Any, repairs: list[Repair]) -> Any:
        if type(value) is not dict:
            return value
        found = {name: members[name](member, repairs) if name in members else member for name, member in value.items()}
        return {name: member for name, member in found.items() if member is not UNDEFINED}

    return mend


def _texts(field: Field) -> Mend:
    """A list of texts: objects among them go, or the list stands for what is in them."""
    element = _scalar(field)

    def mend(value: Any, repairs: list[Repair]) -> Any:
        values = value if type(value) is list else [value]
        if all(type(item) is not dict and type(item) is not list for item in values):
            return value
        found = [element(item, repairs) for item in values]
        return [item for item in found if item is not UNDEFINED]

    return mend


def _scalar(field: Field) -> Mend:
    """One value. Asked first whether it passes: then nobody touches it."""
    check, read = scalar(field), _READERS.get(field.kind)

    def mend(value: Any, repairs: list[Repair]) -> Any:
        if value is None or value == "" or read is None or _is_long(value) or _passes(check, value):
            return value
        subject = value[0] if type(value) is list and len(value) == 1 else value
        found, rules = read(field, subject) if len(repairs) < MOST else (value, ())
        if not rules or (found is not UNDEFINED and not _passes(check, found)):
            return value
        repairs += [Repair(rule, field.title) for rule in rules]
        return found

    return mend


def _is_long(value: Any) -> bool:
    """A text in which nobody means a number, a word of a few, or a time; looking at it again would only take time."""
    return type(value) is str and len(value) > LONGEST


def _passes(check: Callable[[Any, Findings], Any], value: Any) -> bool:
    findings = Findings()
    check(value, findings)
    return not findings.problems and not findings.infinite


Reading = tuple[Any, tuple[Rule, ...]]


def _number(_field: Field, value: Any) -> Reading:
    if type(value) is not str:
        return value, ()
    if math.isinf(number_of(value)):  # "Infinity", and 1e999
        return UNDEFINED, (Rule.INFINITE,)
    return amount(value) or (value, ())


def _boolean(_field: Field, value: Any) -> Reading:
    word = trim(value).lower() if type(value) is str else ""
    return (word, (Rule.LETTER_CASE,)) if word in {"true", "false"} else (value, ())


def _text(field: Field, value: Any) -> Reading:
    if type(value) is str:
        alike = [choice for choice in field.choices if choice.lower() == trim(value).lower()]
        return (alike[0], (Rule.LETTER_CASE,)) if len(alike) == 1 else (value, ())
    if type(value) is not dict and type(value) is not list:
        return value, ()
    inner = list(value.values()) if type(value) is dict else value
    if len(inner) == 1 and (type(inner[0]) is str or is_number(inner[0])):
        return inner[0], (Rule.NOT_TEXT,)
    return (value, ()) if field.name in IDENTITY else (UNDEFINED, (Rule.NOT_TEXT,))


_READERS: dict[Kind, Callable[[Field, Any], Reading]] = {
    Kind.NUMBER: _number,
    Kind.INTEGER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _text,
}


def _moment(field: Field) -> Mend:
    """The event's time: a number is no time for Segment, and neither is a time with a blank behind it."""
    plain = _scalar(field)

    def mend(value: Any, repairs: list[Repair]) -> Any:
        subject = _inner(value)
        if _is_long(subject):
            return value
        if is_number(subject) or (type(subject) is str and subject and epoch_seconds(subject) is None):
            seconds = _epoch(subject)
            if seconds is not None:
                repairs.append(Repair(Rule.EPOCH_TIME, field.title))
                return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if type(subject) is str and epoch_seconds(trim(subject)) is not None:
                repairs.append(Repair(Rule.BLANKS, field.title))
                return trim(subject)
        return plain(value, repairs)

    return mend


def _inner(value: Any) -> Any:
    """What stands alone in a list or an object, as databases write times: ``{"$date": 1718452800000}``."""
    inner = list(value.values()) if type(value) is dict else value
    return inner[0] if type(inner) is list and len(inner) == 1 else value


def _epoch(value: Any) -> int | None:
    """Whole seconds since 1970 of a number in any usual unit, within a century of sense."""
    if type(value) is str:
        text = trim(value)
        if not _DIGITS.fullmatch(text):
            return None
        value = float(text)
    for unit in UNITS:
        if EARLIEST_S * unit <= value < LATEST_S * unit:
            return int(value // unit)
    return None
