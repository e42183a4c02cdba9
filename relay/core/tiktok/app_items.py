"""Builder of App Events items: devices, advertising ids and Apple's tracking consent have rules of their own."""

from __future__ import annotations

import math

from relay.core.event import JsonObject
from relay.core.javascript.numbers import number_of
from relay.core.tiktok import hashing
from relay.core.tiktok.fields.app import PRODUCT_EVENTS
from relay.core.tiktok.items import Built, Unbuildable, head, present, truthy

_CONSENT_SINCE = (14.0, 0.0, 0.0)  # iOS versions before have no tracking consent
_CONTENT_TEXTS = ("content_category", "content_id", "content_name", "brand")


def app_item(payload: JsonObject, now: int) -> Built | Unbuildable:
    """TikTok App Events."""
    event = payload["event"]
    contents = payload.get("contents", [])
    if event in PRODUCT_EVENTS and any(not content.get("content_id") for content in contents):
        return Unbuildable(f"content_id is required for event {event}")
    item = head(payload, now)
    item["user"] = _user(payload)
    item["properties"] = {
        "contents": [_content(content) for content in contents],
        **present(payload, ("content_type", "currency", "value", "description", "content_ids", "num_items")),
        **present(payload, ("search_string",)),
    }
    app = payload["app"]
    item["app"] = {"app_id": app["app_id"], **truthy(app, ("app_name", "app_version"))}
    item["ad"] = _ad(payload.get("ad") or {})
    item["limited_data_use"] = payload.get("limited_data_use", False)
    return Built("app", payload.get("test_event_code", ""), item)


def _content(content: JsonObject) -> JsonObject:
    return {**truthy(content, ("price",)), **present(content, ("quantity",)), **truthy(content, _CONTENT_TEXTS)}


def _ad(ad: JsonObject) -> JsonObject:
    return {
        **truthy(ad, ("callback", "campaign_id", "ad_id", "creative_id")),
        **present(ad, ("is_retargeting", "attributed")),
        **truthy(ad, ("attribution_type", "attribution_provider")),
    }


def _user(payload: JsonObject) -> JsonObject:
    device = payload.get("device_details") or {}
    system = device.get("device_type", "").lower()
    user: JsonObject = {}
    if payload.get("external_id"):
        user["external_id"] = [hashing.external_id(text) for text in payload["external_id"]]
    if payload.get("phone_number"):
        user["phone"] = [hashing.phone(text) for text in payload["phone_number"]]
    if payload.get("email"):
        user["email"] = [hashing.email(text) for text in payload["email"]]
    user.update(_device_ids(payload.get("advertising_id", ""), device, system))
    user["att_status"] = _consent(payload["att_status"], device, system)
    user.update(truthy(payload, ("ip", "user_agent", "locale")))
    return user


def _device_ids(advertising_id: str, device: JsonObject, system: str) -> JsonObject:
    """``idfa`` and ``idfv`` of Apple devices, ``gaid`` of Android ones, nothing of others."""
    if system == "android":
        found = hashing.gaid(advertising_id)
        return {"gaid": found} if found else {}
    if system != "ios":
        return {}
    found = hashing.idfa(advertising_id)
    ids: JsonObject = {"idfa": found} if found else {}
    if device.get("device_id"):
        ids["idfv"] = device["device_id"]
    return ids


def _consent(mapped: str, device: JsonObject, system: str) -> str:
    """App Tracking Transparency: what is mapped, or what device and version imply."""
    if mapped != "AUTO":
        return mapped
    version = device.get("device_version", "")
    if system != "ios" or (version and _is_before_consent(version)):
        return "NOT_APPLICABLE"
    enabled = device.get("ad_tracking_enabled")
    return "NOT_DETERMINED" if enabled is None else "AUTHORIZED" if enabled else "DENIED"


def _is_before_consent(version: str) -> bool:
    """Part by part; a part that is no number is neither before nor after."""
    parts = [*version.split("."), "0", "0"][:3]
    for text, since in zip(parts, _CONSENT_SINCE, strict=True):
        part = number_of(text)
        if math.isnan(part) or part == since:
            continue
        return part < since
    return False
