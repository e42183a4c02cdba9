"""Words of an OpenAPI document, so that the paths and schemas read like a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relay.core.event import JsonObject

JSON = "application/json"
STREAM_ID = r"^[0-9]{1,20}-[0-9]{1,20}$"


def ref(name: str, kind: str = "schemas") -> JsonObject:
    """A component by name."""
    return {"$ref": f"#/components/{kind}/{name}"}


def text(about: str = "", **more: Any) -> JsonObject:
    """A string."""
    return _described({"type": "string", **more}, about)


def one_of(values: Sequence[str], about: str = "") -> JsonObject:
    """One of some words."""
    return _described({"type": "string", "enum": [*values]}, about)


def whole(about: str = "", **more: Any) -> JsonObject:
    """An integer."""
    return _described({"type": "integer", **more}, about)


def count(about: str = "") -> JsonObject:
    """An integer from 0 on."""
    return whole(about, minimum=0)


def number(about: str = "", **more: Any) -> JsonObject:
    """A number."""
    return _described({"type": "number", **more}, about)


def flag(about: str = "") -> JsonObject:
    """True or false."""
    return _described({"type": "boolean"}, about)


def moment(about: str = "") -> JsonObject:
    """A time in ISO 8601, UTC."""
    return text(about, format="date-time")


def money(about: str = "") -> JsonObject:
    """Amounts by ISO 4217 currency, in its units; "" is an unknown currency."""
    return _described({"type": "object", "additionalProperties": {"type": "number"}}, about)


def counts(about: str = "") -> JsonObject:
    """Counts by name."""
    return _described({"type": "object", "additionalProperties": {"type": "integer"}}, about)


def maybe(schema: JsonObject) -> JsonObject:
    """The same, or null."""
    if "$ref" in schema or "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def listing(items: JsonObject, about: str = "", **more: Any) -> JsonObject:
    """An array."""
    return _described({"type": "array", "items": items, **more}, about)


def record(members: Mapping[str, JsonObject], *, optional: Sequence[str] = (), about: str = "") -> JsonObject:
    """An object whose members are all there, but for the ``optional`` ones."""
    required = [name for name in members if name not in optional]
    return _described({"type": "object", "properties": {**members}, "required": required}, about)


def closed(members: Mapping[str, JsonObject], *, required: Sequence[str], about: str = "") -> JsonObject:
    """An object with no other members."""
    shape = {"type": "object", "properties": {**members}, "required": [*required], "additionalProperties": False}
    return _described(shape, about)


def content(schema: JsonObject) -> JsonObject:
    """A JSON body."""
    return {JSON: {"schema": schema}}


def said(about: str, schema: JsonObject) -> JsonObject:
    """An answer with a JSON body."""
    return {"description": about, "content": content(schema)}


def query(name: str, schema: JsonObject, about: str) -> JsonObject:
    """An optional parameter of the query."""
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def needed(name: str, schema: JsonObject, about: str) -> JsonObject:
    """A parameter of the query that must be there."""
    return {**query(name, schema, about), "required": True}


def in_path(name: str, about: str, **more: Any) -> JsonObject:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "description": about, "schema": text(minLength=1, **more)}


def operation(
    name: str,
    summary: str,
    answers: Mapping[str, JsonObject],
    *,
    about: str = "",
    parameters: Sequence[JsonObject] = (),
    body: JsonObject | None = None,
    media: Sequence[str] = (JSON,),
    security: Sequence[Mapping[str, Sequence[str]]] | None = None,
) -> JsonObject:
    """One method of one path. ``security`` None: as the document says; empty: open to everybody.

    ``media``: content types that a body may have.
    """
    found: JsonObject = {"operationId": name, "summary": summary, "responses": {**answers}}
    if about:
        found["description"] = about
    if parameters:
        found["parameters"] = [*parameters]
    if body is not None:
        found["requestBody"] = {"required": True, "content": {kind: {"schema": body} for kind in media}}
    if security is not None:
        found["security"] = [dict(way) for way in security]
    return found


def _described(schema: JsonObject, about: str) -> JsonObject:
    return {**schema, "description": about} if about else schema
