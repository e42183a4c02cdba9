"""List fields: texts, and objects such as ``contents``."""

from __future__ import annotations

from typing import Any

from relay.core.javascript.numbers import SAFE
from relay.core.mapping.schema.coercion import Check, Findings, NumberedCheck, mismatch, numbered_scalar, scalar
from relay.core.mapping.values import JsonObject, exists
from relay.core.tiktok.fields.field import Field, Kind


def list_of(field: Field, path: str) -> Check:
    """Checks a value that is a list already. What does not exist is removed from it."""
    return _objects(field, path) if field.kind is Kind.OBJECT else _scalars(field, path)


def _scalars(field: Field, path: str) -> Check:
    """Empty texts are removed only from lists that hold no texts."""
    element = numbered_scalar(field)
    if field.kind is Kind.STRING:
        return _texts(element, path)

    def check(values: list[Any], findings: Findings) -> list[Any]:
        left = [value for value in values if exists(value) and value != ""]
        return [element(value, findings, path, index) for index, value in enumerate(left)]

    return check


def _texts(element: NumberedCheck, path: str) -> Check:
    def check(values: list[Any], findings: Findings) -> list[Any]:
        if _are_texts(values):
            return values
        return [
            str(value)
            if type(value) is str or (type(value) is int and -SAFE <= value <= SAFE)
            else ("true" if value else "false")
            if type(value) is bool
            else element(value, findings, path, index)
            for index, value in enumerate([value for value in values if exists(value)])
        ]

    return check


def _are_texts(values: list[Any]) -> bool:
    """A loop: for the one or two values of a usual list, all() costs more than they do."""
    for value in values:  # noqa: SIM110 - see above
        if type(value) is not str:
            return False
    return True


def _objects(field: Field, path: str) -> Check:
    element = _Element(field)

    def check(values: list[Any], findings: Findings) -> list[Any]:
        left = [
            value for value in values if value is not None and (type(value) is dict or (exists(value) and value != ""))
        ]
        return [element(value, path, index, findings) for index, value in enumerate(left)]

    return check


class _Element:
    """An object of a list: nothing is removed inside it, nulls are coerced like any value."""

    def __init__(self, field: Field) -> None:
        self._members = tuple(
            (member.name, str if member.kind is Kind.STRING else int, scalar(member)) for member in field.members
        )
        self._as_written = field.as_written

    def __call__(self, value: Any, path: str, index: int, findings: Findings) -> Any:
        if type(value) is not dict:
            findings.problems.append(mismatch(f"The value at {path}/{index}", "object", value))
            return value
        found: JsonObject = {}
        for name, kept, check in self._members:
            if name in value:
                member = value[name]
                kind = type(member)
                # Texts and small whole numbers, nearly all there is, are spared the call.
                fine = kind is kept and (kind is str or 0 <= member <= SAFE)
                found[name] = member if fine else check(member, findings)
        return {name: found[name] for name in value if name in found} if self._as_written else found
