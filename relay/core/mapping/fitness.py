"""Whether a subscription fits its destination: what Segment would reject every single event for, known beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from relay.core.mapping.syntax import ROOT_KEY, directive_keys
from relay.core.mapping.values import JsonObject
from relay.core.tiktok.fields import app, offline, web
from relay.core.tiktok.fields.field import Demand, Field

_ALWAYS = "Segment would reject every event"
CRM = "crm"
_SHEETS: Mapping[str, tuple[tuple[Field, ...], tuple[Demand, ...]]] = {
    "tiktok-conversions": (web.FIELDS, web.DEMANDS),
    "tiktok-app-events": (app.FIELDS, app.DEMANDS),
    "tiktok-offline-conversions": (offline.FIELDS, offline.DEMANDS),
}


def misfits(slug: str, event_source: str, subscriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line each, with the subscription's name and a path. ``event_source`` is what the destination says it is.

    Only what stands word for word in a mapping is judged; a directive may make anything of an event. KeyError for an
    unknown slug.
    """
    return [
        f"{subscription['name']}: {text}"
        for subscription in subscriptions
        for text in _misfit(slug, event_source, subscription["mapping"])
    ]


def _misfit(slug: str, event_source: str, mapping: JsonObject) -> Iterator[str]:
    if directive_keys(mapping) or ROOT_KEY in mapping:
        return
    fields, demands = _SHEETS[slug]
    yield from _crm(event_source, mapping)
    yield from _fields(fields, mapping, "")
    missing = {
        name: demand.field
        for demand in demands
        if type(mapping.get(demand.field)) is str and mapping[demand.field] in demand.values
        for name in demand.needed
        if _absent(mapping, name)
    }
    for name, field in missing.items():
        yield f"/{name} is missing with {field} {_shown(mapping[field])}: {_ALWAYS}."


def _crm(event_source: str, mapping: JsonObject) -> Iterator[str]:
    """A web destination may send both, as Segment's does; one that says it is crm must not send to the web's."""
    if event_source != CRM or directive_keys(mapping.get("event_source")):
        return
    if _absent(mapping, "event_source"):
        yield '/event_source is missing: a crm destination needs "crm" here, and lead_fields.'
    elif mapping["event_source"] == "web":
        yield '/event_source should be "crm" but it is "web": this destination is a crm one.'


def _fields(fields: Iterable[Field], mapping: JsonObject, trail: str) -> Iterator[str]:
    """Required fields that are not there, and words that are none of a field's choices in any case."""
    for field in fields:
        value = mapping.get(field.name)
        path = f"{trail}/{field.name}"
        if _absent(mapping, field.name):
            if field.required:
                yield f"{path} is missing: {_ALWAYS}."
        elif type(value) is dict and not directive_keys(value) and not field.many:
            yield from _fields((member for member in field.members if member.required), value, path)
        elif type(value) is str and field.choices and value.lower() not in map(str.lower, field.choices):
            choices = ", ".join(map(_shown, field.choices))
            yield f"{path} should be one of {choices} but it is {_shown(value)}: {_ALWAYS}."


def _absent(mapping: JsonObject, name: str) -> bool:
    """Null and '' are removed before anything is checked (golden README section 5)."""
    return mapping.get(name) is None or mapping[name] == ""


def _shown(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
