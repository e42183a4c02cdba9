"""Builders of ``data[]`` items, one per event source, from payloads that a schema has admitted.

A member is written "if present" or "if truthy" exactly as Segment writes it; key order is Segment's too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from relay.core.event import JsonObject
from relay.core.javascript.dates import epoch_seconds
from relay.core.javascript.urls import query_value
from relay.core.tiktok import hashing
from relay.core.tiktok.fields import web


class Built(NamedTuple):
    """One item with what stands above it in a request. ``item["event_time"]`` is None when the time is unreadable."""

    event_source: str
    test_event_code: str
    item: JsonObject


@dataclass(frozen=True, slots=True)
class Unbuildable:
    """The payload passed its schema, and still no item can be made of it."""

    message: str


# (payload, now in whole seconds) → item
Builder = Callable[[JsonObject, int], Built | Unbuildable]

_WEB_PROPERTIES = ("content_type", "currency", "value", "query", "description", "order_id", "shop_id", "content_ids",
                   "delivery_category", "num_items", "predicted_ltv", "search_string")  # fmt: skip
_PAIRED = frozenset({"mileage_value", "mileage_unit", "preferred_price_range_min", "preferred_price_range_max"})
_VEHICLE = tuple(field.name for field in web.VEHICLE if field.name not in _PAIRED)
_TRAVEL = tuple(field.name for field in web.TRAVEL)
_PAGE = ("url", "referrer")
_ADDRESS = (
    ("city", hashing.place), ("state", hashing.place), ("country", hashing.place), ("zip_code", hashing.name),
)  # fmt: skip
_WEB_EXTRAS = ("ttp", "ip", "user_agent", "locale")


def present(payload: JsonObject, names: Iterable[str]) -> JsonObject:
    """Members that are there, even when empty."""
    return {name: payload[name] for name in names if name in payload}


def truthy(payload: JsonObject, names: Iterable[str]) -> JsonObject:
    """Members that are there and not empty, zero or false."""
    return {name: payload[name] for name in names if payload.get(name)}


def head(payload: JsonObject, now: int) -> JsonObject:
    """What every item starts with. The time is whole seconds, ``now`` without a timestamp, None if unreadable."""
    timestamp = payload.get("timestamp")
    item: JsonObject = {"event": payload["event"], "event_time": epoch_seconds(timestamp) if timestamp else now}
    event_id = payload.get("event_id")
    if event_id:
        item["event_id"] = event_id
    return item


def web_item(payload: JsonObject, now: int) -> Built:
    """TikTok Conversions, sources web and crm."""
    get = payload.get
    item = head(payload, now)
    item["user"] = _web_user(payload)
    item["properties"] = properties = {"contents": get("contents", [])}
    for name in _WEB_PROPERTIES:
        if name in payload:
            properties[name] = payload[name]
    source = get("event_source") or "web"
    if source == "web" and "event_spec_type" in payload:
        properties.update(_special(payload))
    url, referrer = get("url"), get("referrer")
    if url or referrer:
        item["page"] = {"url": url, "referrer": referrer} if url and referrer else truthy(payload, _PAGE)
    if source == "crm":
        item.update(_lead(get("lead_fields") or {}))
    item["limited_data_use"] = get("limited_data_use", False)
    return Built(source, get("test_event_code", ""), item)


def _lead(lead: JsonObject) -> JsonObject:
    """The lead of a CRM event, when it has an id (an empty one counts)."""
    return {"lead": {"lead_id": lead["lead_id"], **truthy(lead, ("lead_event_source",))}} if "lead_id" in lead else {}


def _web_user(payload: JsonObject) -> JsonObject:
    user: JsonObject = {
        "external_id": [*map(hashing.external_id, payload["external_id"])] if "external_id" in payload else [],
        "phone": [*map(hashing.phone, payload["phone_number"])] if "phone_number" in payload else [],
        "email": [*map(hashing.email, payload["email"])] if "email" in payload else [],
        "first_name": hashing.name(payload["first_name"]) if "first_name" in payload else "",
        "last_name": hashing.name(payload["last_name"]) if "last_name" in payload else "",
        "city": "",
        "state": "",
        "country": "",
        "zip_code": "",
    }
    if address := payload.get("address"):
        for name, prepared in _ADDRESS:
            if name in address:
                user[name] = prepared(address[name])
    click_id = _web_click_id(payload.get("url"), payload.get("ttclid"))
    if click_id is not None:
        user["ttclid"] = click_id
    for name in _WEB_EXTRAS:
        if name in payload and (value := payload[name]):
            user[name] = value
    return user


def _web_click_id(url: str | None, mapped: str | None) -> str | None:
    """The page's own click id wins, even when it is empty and the mapped one is not."""
    found = query_value(url, "ttclid") if url else None
    if not found and not mapped:
        return None
    return mapped if found is None else found


def _special(payload: JsonObject) -> JsonObject:
    """Travel or vehicle members, which join the properties."""
    kind = payload["event_spec_type"]
    fields = payload.get(kind) or {}
    if kind == "travel_fields":
        return present(fields, _TRAVEL)
    return {**present(fields, _VEHICLE), **_pairs(fields)}


def _pairs(fields: JsonObject) -> JsonObject:
    """Vehicle members that are sent together or not at all."""
    pairs: JsonObject = {}
    if "mileage_unit" in fields and "mileage_value" in fields:
        pairs["mileage"] = {"unit": fields["mileage_unit"], "value": fields["mileage_value"]}
    if "preferred_price_range_min" in fields and "preferred_price_range_max" in fields:
        pairs["preferred_price_range"] = [fields["preferred_price_range_min"], fields["preferred_price_range_max"]]
    return pairs


def offline_item(payload: JsonObject, now: int) -> Built | Unbuildable:
    """TikTok Offline Conversions."""
    if not any(payload.get(name) for name in ("phone_numbers", "email_addresses", "external_ids")):
        return Unbuildable(
            "TikTok Offline Conversions API requires an email address and/or phone number and or a userId"
        )
    item = head(payload, now)
    item["user"] = _offline_user(payload)
    item["properties"] = {
        "contents": payload.get("contents", []),
        **truthy(payload, ("content_type", "currency")),
        **present(payload, ("value",)),
        **truthy(payload, ("query", "description", "order_id", "shop_id")),
    }
    item["page"] = truthy(payload, _PAGE)
    item["limited_data_use"] = payload.get("limited_data_use", False)
    item.update(truthy(payload, ("test_event_code",)))
    return Built("offline", "", item)


def _offline_user(payload: JsonObject) -> JsonObject:
    click_id = payload.get("ttclid") or query_value(payload.get("url", ""), "ttclid")
    user: JsonObject = {"ttclid": click_id} if click_id else {}
    user["external_id"] = [hashing.external_id(text) for text in payload.get("external_ids", ())]
    user["phone"] = [hashing.phone(text) for text in payload.get("phone_numbers", ())]
    user["email"] = [hashing.email(text) for text in payload.get("email_addresses", ())]
    user.update(truthy(payload, ("lead_id", "ttp", "ip", "user_agent", "locale")))
    return user
