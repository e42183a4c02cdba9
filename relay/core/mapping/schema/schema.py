"""A payload against the fields of a destination: empties removed, lists wrapped, values coerced, every problem told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relay.core.mapping.schema.coercion import Check, Findings, mismatch, scalar
from relay.core.mapping.schema.field import Demand, Field, Kind
from relay.core.mapping.values import UNDEFINED, JsonObject, exists, kind_of


class Schema:
    """Compiled fields of one destination."""

    def __init__(self, fields: Sequence[Field], demands: Sequence[Demand] = ()) -> None:
        self._checks = {field.name: _top_level(field) for field in fields}
        self._required = tuple(field.name for field in fields if field.required)
        self._demands = tuple(demands)
        # Free texts, nearly all there is in an event: kept as they are without asking their check.
        self._texts = frozenset(
            field.name for field in fields if field.kind is Kind.STRING and not field.many and not field.choices
        )

    def admit(self, payload: Any, findings: Findings) -> JsonObject:
        """The payload as the destination takes it. Unknown fields are dropped; problems go to ``findings``."""
        if type(payload) is not dict:
            findings.problems.append(mismatch("The root value", "object", payload))
            return {}
        admitted = self._admitted(payload, findings)
        missing = self._missing(payload, admitted)
        if findings.problems or missing:
            findings.problems[:] = missing + self._problems_in_order(payload)
        return admitted

    def _admitted(self, payload: JsonObject, findings: Findings) -> JsonObject:
        """Driven by what is there, in any order: cheap, and exact but for the order of problems."""
        texts, checks = self._texts, self._checks
        admitted: JsonObject = {}
        for name, value in payload.items():
            if type(value) is str and name in texts:
                if value:
                    admitted[name] = value
            elif name in checks:
                found = checks[name](value, findings)
                if found is not UNDEFINED:
                    admitted[name] = found
        return admitted

    def _problems_in_order(self, payload: JsonObject) -> list[str]:
        findings = Findings()
        for name, check in self._checks.items():
            if name in payload:
                check(payload[name], findings)
        return findings.problems

    def _missing(self, payload: JsonObject, admitted: JsonObject) -> list[str]:
        """Conditional demands look at the payload as written: ``["Purchase"]`` demands nothing."""
        problems = [
            f'{_missing_field(name)} The root value must match "then" schema.'
            for demand in self._demands
            if type(given := payload.get(demand.field)) is str and given in demand.values
            for name in demand.needed
            if name not in admitted
        ]
        return problems + [_missing_field(name) for name in self._required if name not in admitted]


def _missing_field(name: str, owner: str = "The root value") -> str:
    return f"{owner} is missing the required field '{name}'."


def _top_level(field: Field) -> Check:
    """Null and the empty text are absent, whatever the type."""
    if not field.many:
        single = _record(field) if field.kind is Kind.OBJECT else scalar(field)
        return lambda value, findings: UNDEFINED if _is_empty(value) else single(value, findings)
    inner = _list(field, f"/{field.name}")
    return lambda value, findings: (
        UNDEFINED if _is_empty(value) else inner(value if type(value) is list else [value], findings)
    )


def _is_empty(value: Any) -> bool:
    return value is None or (type(value) is str and not value)


def _member(field: Field, owner: str) -> Check:
    """A member of an object: null is absent, the empty text too unless the member is a text."""
    inner = _wrapped_list(field, f"/{owner}/{field.name}") if field.many else scalar(field)
    keeps_empty = field.kind is Kind.STRING and not field.many

    def check(value: Any, findings: Findings) -> Any:
        if value is None or (not keeps_empty and type(value) is str and not value):
            return UNDEFINED
        return inner(value, findings)

    return check


def _list(field: Field, path: str) -> Check:
    """What does not exist is removed, empty texts only from lists that hold no texts."""
    of_texts = field.kind is Kind.STRING
    element = _Item(field) if field.kind is Kind.OBJECT else None

    def check(values: list[Any], findings: Findings) -> list[Any]:
        left = [value for value in values if exists(value) and (of_texts or type(value) is not str or value)]
        if of_texts and all(type(value) is str for value in left):
            return left
        found = []
        for index, value in enumerate(left):
            label = f"The value at {path}/{index}"
            found.append(element(value, label, findings) if element else scalar(field, label)(value, findings))
        return found

    return check


def _wrapped_list(field: Field, path: str) -> Check:
    """A list inside an object; a single plain value stands for a list of it, an object does not."""
    inner = _list(field, path)

    def check(value: Any, findings: Findings) -> Any:
        if type(value) is list:
            return inner(value, findings)
        if kind_of(value) in {"string", "number", "boolean"}:
            return inner([value], findings)
        findings.problems.append(mismatch(field.title, "array", value))
        return value

    return check


class _Item:
    """An element of ``contents``: nothing is removed inside it, nulls are coerced like any value."""

    def __init__(self, field: Field) -> None:
        self._checks = tuple((member.name, scalar(member)) for member in field.members)
        self._as_written = field.as_written

    def __call__(self, value: Any, label: str, findings: Findings) -> Any:
        if type(value) is not dict:
            findings.problems.append(mismatch(label, "object", value))
            return value
        found = {name: check(value[name], findings) for name, check in self._checks if name in value}
        return {name: found[name] for name in value if name in found} if self._as_written else found


def _record(field: Field) -> Check:
    """An object with known members, in their order."""
    checks = {member.name: _member(member, field.name) for member in field.members}
    required = tuple(member.name for member in field.members if member.required)

    def check(value: Any, findings: Findings) -> Any:
        if type(value) is not dict:
            findings.problems.append(mismatch(field.title, "object", value))
            return value
        if not value and not required:
            return value
        before = len(findings.problems)
        found = {}
        for name, admit in checks.items():
            if name in value and (admitted := admit(value[name], findings)) is not UNDEFINED:
                found[name] = admitted
        findings.problems[before:before] = [_missing_field(name, field.title) for name in required if name not in found]
        return found

    return check
