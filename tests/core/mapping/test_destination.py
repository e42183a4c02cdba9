from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.event import NO_WORTH, Worth
from relay.core.mapping import MappingError, compile_destination, load_presets
from relay.core.mapping.presets import SLUGS
from tests.core.mapping.events import JSON, events

WEB = compile_destination("tiktok-conversions", "PIXEL", load_presets("tiktok-conversions"))
ALL = [compile_destination(slug, "ID", load_presets(slug)) for slug in SLUGS]
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "timestamp": "2024-01-02T03:04:05.678Z",
    "userId": "U1",
    "properties": {"value": "12.50", "products": [{"product_id": 1, "price": None, "quantity": "2"}, None]},
}


def subscription(name: str, trigger: str, event: Any = "Purchase") -> dict[str, Any]:
    return {"name": name, "subscribe": trigger, "mapping": {"event": event, "event_id": {"@path": "$.messageId"}}}


def test_the_worked_example_of_the_specification() -> None:
    (item,) = WEB.items(ORDER, 0)
    assert item.error is None
    assert (item.subscription, item.event, item.event_source) == ("Complete Payment", "CompletePayment", "web")
    assert item.event_time == 1704164645
    assert item.data is not None
    assert item.data["properties"] == {
        "contents": [
            {"price": 0, "quantity": 2, "content_id": "1"},
            {"price": 0, "quantity": 0, "content_category": "", "content_id": "", "content_name": "", "brand": ""},
        ],
        "content_type": "product",
        "value": 12.5,
    }
    assert item.data["limited_data_use"] is False
    assert json.loads(item.body) == item.data


@pytest.mark.parametrize(
    ("properties", "worth"),
    [
        ({"value": "12.50", "currency": "eur"}, Worth(12_500_000, "EUR")),
        ({"revenue": 3, "currency": "USD"}, Worth(3_000_000, "USD")),
        ({"value": 7}, Worth(7_000_000, "")),
        ({}, NO_WORTH),
    ],
)
def test_an_item_is_worth_what_tiktok_is_told(properties: dict[str, Any], worth: Worth) -> None:
    (item,) = WEB.items(ORDER | {"properties": properties}, 0)
    assert item.worth == worth
    assert item.data is not None
    assert (item.data["properties"].get("value") or 0) * 1_000_000 == worth.micros
    (broken,) = WEB.items(ORDER | {"properties": {"value": "not a number"}}, 0)
    assert broken.error is not None
    assert broken.worth == NO_WORTH


def test_a_page_with_an_event_name_is_two_items_in_preset_order() -> None:
    event = {"type": "page", "event": "Signed Up"}
    assert WEB.matches(event) == ("PageView", "CompleteRegistration")
    assert [item.subscription for item in WEB.items(event, 5)] == ["Page View", "Complete Registration"]
    assert [item.event_time for item in WEB.items(event, 5)] == [5, 5]


@pytest.mark.parametrize(
    "event", [[], None, "x", 5, {}, {"event": ["Order Completed"]}, {"type": {}}, {"type": "Page"}]
)
def test_nobody_wants_what_does_not_match(event: Any) -> None:
    assert WEB.matches(event) == ()
    assert WEB.items(event, 0) == []


def test_an_item_without_a_readable_time_is_an_error() -> None:
    (item,) = WEB.items({"event": "Order Completed", "timestamp": "yesterday"}, 0)
    assert item.data is None
    assert item.body == b""
    assert item.event == "CompletePayment"
    assert "event_time" in str(item.error)


def test_an_infinite_number_is_an_error() -> None:
    plain = compile_destination("tiktok-conversions", "PIXEL", load_presets("tiktok-conversions"), repair=False)
    (item,) = plain.items({"event": "Order Completed", "properties": {"value": "Infinity"}}, 0)
    assert item.data is None
    assert "Value is infinite" in str(item.error)


def test_a_rejected_event_says_so_in_segments_words() -> None:
    (item,) = WEB.items({"event": "Order Completed", "properties": {"value": "much"}}, 0)
    assert item.error == "Value must be a number but it was a string."


def test_general_triggers_are_asked_in_order_beside_literal_ones() -> None:
    mapping = compile_destination(
        "tiktok-conversions",
        "P",
        [
            subscription("a", "properties.value > 5", "A"),
            subscription("b", 'event = "Order Completed"', "B"),
            subscription("c", 'type = "track" and event != "x"', "C"),
            subscription("d", 'type = "track"', "D"),
            {**subscription("e", 'type = "track"', "E"), "enabled": False},
        ],
    )
    event = {"type": "track", "event": "Order Completed", "properties": {"value": 6}}
    assert mapping.matches(event) == ("A", "B", "C", "D")
    assert mapping.matches({"type": "track", "event": "x"}) == ("D",)


def test_an_event_name_may_be_computed() -> None:
    mapping = compile_destination(
        "tiktok-conversions", "P", [subscription("s", 'type = "track"', {"@path": "$.event"})]
    )
    assert mapping.matches({"type": "track", "event": "Lead"}) == ("Lead",)
    assert mapping.matches({"type": "track", "event": 5}) == ("",)


def test_a_trigger_that_fails_on_an_event_is_told_as_an_error() -> None:
    mapping = compile_destination("tiktok-conversions", "P", [subscription("s", 'type = "track" and (foo = "x")')])
    assert mapping.matches({"type": "track"}) == ("Purchase",)
    (item,) = mapping.items({"type": "track"}, 0)
    assert item.error == "the trigger has an empty group"
    assert mapping.matches({"type": "page"}) == ()


def test_every_problem_of_every_subscription_is_listed() -> None:
    with pytest.raises(MappingError) as caught:
        compile_destination(
            "tiktok-conversions",
            "P",
            [
                {"name": "one", "subscribe": "", "mapping": {"a": {"@bar": 1}, "b": {"@path": 5}}},
                {"subscribe": 'event = "x', "mapping": {}},
                {"name": "off", "enabled": False, "subscribe": "", "mapping": {}},
            ],
        )
    assert caught.value.errors == [
        "one: trigger: the trigger holds no condition",
        "one: /a has an invalid directive: @bar.",
        "one: /b/@path should be a string or a mapping directive but it is a number.",
        "subscription 2: trigger: the text that opens at position 9 is not closed",
    ]


def test_the_shape_of_segments_public_api_is_understood() -> None:
    exported = {"name": "s", "enabled": True, "trigger": 'type = "track"', "settings": {"event": "Lead"}}
    assert compile_destination("tiktok-conversions", "P", [exported]).matches({"type": "track"}) == ("Lead",)


def test_two_subscriptions_of_one_name_stay_apart() -> None:
    mapping = compile_destination("tiktok-conversions", "P", [subscription("s", 'type = "a"')] * 3)
    assert [item.subscription for item in mapping.items({"type": "a"}, 0)] == ["s", "s (2)", "s (3)"]


def test_test_codes_travel_beside_the_item() -> None:
    code = {"test_event_code": {"@path": "$.properties.code"}}
    mapping = compile_destination(
        "tiktok-conversions", "P", [{"name": "s", "subscribe": 'type = "a"', "mapping": {"event": "Lead", **code}}]
    )
    (item,) = mapping.items({"type": "a", "properties": {"code": "TEST1"}}, 0)
    assert item.test_event_code == "TEST1"
    assert "test_event_code" not in (item.data or {})


def test_a_mapping_that_nests_like_a_bomb_is_refused() -> None:
    bomb: Any = {}
    for _ in range(100_000):
        bomb = {"@if": bomb}
    with pytest.raises(MappingError, match="nested more than 100 levels"):
        compile_destination("tiktok-conversions", "P", [{"subscribe": 'type = "a"', "mapping": bomb}])


def test_an_event_that_nests_like_a_bomb_is_an_error() -> None:
    bomb: Any = "x"
    for _ in range(50_000):
        bomb = [bomb]
    template = {"event": "Lead", "query": {"@template": "{{properties.deep}}"}}
    mapping = compile_destination("tiktok-conversions", "P", [{"subscribe": 'type = "a"', "mapping": template}])
    (item,) = mapping.items({"type": "a", "properties": {"deep": bomb}}, 0)
    assert item.error == "the event nests too deeply for this mapping"
    deep = {"event": "Order Completed", "properties": {"query": bomb, "products": bomb}}
    (plain,) = compile_destination("tiktok-conversions", "P", load_presets("tiktok-conversions"), repair=False).items(
        deep, 0
    )
    assert "must be a string but it was an array" in str(plain.error)
    (mended,) = WEB.items(deep, 0)
    assert mended.error is None
    assert "query" not in json.loads(mended.body)["properties"]


@given(event=events | JSON)
@settings(max_examples=400, deadline=None)
def test_any_json_gives_items_or_reasons(event: Any) -> None:
    for mapping in ALL:
        items = mapping.items(event, 1_718_454_896)
        assert len(items) == len(mapping.matches(event))
        for item in items:
            assert (item.data is None) == (item.error is not None)
            if item.data is not None:
                assert type(item.event_time) is int
                # Not orjson: like JSON.stringify, a body spells a lone surrogate as an escape, which orjson refuses.
                assert json.loads(item.body) is not None


@given(text=st.text(max_size=12))
@settings(max_examples=100, deadline=None)
def test_bodies_survive_any_text(text: str) -> None:
    (item,) = WEB.items({"event": "Signed Up", "messageId": "m" + text, "properties": {"query": "\ud83d" + text}}, 0)
    assert json.loads(item.body)["properties"]["query"] == "\ud83d" + text
