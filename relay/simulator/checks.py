"""What TikTok refuses in a request, in the order it looks, and in its words (TikTok sheet sections 2, 5.4 and 10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from relay.simulator.control import Control

Json = Any
ItemCheck = Callable[[dict[str, Json], Control], "Fault | None"]
SOURCES = ("web", "app", "offline", "crm")
MAX_ITEMS = 1000
PARAMETER, PARTIAL, UNHASHED = 40002, 20001, 40062
# Seconds as big as this are in the year 5138; milliseconds as small as this are in 1973.
MILLIS_FROM = 100_000_000_000
HASH = re.compile(r"[0-9a-f]{64}")
# TikTok sheet section 2.5, with the old names that are still converted and the two spellings of the page view.
STANDARD_NAMES = frozenset(
    {
        "AddPaymentInfo",
        "AddToCart",
        "AddToWishlist",
        "ApplicationApproval",
        "ClickButton",
        "CompletePayment",
        "CompleteRegistration",
        "Contact",
        "CustomizeProduct",
        "Download",
        "FindLocation",
        "InitiateCheckout",
        "Lead",
        "PageView",
        "Pageview",
        "PlaceAnOrder",
        "Purchase",
        "Schedule",
        "Search",
        "StartTrial",
        "SubmitApplication",
        "SubmitForm",
        "Subscribe",
        "ViewContent",
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: at ``path`` inside item ``index`` (None: of the call itself)."""

    text: str
    path: str = ""
    index: int | None = None
    code: int = PARAMETER

    def message(self, style: str) -> str:
        """The message with the bad place named in one of the forms clients have reported."""
        if self.index is None:
            return self.text.format(self.path)
        if style == "vague":
            return "Invalid parameter."
        if style == "index 2":
            return f"{self.text.format(self.path)[:-1]} at index {self.index}."
        place = {"data[2]": f"data[{self.index}].", "data.2": f"data.{self.index}.", "none": ""}[style]
        return self.text.format((place + self.path).rstrip("."))


NOT_STRING, NOT_NUMBER = "Invalid value for {}: not a valid string.", "Invalid value for {}: not a valid number."
NOT_OBJECT, NOT_INTEGER = "Invalid value for {}: not a valid object.", "Invalid value for {}: not a valid integer."
NOT_LIST, MISSING = "Invalid value for {}: not a valid list.", "Missing required field(s): {}."


def top_fault(body: Json, control: Control) -> Fault | None:
    """The fields beside ``data``, before anybody asks whether the token may use the source."""
    if not isinstance(body, dict):
        return Fault("Invalid request body: not a valid JSON object.")
    if body.get("event_source") not in (SOURCES if control.crm == "accept" else SOURCES[:3]):
        return Fault("Invalid value for event_source: must be web, app or offline.")
    for name in ("event_source_id", "test_event_code", "partner_name"):
        value = body.get(name)
        if not isinstance(value, str) and (value is not None or name == "event_source_id"):
            return Fault(NOT_STRING, name)
    if not body["event_source_id"]:
        return Fault(MISSING, "event_source_id")
    return None


def partner_fault(body: dict[str, Json], control: Control) -> Fault | None:
    """Names TikTok does not know are refused, though the field is optional."""
    name = body.get("partner_name")
    if name is None or name in control.partners:
        return None
    return Fault("Invalid value for {}: not a registered partner.", "partner_name")


def size_fault(body: dict[str, Json], control: Control) -> Fault | None:
    """The whole call is refused for a list that is too long."""
    data = body.get("data")
    if data is None:
        return Fault(MISSING, "data")
    if not isinstance(data, list):
        return Fault(NOT_LIST, "data")
    if len(data) > MAX_ITEMS:
        return Fault(f"Invalid value for data: longer than the maximum length {MAX_ITEMS}.")
    if not data and control.empty_data == "40002":
        return Fault("Invalid value for data: shorter than the minimum length 1.")
    return None


def item_faults(data: Sequence[Json], source: str, control: Control, now: float) -> Iterator[Fault]:
    """At most one fault for each item, in order and lazily, so that the first can be the last. ``now`` in seconds."""
    later_checks = _rare_checks(source, control)
    for index, item in enumerate(data):
        found = _common_fault(item) or _time_fault(item["event_time"], control, now)
        if found is None and later_checks:
            found = next((fault for check in later_checks if (fault := check(item, control))), None)
        if found is not None:
            yield Fault(found.text, found.path, index, found.code)


def _common_fault(item: Json) -> Fault | None:
    """What every item of every source is asked. Hot: a benchmark sends 40,000 items a second through here."""
    if type(item) is not dict:
        return Fault(NOT_OBJECT)
    event = item.get("event")
    if type(event) is not str or not event:
        return Fault(NOT_STRING if event is not None else MISSING, "event")
    event_id = item.get("event_id")
    if event_id is not None and type(event_id) is not str:
        return Fault(NOT_STRING, "event_id")
    if type(item.get("event_time")) is not int:
        return Fault(NOT_INTEGER if item.get("event_time") is not None else MISSING, "event_time")
    for name in ("user", "properties", "page"):
        part = item.get(name)
        if part is not None and type(part) is not dict:
            return Fault(NOT_OBJECT, name)
    return _user_fault(item.get("user")) or _properties_fault(item.get("properties"))


def _time_fault(event_time: int, control: Control, now: float) -> Fault | None:
    seconds: float = event_time
    if event_time >= MILLIS_FROM:
        if control.event_time_millis == "refuse":
            return Fault("Invalid value for {}: must be Unix seconds.", "event_time")
        seconds = event_time / 1000
    if control.max_age and now - seconds > control.max_age:
        return Fault("Invalid value for {}: too old.", "event_time")
    if control.max_future and seconds - now > control.max_future:
        return Fault("Invalid value for {}: in the future.", "event_time")
    return None


def _user_fault(user: dict[str, Json] | None) -> Fault | None:
    if not user:
        return None
    for name in ("email", "phone", "external_id"):
        value = user.get(name)
        if value is None or type(value) is str:
            continue
        if type(value) is not list or not all(type(part) is str for part in value):
            return Fault(NOT_STRING, f"user.{name}")
    return None


def _properties_fault(properties: dict[str, Json] | None) -> Fault | None:
    if not properties:
        return None
    value = properties.get("value")
    if value is not None and type(value) not in (int, float):
        return Fault(NOT_NUMBER, "properties.value")
    contents = properties.get("contents")
    if not contents:
        return None
    if type(contents) is not list:
        return Fault(NOT_LIST, "properties.contents")
    for place, content in enumerate(contents):
        if fault := _content_fault(content):
            path = f"properties.contents.{place}.{fault.path}".rstrip(".")
            return Fault(fault.text, path)
    return None


def _content_fault(content: Json) -> Fault | None:
    if type(content) is not dict:
        return Fault(NOT_OBJECT)
    content_id, price = content.get("content_id"), content.get("price")
    if content_id is not None and type(content_id) is not str:
        return Fault(NOT_STRING, "content_id")
    if price is not None and type(price) not in (int, float):
        return Fault(NOT_NUMBER, "price")
    return None


def _rare_checks(source: str, control: Control) -> list[ItemCheck]:
    """The checks that this source and these switches add; usually none for web."""
    checks: list[ItemCheck] = []
    if source == "app":
        checks.append(_app_fault)
    if source == "crm":
        checks.append(_crm_fault)
    if source == "offline" and control.offline_names == "standard":
        checks.append(_offline_fault)
    if source == "web" and control.page_required:
        checks.append(_page_fault)
    if control.pii != "lax":
        checks.append(_pii_fault)
    if control.refuse_ids:
        checks.append(_refused_fault)
    return checks


def _app_fault(item: dict[str, Json], _: Control, /) -> Fault | None:
    app = item.get("app")
    if type(app) is dict and type(app.get("app_id")) is str and app["app_id"]:
        return None
    return Fault(MISSING, "app.app_id")


def _crm_fault(item: dict[str, Json], _: Control, /) -> Fault | None:
    lead = item.get("lead")
    if type(lead) is dict and type(lead.get("lead_id")) is str and lead["lead_id"]:
        return None
    return Fault(MISSING, "lead.lead_id")


def _offline_fault(item: dict[str, Json], _: Control, /) -> Fault | None:
    if item["event"] in STANDARD_NAMES:
        return None
    return Fault("Invalid value for {}: must be a standard event.", "event")


def _page_fault(item: dict[str, Json], _: Control, /) -> Fault | None:
    return None if (item.get("page") or {}).get("url") else Fault(MISSING, "page")


def _pii_fault(item: dict[str, Json], control: Control, /) -> Fault | None:
    user = item.get("user") or {}
    for name in ("email", "phone", "external_id"):
        value = user.get(name)
        for part in value if type(value) is list else [] if value is None else [value]:
            if not HASH.fullmatch(part):
                return Fault("Invalid value for {}: not hashed with SHA-256.", f"user.{name}", code=int(control.pii))
    return None


def _refused_fault(item: dict[str, Json], control: Control, /) -> Fault | None:
    if item.get("event_id") in control.refuse_ids:
        return Fault("Invalid value for {}: not accepted.", "event_id")
    return None
