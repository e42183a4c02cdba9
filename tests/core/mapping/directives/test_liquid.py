"""The directive @liquid: its argument, its scope, and the time it calls now."""

from __future__ import annotations

from typing import Any

import pytest

from relay.core.mapping import MappingError, Request, compile_mapping, compile_subscription
from tests.core.mapping.golden import NOW, SETTINGS

NOW_TEXT = {"@liquid": "{{ 'now' | date: '%Y-%m-%d' }}"}


def test_the_argument_is_text_as_written() -> None:
    with pytest.raises(MappingError) as caught:
        compile_mapping({"a": {"@liquid": {"@path": "$.x"}}, "b": {"@liquid": None}})
    assert caught.value.errors == [
        "/a/@liquid should be a string but it is a directive.",
        "/b/@liquid should be a string but it is a null.",
    ]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (5, "liquid template value must be a string"),
        ("x" * 1001, "liquid template values are limited to 1000 characters"),
        ("\U0001f600" * 501, "liquid template values are limited to 1000 characters"),
        ("{{ x", 'output "{{ x" not closed, line:1, col:1'),
    ],
)
def test_what_validation_does_not_see_fails_on_the_event(argument: Any, message: str) -> None:
    run = compile_mapping({"f": [{"@liquid": argument}]})
    with pytest.raises(MappingError) as caught:
        run({})
    assert caught.value.errors == [message]


def test_a_thousand_units_are_fine_and_the_result_is_always_text() -> None:
    run = compile_mapping({"f": {"@liquid": "\U0001f600" * 500}, "g": {"@liquid": "{{ n }}"}, "h": {"@liquid": ""}})
    assert run({"n": 5}) == {"f": "\U0001f600" * 500, "g": "5", "h": ""}


def test_an_unreadable_template_harms_only_the_branch_it_is_in() -> None:
    run = compile_mapping({"f": {"@if": {"exists": {"@path": "$.a"}, "then": {"@liquid": "{{ x"}, "else": "fine"}}})
    assert run({}) == {"f": "fine"}
    with pytest.raises(MappingError):
        run({"a": 1})


def test_the_scope_is_the_item_and_then_the_transformed_payload() -> None:
    of_items = compile_mapping({"f": {"@arrayPath": ["$.l", {"t": {"@liquid": "{{ k }}{{ u }}"}}]}})
    assert of_items({"u": 1, "l": [{"k": "a"}, None, 5]}) == {"f": [{"t": "a"}, {"t": ""}, {"t": ""}]}
    of_transformed = compile_mapping(
        {"f": {"@transform": {"apply": {"v": {"@path": "$.u"}}, "mapping": {"@liquid": "{{ v }}{{ u }}"}}}}
    )
    assert of_transformed({"u": 1}) == {"f": "1"}


def test_now_is_the_time_of_receipt() -> None:
    merged = {"@merge": {"objects": [{"y": NOW_TEXT}, {"z": {"@path": "$.x"}}], "direction": "left"}}
    nested = {"@transform": {"apply": {"x": NOW_TEXT}, "mapping": merged}}
    run = compile_mapping({"f": NOW_TEXT, "g": nested})
    assert run({}, 0) == {"f": "1970-01-01", "g": {"y": "1970-01-01", "z": "1970-01-01"}}
    assert run({}, 86_400_000)["f"] == "1970-01-02"
    assert run({"receivedAt": "2024-01-02T03:04:05Z"})["f"] == "2024-01-02"


@pytest.mark.parametrize("event", [{}, {"receivedAt": 5}, {"receivedAt": "yesterday"}])
def test_without_a_time_now_is_a_word_like_any_other(event: Any) -> None:
    assert compile_mapping({"f": NOW_TEXT})(event) == {"f": "now"}


def test_a_subscription_knows_its_time() -> None:
    mapping = {
        "event": "Purchase",
        "external_ids": "u1",
        "order_id": NOW_TEXT,
        "contents": {"@arrayPath": ["$.l", {"brand": NOW_TEXT}]},
    }
    slug = "tiktok-offline-conversions"
    run = compile_subscription(slug, SETTINGS[slug], {"subscribe": 'type = "track"', "mapping": mapping})
    answer = run({"type": "track", "l": [{}], "timestamp": "2020-01-01T00:00:00Z"}, NOW)
    assert isinstance(answer, Request)
    properties = answer.body["data"][0]["properties"]
    assert (properties["order_id"], properties["contents"]) == ("2024-06-15", [{"brand": "2024-06-15"}])
