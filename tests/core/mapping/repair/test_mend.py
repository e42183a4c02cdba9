"""Events that Segment loses, and what becomes of them here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from relay.core.mapping import Item, compile_destination, load_presets
from relay.core.mapping.repair import Rule
from relay.core.tiktok.validity import Caution

NOW = 1_718_454_896
ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2024-06-15T12:00:00.000Z",
    "userId": "u-1",
    "properties": {
        "currency": "EUR",
        "value": 12.5,
        "products": [{"product_id": "a", "price": 5, "quantity": 2}, {"product_id": "b", "price": 2.5}],
    },
}
APP = {**ORDER, "context": {"app": {"namespace": "com.example.shop"}, "device": {"type": "ios"}}}


def only(event: dict[str, Any], slug: str = "tiktok-conversions", *, repair: bool = True) -> Item:
    items = compile_destination(slug, "ID", load_presets(slug), repair=repair).items(event, NOW)
    assert len(items) == 1
    return items[0]


def order(**properties: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], **properties}}  # type: ignore[dict-item]


def rules(item: Item) -> set[Rule]:
    return {repair.rule for repair in item.repairs}


@pytest.mark.parametrize(
    ("event", "path", "value", "rule"),
    [
        (order(value="$1,299.90"), ("properties", "value"), 1299.9, Rule.MONEY),
        (order(value="1,299.90"), ("properties", "value"), 1299.9, Rule.THOUSANDS),
        (order(value="19,90"), ("properties", "value"), 19.9, Rule.DECIMAL_COMMA),
        (order(num_items="1,000"), ("properties", "num_items"), 1000, Rule.THOUSANDS),
        (order(delivery_category="IN_STORE"), ("properties", "delivery_category"), "in_store", Rule.LETTER_CASE),
        (order(limited_data_use="TRUE"), ("limited_data_use",), True, Rule.LETTER_CASE),
        (order(query={"text": "shoes"}), ("properties", "query"), "shoes", Rule.NOT_TEXT),
        ({**ORDER, "timestamp": 1718452800}, ("event_time",), 1718452800, Rule.EPOCH_TIME),
        ({**ORDER, "timestamp": "1718452800000"}, ("event_time",), 1718452800, Rule.EPOCH_TIME),
        ({**ORDER, "timestamp": 1718452800.75}, ("event_time",), 1718452800, Rule.EPOCH_TIME),
        ({**ORDER, "timestamp": "2024-06-15T12:00:00Z "}, ("event_time",), 1718452800, Rule.BLANKS),
        ({**ORDER, "context": None}, ("event_id",), "m-1", Rule.AUDIENCE),
    ],
)
def test_a_rule(event: dict[str, Any], path: tuple[str, ...], value: object, rule: Rule) -> None:
    without = only(event, repair=False)
    assert (without.data, without.repairs) == (None, ())
    assert without.error
    item = only(event)
    assert item.error is None
    found: Any = item.data
    for step in path:
        found = found[step]
    assert found == value
    assert rule in rules(item)


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "1e999"])
def test_an_endless_number_is_left_out(value: str) -> None:
    item = only(order(value=value))
    assert item.data is not None
    assert "value" not in item.data["properties"]
    assert rules(item) == {Rule.INFINITE}


@pytest.mark.parametrize("query", [{"a": 1, "b": 2}, {}, [], [1, 2], {"deep": {"er": 1}}])
def test_an_object_where_a_text_belongs_is_left_out(query: object) -> None:
    item = only(order(query=query))
    assert item.data is not None
    assert "query" not in item.data["properties"]
    assert rules(item) == {Rule.NOT_TEXT}


def test_objects_among_addresses_are_left_out() -> None:
    item = only(order(email=["a@example.com", {"verified": True, "primary": False}]))
    assert item.data is not None
    assert len(item.data["user"]["email"]) == 1
    assert rules(item) == {Rule.NOT_TEXT}


@pytest.mark.parametrize(
    "products",
    [
        '[{"product_id": "a", "price": 5, "quantity": 2}, {"product_id": "b", "price": 2.5}]',
        {"0": {"product_id": "a", "price": 5, "quantity": 2}, "1": {"product_id": "b", "price": 2.5}},
        '{"1": {"product_id": "b", "price": 2.5}, "0": {"product_id": "a", "price": 5, "quantity": 2}}',
        ['{"product_id": "a", "price": 5, "quantity": 2}', {"product_id": "b", "price": 2.5}],
    ],
)
def test_lists_of_products_in_disguise(products: object) -> None:
    event = {**APP, "properties": {**ORDER["properties"], "products": products}}  # type: ignore[dict-item]
    assert only(event, "tiktok-app-events", repair=False).error
    item, plain = only(event, "tiktok-app-events"), only(APP, "tiktok-app-events", repair=False)
    assert item.data == plain.data
    assert rules(item) == {Rule.PRODUCTS}


def test_one_product_as_text() -> None:
    item = only(order(products='{"product_id": "a", "price": "$5"}'))
    assert item.data is not None
    assert item.data["properties"]["contents"] == [{"price": 5, "content_id": "a"}]
    assert rules(item) == {Rule.PRODUCTS, Rule.MONEY}


def test_prices_inside_products() -> None:
    item = only(order(products=[{"product_id": 1, "price": "€ 5,50"}, {"product_id": 2, "price": "$5"}]))
    assert item.data is not None
    assert [content["price"] for content in item.data["properties"]["contents"]] == [5.5, 5]
    assert item.remarks == ("money", "decimal_comma")


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (order(value="free"), "Value must be a number but it was a string."),
        (order(products="none"), "The value at /contents/0 must be an object but it was a string."),
        (order(value="€ 1.234"), "Value must be a number but it was a string."),
        (order(value={"a": 1}), "Value must be a number but it was an object."),
        ({**ORDER, "messageId": {"a": 1, "b": 2}}, "Event ID must be a string but it was an object."),
        # One thing can be mended and another cannot: Segment's message names both, as it came.
        (
            order(value="free", num_items="$5"),
            "Number of Items must be a number but it was a string. Value must be a number but it was a string.",
        ),
    ],
)
def test_what_stays_wrong_keeps_segments_words(event: dict[str, Any], message: str) -> None:
    item = only(event)
    assert (item.data, item.error, item.repairs, item.body) == (None, message, (), b"")


@pytest.mark.parametrize("timestamp", ["yesterday", "15/01/2024", 20240115, "99999999999999999999999", True])
def test_a_time_that_nobody_can_read_is_no_time(timestamp: object) -> None:
    item = only({**ORDER, "timestamp": timestamp})
    assert item.data is None
    assert item.error is not None
    assert "event_time is null" in item.error


@pytest.mark.parametrize(
    "event",
    [
        ORDER,
        order(value=" 12.5 "),
        order(products={"0": {"product_id": "a"}}),  # odd, but Segment sends it: an item without members
        {**ORDER, "timestamp": "5"},  # the first of May 2001
        order(currency="eur"),
    ],
)
def test_what_segment_sends_is_never_touched(event: dict[str, Any]) -> None:
    with_repair, without = only(event), only(event, repair=False)
    assert with_repair.data == without.data
    assert with_repair.repairs == ()


@pytest.mark.parametrize("timestamp", [{"$date": 1718452800000}, [1718452800], {"at": ["2024-06-15T12:00:00.000Z "]}])
def test_a_time_that_stands_alone_in_an_object_is_read(timestamp: object) -> None:
    item = only({**ORDER, "timestamp": timestamp})
    assert item.event_time == (1718452800 if "at" not in str(timestamp) or "$date" in str(timestamp) else None)


@pytest.mark.parametrize("timestamp", [["2020-01-01", "x"], {"a": 1, "b": 2}, [], {"seconds": 1, "nanos": 0}])
def test_a_time_is_never_left_out(timestamp: object) -> None:
    """Without one the event would be given the time of its receipt."""
    assert only({**ORDER, "timestamp": timestamp}).data is None


@pytest.mark.parametrize("value", [[[5]], [[True]]])
def test_nothing_changes_without_a_rule(value: object) -> None:
    item = only(order(value=value))
    assert (item.data, item.repairs) == (None, ())


def test_more_than_somebody_meant_well_is_not_read() -> None:
    few, many = ([{"product_id": "a", "price": "$5"}] * count for count in (200, 201))
    assert only(order(products=few)).data is not None
    assert only(order(products=many)).data is None
    disguised = json.dumps([{"product_id": "a", "price": "$5"}] * 250)
    assert only(order(products=disguised)).data is None


def test_the_readme_lists_every_rule_and_caution() -> None:
    text = (Path(__file__).parents[4] / "README.md").read_text("utf-8")
    section = text.partition("## Events that Segment would lose")[2].partition("\n## ")[0]
    assert {rule.value for rule in Rule} <= set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    assert {caution.value for caution in Caution} <= set(re.findall(r"`(\w+)`", section))
