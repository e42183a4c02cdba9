"""One subscription as Segment runs it: what Segment lets pass is no exception."""

from __future__ import annotations

from typing import Any

import pytest

from relay.core.mapping import Rejected, Request, TriggerError, compile_subscription, compile_trigger, load_presets

SETTINGS = {"accessToken": "t", "pixelCode": "P"}
ORDER = {"type": "track", "event": "Order Completed", "timestamp": "2024-01-02T03:04:05Z"}


def run(subscription: dict[str, Any], event: Any, settings: dict[str, Any] | None = None) -> Any:
    return compile_subscription("tiktok-conversions", SETTINGS if settings is None else settings, subscription)(
        event, 7
    )


def test_settings_are_looked_at_first() -> None:
    subscription = {"subscribe": 'type = "page"', "mapping": {}}
    assert run(subscription, ORDER, {}) == Rejected(
        "The root value is missing the required field 'accessToken'. "
        "The root value is missing the required field 'pixelCode'."
    )
    refused = run(subscription, ORDER, {"accessToken": "t", "pixelCode": {}})
    assert refused == Rejected("Pixel Code must be a string but it was an object.")


@pytest.mark.parametrize("trigger", ["", None, 5, "foo", 'event = "x'])
def test_an_invalid_trigger_matches_nothing(trigger: Any) -> None:
    assert run({"subscribe": trigger, "mapping": {"event": "Lead"}}, ORDER) is None


def test_a_trigger_that_fails_rejects() -> None:
    answer = run({"subscribe": 'type = "track" and ()', "mapping": {"event": "Lead"}}, ORDER)
    assert answer == Rejected("the trigger has an empty group")


def test_a_group_ends_in_a_token_that_can_be_read_as_a_value() -> None:
    trigger = compile_trigger('(contains(event, )) or type = "x"')
    assert [trigger({"event": name}) for name in ("Order", "eos")] == [False, True]


def test_an_invalid_mapping_rejects_what_matches() -> None:
    subscription = {"subscribe": 'type = "track"', "mapping": {"event": {"@bar": 1}}}
    assert run(subscription, ORDER) == Rejected("/event has an invalid directive: @bar.")
    assert run(subscription, {"type": "page"}) is None
    assert run(subscription, [ORDER]) is None


def test_no_mapping_is_an_empty_one() -> None:
    answer = run({"subscribe": 'type = "track"', "mapping": None}, ORDER)
    assert answer == Rejected("The root value is missing the required field 'event'.")


def test_a_list_of_nothing_is_there_and_of_the_wrong_type() -> None:
    answer = run({"subscribe": 'type = "track"', "mapping": {"event": [{"@path": "$.missing"}]}}, ORDER)
    assert answer == Rejected("Event Name must be a string but it was undefined.")
    app = {"event_source": "app", "event": "Login", "app": {"app_id": [{"@path": "$.missing"}]}, "att_status": "AUTO"}
    settings = {"accessToken": "t", "appID": "A"}
    subscription = {"subscribe": 'type = "track"', "mapping": app}
    answer = compile_subscription("tiktok-app-events", settings, subscription)(ORDER, 7)
    assert answer == Rejected("Mobile App ID must be a string but it was undefined.")


def test_a_directive_as_the_root_may_give_no_object() -> None:
    mapping: dict[str, Any] = {"__segment_internal_directive": {"@path": {}}}
    answer = run({"subscribe": 'type = "track"', "mapping": mapping}, ORDER)
    assert isinstance(answer, Rejected)


def test_segments_request_keeps_what_json_makes_of_infinity_and_of_unreadable_times() -> None:
    preset = load_presets("tiktok-conversions")[0]
    products = [{"price": "1e999", "quantity": 1}]
    event = {**ORDER, "timestamp": "soon", "properties": {"value": "-Infinity", "products": products}}
    answer = run(preset, event)
    assert isinstance(answer, Request)
    (item,) = answer.body["data"]
    assert item["event_time"] is None
    assert item["properties"]["value"] is None
    assert item["properties"]["contents"] == [{"price": None, "quantity": 1}]


@pytest.mark.parametrize(("context", "fails"), [(None, True), ({"personas": None}, True), ({}, False), (5, False)])
def test_null_where_segment_looks_for_audiences(context: Any, fails: bool) -> None:  # noqa: FBT001
    answer = run({"subscribe": 'type = "track"', "mapping": {"event": "Lead"}}, {**ORDER, "context": context})
    assert isinstance(answer, Rejected if fails else Request)


def test_an_unknown_destination_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError):
        compile_subscription("tiktok", SETTINGS, {})
    with pytest.raises(KeyError):
        load_presets("../presets/tiktok-conversions")


@pytest.mark.parametrize(
    ("fql", "literal"),
    [
        ('event = "Order Completed"', ("event", "Order Completed")),
        ('type = "page"', ("type", "page")),
        ("type = page", ("type", "page")),
        ("event = 'x'", ("event", "'x'")),
        ('event != "x"', None),
        ('name = "x"', None),
        ('event = "x" or event = "y"', None),
        ('event.y = "x"', None),
        ("event = true", None),
    ],
)
def test_literal_triggers_are_known(fql: str, literal: tuple[str, str] | None) -> None:
    trigger = compile_trigger(fql)
    assert trigger.literal == literal
    if literal:
        assert trigger({literal[0]: literal[1]})
        assert not trigger({literal[0]: [literal[1]]})
        assert not trigger({})


@pytest.mark.parametrize("fql", [5, None, "", "a[0] = 1", 'event="x"and', 'properties.a >=5 and "', "((event = 1))"])
def test_what_is_no_trigger(fql: Any) -> None:
    with pytest.raises(TriggerError):
        compile_trigger(fql)
