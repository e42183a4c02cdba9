"""Fields of TikTok Offline Conversions."""

from __future__ import annotations

from dataclasses import replace

from relay.core.tiktok.fields.field import CONTENT_TYPE, CONTENTS, Demand, boolean, number, text, texts

FIELDS = (
    text("event", "Event Name", required=True),
    text("event_id", "Event ID"),
    text("timestamp", "Event Timestamp"),
    texts("phone_numbers", "Phone Number"),
    texts("email_addresses", "Email"),
    text("order_id", "Order ID"),
    text("shop_id", "Shop ID"),
    texts("external_ids", "External ID"),
    text("ttclid", "TikTok Click ID"),
    text("ttp", "TikTok Cookie ID"),
    text("lead_id", "TikTok Lead ID"),
    text("locale", "Locale"),
    text("url", "Page URL"),
    text("referrer", "Page Referrer"),
    text("ip", "IP Address"),
    text("user_agent", "User Agent"),
    replace(CONTENTS, as_written=True),
    CONTENT_TYPE,
    text("currency", "Currency"),
    number("value", "Value"),
    text("description", "Description"),
    text("query", "Query"),
    boolean("limited_data_use", "Limited Data Use"),
    text("test_event_code", "Test Event Code"),
)
DEMANDS: tuple[Demand, ...] = ()
