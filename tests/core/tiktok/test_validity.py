from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from relay.core.mapping import Item, compile_destination, load_presets
from relay.core.tiktok.names import CURRENCIES, STANDARD_EVENTS
from relay.core.tiktok.validity import LARGE, Caution

NOW = 1_718_454_896
VIEW = {
    "type": "track",
    "event": "Product Viewed",
    "messageId": "m-1",
    "timestamp": "2024-06-15T12:00:00.000Z",
    "userId": "u-1",
    "context": {"app": {"namespace": "com.example"}},
    "properties": {"product_id": "a", "value": 1, "currency": "EUR"},
}


def only(slug: str, mapping: dict[str, Any] | None = None, **properties: Any) -> Item:
    presets = [preset for preset in load_presets(slug) if preset["subscribe"] == 'event = "Product Viewed"']
    presets[0]["mapping"] |= mapping or {}
    event = {**VIEW, "properties": {**VIEW["properties"], **properties}}  # type: ignore[dict-item]
    (item,) = compile_destination(slug, "ID", presets).items(event, NOW)
    return item


WEB, APP, OFFLINE = "tiktok-conversions", "tiktok-app-events", "tiktok-offline-conversions"


@pytest.mark.parametrize(
    ("slug", "mapping", "properties", "expected"),
    [
        (WEB, {}, {}, ()),
        (APP, {}, {}, ()),
        (OFFLINE, {}, {}, ()),
        (WEB, {}, {"currency": "XTS"}, (Caution.UNKNOWN_CURRENCY,)),
        (WEB, {}, {"currency": "eur"}, (Caution.UNKNOWN_CURRENCY,)),
        (WEB, {}, {"currency": None}, (Caution.VALUE_WITHOUT_CURRENCY,)),
        (WEB, {}, {"currency": None, "value": None}, ()),
        (WEB, {}, {"phone": "AB" * 32}, (Caution.UNHASHED,)),
        (WEB, {}, {"first_name": "AB" * 32}, ()),
        (WEB, {}, {"email": "AB" * 32}, ()),
        (WEB, {}, {"phone": "ab" * 32}, ()),
        (WEB, {}, {"phone": "call me"}, (Caution.EMPTY_PHONE,)),
        (WEB, {"timestamp": "2024-06-16T12:00:00Z"}, {}, (Caution.FUTURE,)),
        (WEB, {"timestamp": "+022024-06-16T12:00:00Z"}, {}, (Caution.MILLISECONDS,)),
        (WEB, {"event": "Wishlisted"}, {}, ()),
        (OFFLINE, {"event": "Wishlisted"}, {}, (Caution.OWN_NAME,)),
        (WEB, {}, {"query": "x" * LARGE}, (Caution.LARGE,)),
        (WEB, {}, {"query": "half \ud83d"}, (Caution.HALF_CHARACTER,)),
    ],
)
def test_odd_items_are_sent_and_told(
    slug: str, mapping: dict[str, Any], properties: dict[str, Any], expected: tuple[Caution, ...]
) -> None:
    item = only(slug, mapping, **properties)
    assert item.error is None
    assert item.body
    assert item.cautions == expected
    assert item.remarks == tuple(caution.value for caution in expected)


@pytest.mark.parametrize(
    ("slug", "mapping", "message"),
    [
        (WEB, {"event_source": "crm", "lead_fields": {}}, "TikTok takes no CRM event without a lead_id"),
        (WEB, {"event_source": "crm", "lead_fields": {"lead_id": ""}}, "TikTok takes no CRM event without a lead_id"),
        (WEB, {"event": {"@path": "$.properties.names"}}, "TikTok takes no event without a name"),
        (APP, {"app": {"app_id": ""}}, "TikTok takes no app event without an app_id"),
    ],
)
def test_a_doomed_item_is_found_before_it_spoils_a_batch(slug: str, mapping: dict[str, Any], message: str) -> None:
    item = only(slug, mapping, names=[""])
    assert (item.error, item.body, item.data) == (message, b"", None)


def test_a_crm_item_with_its_lead_is_fine() -> None:
    item = only(WEB, {"event_source": "crm", "lead_fields": {"lead_id": "L1"}})
    assert (item.error, item.event_source) == (None, "crm")


def test_the_names_are_those_of_the_sheet(shared: Path) -> None:
    sheet = (shared / "facts" / "tiktok_events_api.md").read_text("utf-8")
    listed = sheet.partition("Currencies (D, GO/SDK): ")[2].partition("\n")[0]
    assert set(re.findall(r"\b[A-Z]{3}\b", listed)) == CURRENCIES
    web = sheet.partition("Web / offline / crm standard (D): ")[2].partition(". Page views")[0]
    assert set(web.split(", ")) <= STANDARD_EVENTS
