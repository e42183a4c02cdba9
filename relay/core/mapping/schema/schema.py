"""A payload against the fields of a destination: empties removed, lists wrapped, values coerced, every problem told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from relay.core.mapping.schema.coercion import Check, Findings, mismatch, scalar
from relay.core.mapping.schema.lists import list_of
from relay.core.mapping.values import UNDEFINED, JsonObject, kind_of
from relay.core.tiktok.fields.field import Demand, Field, Kind

MISSING = "is missing the required field"  # stands in every problem of that kind
# Puts a value into a payload as the destination takes it, or leaves the payload alone when there is nothing to put.
Fill = Callable[[Any, JsonObject, Findings], None]


def nothing(_value: Any, _payload: JsonObject, _findings: Findings) -> None:
    """What becomes of fields that the destination does not know."""


class Schema:
    """Compiled fields of one destination."""

    def __init__(self, fields: Sequence[Field], demands: Sequence[Demand] = ()) -> None:
        self._fields = {field.name: field for field in fields}
        self._fills = {field.name: _fill(field.name, _top_level(field)) for field in fields}
        self._member_checks = {
            (field.name, member.name): _member(member, field.name) for field in fields for member in field.members
        }
        self._required = tuple(field.name for field in fields if field.required)
        self._demands = tuple(demands)

    @property
    def fields(self) -> Sequence[Field]:
        """All of them, in Segment's order."""
        return tuple(self._fields.values())

    def field(self, name: str) -> Field | None:
        """The field of this name."""
        return self._fields.get(name)

    def members(self, name: str) -> tuple[Field, ...]:
        """The members of an object field, in order."""
        return self._fields[name].members

    def member(self, name: str, member: str) -> Field | None:
        """The member of an object field."""
        return next((inner for inner in self._fields[name].members if inner.name == member), None)

    def required_members(self, name: str) -> dict[str, str]:
        """Members that an object field cannot be without, and what to say of each that is missing."""
        return _required_members(self._fields[name])

    def is_record(self, name: str) -> bool:
        """Whether the field is a single object."""
        field = self._fields.get(name)
        return field is not None and field.kind is Kind.OBJECT and not field.many

    def filler(self, name: str) -> Fill:
        """Fills one field."""
        return self._fills.get(name, nothing)

    def member_check(self, name: str, member: str) -> Check:
        """The check of a member that the object field knows; UNDEFINED for what is as good as absent."""
        return self._member_checks[name, member]

    def is_complete(self, payload: JsonObject) -> bool:
        """Whether no field is missing from an admitted payload. A False may still turn out fine."""
        for name in self._required:
            if name not in payload:
                return False
        for demand in self._demands:
            value = payload.get(demand.field)
            if type(value) is str and value in demand.values and not all(name in payload for name in demand.needed):
                return False
        return True

    def is_surely_complete(self, fixed: JsonObject, mapped: set[str]) -> bool:
        """Whether no event can leave a field missing, given what is fixed and which other fields are mapped."""
        if any(name not in fixed for name in self._required) or self.demands_by(mapped):
            return False
        return not any(fixed.get(demand.field) in demand.values for demand in self._demands)

    def needed(self) -> set[str]:
        """Fields that may be found missing."""
        return {*self._required, *(name for demand in self._demands for name in demand.needed)}

    def demands_by(self, names: set[str]) -> bool:
        """Whether something is demanded by the value of one of these fields."""
        return any(demand.field in names for demand in self._demands)

    def admit(self, payload: Any, findings: Findings) -> JsonObject:
        """The payload as the destination takes it; problems go to ``findings`` in Segment's order."""
        if type(payload) is not dict:
            findings.problems.append(mismatch("The root value", "object", payload))
            return {}
        admitted: JsonObject = {}
        for name, fill in self._fills.items():
            if name in payload:
                fill(payload[name], admitted, findings)
        findings.problems[:0] = self.missing(payload, admitted)
        return admitted

    def missing(self, payload: JsonObject, admitted: JsonObject) -> list[str]:
        """What to say of each field that is missing from ``admitted``.

        Conditional demands look at the payload as written: ``["Purchase"]`` demands nothing.
        """
        problems = [
            f'{_missing_field(name)} The root value must match "then" schema.'
            for demand in self._demands
            if type(given := payload.get(demand.field)) is str and given in demand.values
            for name in demand.needed
            if _is_missing(name, payload, admitted)
        ]
        return problems + [_missing_field(name) for name in self._required if _is_missing(name, payload, admitted)]


def _is_missing(name: str, payload: JsonObject, admitted: JsonObject) -> bool:
    """Segment looks before it takes a list of one for its element: a list of nothing is there, and of a wrong type."""
    return name not in admitted and payload.get(name) != [UNDEFINED]


def _missing_field(name: str, owner: str = "The root value") -> str:
    return f"{owner} {MISSING} '{name}'."


def _required_members(field: Field) -> dict[str, str]:
    return {member.name: _missing_field(member.name, field.title) for member in field.members if member.required}


def _fill(name: str, check: Check) -> Fill:
    def fill(value: Any, payload: JsonObject, findings: Findings) -> None:
        found = check(value, findings)
        if found is not UNDEFINED:
            payload[name] = found

    return fill


def _top_level(field: Field) -> Check:
    """Null and the empty text are absent, whatever the type."""
    if field.many:
        return _top_level_list(field)
    return _unless_empty(_record(field) if field.kind is Kind.OBJECT else scalar(field))


def _top_level_list(field: Field) -> Check:
    """What is no list stands for a list of it."""
    inner = list_of(field, f"/{field.name}")
    lone = str if field.kind is Kind.STRING else None

    def check(value: Any, findings: Findings) -> Any:
        if type(value) is lone:
            return [value] if value else UNDEFINED
        if type(value) is list:
            return inner(value, findings)
        return UNDEFINED if value is None or value == "" else inner([value], findings)

    return check


def _member(field: Field, owner: str) -> Check:
    """A member of an object: null is absent, the empty text too unless the member is a text."""
    if field.many:
        return _unless_empty(_wrapped_list(field, f"/{owner}/{field.name}"))
    inner = scalar(field)
    if field.kind is not Kind.STRING:
        return _unless_empty(inner)
    return lambda value, findings: UNDEFINED if value is None else inner(value, findings)


def _unless_empty(inner: Check) -> Check:
    """Null and the empty text are as good as absent."""
    return lambda value, findings: UNDEFINED if value is None or value == "" else inner(value, findings)


def _wrapped_list(field: Field, path: str) -> Check:
    """A list inside an object; a single plain value stands for a list of it, an object does not."""
    inner = list_of(field, path)

    def check(value: Any, findings: Findings) -> Any:
        if type(value) is list:
            return inner(value, findings)
        if kind_of(value) in {"string", "number", "boolean"}:
            return inner([value], findings)
        findings.problems.append(mismatch(field.title, "array", value))
        return value

    return check


def _record(field: Field) -> Check:
    """An object with known members, in their order."""
    checks = {member.name: _member(member, field.name) for member in field.members}
    required = _required_members(field)

    def check(value: Any, findings: Findings) -> Any:
        if type(value) is not dict:
            findings.problems.append(mismatch(field.title, "object", value))
            return value
        before = len(findings.problems)
        found = {}
        for name, admit in checks.items():
            if name in value and (admitted := admit(value[name], findings)) is not UNDEFINED:
                found[name] = admitted
        missing = [text for name, text in required.items() if _is_missing(name, value, found)]
        findings.problems[before:before] = missing
        return found

    return check
