"""What TikTok would say of an item, asked before a batch of 500 is refused because of it (TikTok sheet section 2).

Only what TikTok is known to refuse dooms an item. Whatever is merely odd is sent as Segment sends it, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from relay.core.event import JsonObject
from relay.core.tiktok.hashing import phone
from relay.core.tiktok.names import CURRENCIES, STANDARD_EVENTS

MILLISECONDS_FROM = 100_000_000_000  # as seconds the year 5138, as milliseconds 1973
FUTURE_S = 600  # clocks of visitors go wrong by minutes
LARGE = 900_000  # bytes; no limit is documented, clients reported trouble above 1 MB (TikTok sheet section 2.1)
_NO_DIGITS = phone("-")  # what every phone number without a digit is hashed to


class Caution(StrEnum):
    """Something odd about an item that is sent all the same. Label of ``relay_items_doubted_total``."""

    UNKNOWN_CURRENCY = "unknown_currency"
    VALUE_WITHOUT_CURRENCY = "value_without_currency"
    UNHASHED = "unhashed"
    MILLISECONDS = "milliseconds"
    FUTURE = "future"
    OWN_NAME = "own_name"
    EMPTY_PHONE = "empty_phone"
    LARGE = "large"
    HALF_CHARACTER = "half_character"


WORDS = {
    Caution.UNKNOWN_CURRENCY: "TikTok does not know this currency, so it may ignore the value",
    Caution.VALUE_WITHOUT_CURRENCY: "a value without a currency says little to TikTok",
    Caution.UNHASHED: "a hash is written in capitals, so it may match nobody",
    Caution.MILLISECONDS: "the time looks like milliseconds where TikTok reads seconds",
    Caution.FUTURE: "the time lies in the future",
    Caution.OWN_NAME: "offline events need one of TikTok's standard names",
    Caution.EMPTY_PHONE: "the phone number has no digits, so its hash matches nobody",
    Caution.HALF_CHARACTER: "the mapping cut a character in two, and a strict reader refuses what is left",
    Caution.LARGE: "the item is so large that TikTok may refuse it",
}


def doom(event_source: str, item: JsonObject) -> str:
    """Why TikTok is bound to refuse the item, '' when it is not. The schema has seen to all types already.

    Of the web's nothing else is known that a schema lets pass and TikTok refuses.
    """
    if not item["event"]:
        return "TikTok takes no event without a name"
    if event_source == "crm" and not item.get("lead", {}).get("lead_id"):
        return "TikTok takes no CRM event without a lead_id"
    if event_source == "app" and not item["app"]["app_id"]:
        return "TikTok takes no app event without an app_id"
    return ""


def cautions(event_source: str, item: JsonObject, body: bytes, received_s: int) -> tuple[Caution, ...]:
    """Everything odd about an item. ``body`` is its JSON, ``received_s`` the time of receipt in Unix seconds.

    Hot: once per item, and nearly always empty.
    """
    odd: tuple[Caution, ...] = ()
    properties, phones = item["properties"], item["user"].get("phone")
    currency = properties.get("currency")
    if currency not in CURRENCIES and (currency or "value" in properties):
        odd += (Caution.UNKNOWN_CURRENCY if currency else Caution.VALUE_WITHOUT_CURRENCY,)
    if item["event_time"] > received_s + FUTURE_S:
        odd += (Caution.FUTURE if item["event_time"] < MILLISECONDS_FROM else Caution.MILLISECONDS,)
    if event_source == "offline" and item["event"] not in STANDARD_EVENTS:
        odd += (Caution.OWN_NAME,)
    if len(body) > LARGE:
        odd += (Caution.LARGE,)
    if b"\\ud" in body:
        odd += (Caution.HALF_CHARACTER,)
    return odd + _badly_hashed(phones) if phones else odd


def _badly_hashed(phones: Sequence[str]) -> tuple[Caution, ...]:
    """Hashes that cannot match. A phone number that arrives as a hash is passed on as it came, perhaps in capitals.

    Nothing else can fail: every other identifier is written small before anybody looks whether it is a hash.
    """
    empty = (Caution.EMPTY_PHONE,) if _NO_DIGITS in phones else ()
    for text in phones:
        if text and not text.islower() and text != text.lower():
            return (*empty, Caution.UNHASHED)
    return empty
