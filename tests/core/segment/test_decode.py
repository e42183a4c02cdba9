from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.event import Event
from relay.core.notices import Why
from relay.core.segment.decode import Arrival, Decoded, Misfit, sdk_event, webhook_event

RECEIVED_MS = 1_769_338_805_000  # 2026-01-25T11:00:05Z
EVENT = {"type": "track", "event": "Order Completed", "messageId": "1"}


def event(found: Event | Misfit) -> Event:
    assert isinstance(found, Event), found
    assert orjson.loads(found.raw) == found.body
    return found


def from_webhook(item: Any, raw: bytes | None = None, max_depth: int = 64) -> Event | Misfit:
    return webhook_event(item, raw, max_depth)


def from_sdk(item: Any, max_depth: int = 64, **known: Any) -> Event | Misfit:
    return sdk_event(item, Arrival(RECEIVED_MS, **known), max_depth)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def test_a_complete_event_keeps_its_bytes() -> None:
    raw = b'{ "type":"track","event":"Order Completed","messageId":"1"}'
    assert from_webhook(EVENT, raw) == Event("1", EVENT, raw)


def test_an_element_is_written_anew() -> None:
    assert event(from_webhook(EVENT)).raw == orjson.dumps(EVENT)


@pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": 7}])
def test_an_event_name_without_a_type_is_a_track(kind: dict[str, Any]) -> None:
    item = {"event": "Order Completed", "properties": {}, "messageId": "1", **kind}
    assert event(from_webhook(item, orjson.dumps(item))).body == {**item, "type": "track"}


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (None, Why.BAD_SHAPE),
        (7, Why.BAD_SHAPE),
        ("text", Why.BAD_SHAPE),
        ([EVENT], Why.BAD_SHAPE),
        ({}, Why.NOT_AN_EVENT),
        ({"order_id": "FH-100700", "revenue": 337}, Why.NOT_AN_EVENT),
        ({"type": 7, "event": None}, Why.NOT_AN_EVENT),
        ({"json": "type=track"}, Why.NOT_AN_EVENT),
    ],
)
def test_what_is_no_event(item: Any, why: Why) -> None:
    for found in (from_webhook(item), from_webhook(item, orjson.dumps(item)), from_sdk(item)):
        assert isinstance(found, Misfit)
        assert found.why is why
        assert orjson.loads(found.raw) == item


def test_depth_is_bounded_and_a_deep_misfit_can_still_be_stored() -> None:
    shallow = {**EVENT, "properties": nested(63)}
    assert isinstance(from_webhook(shallow), Event)
    assert isinstance(from_webhook(shallow, orjson.dumps(shallow)), Event)
    assert isinstance(from_sdk(shallow), Event)
    deep = {**EVENT, "properties": nested(64)}
    for found in (from_webhook(deep), from_webhook(deep, orjson.dumps(deep)), from_sdk(deep)):
        assert isinstance(found, Misfit)
        assert found.why is Why.TOO_DEEP
    abyss = {**EVENT, "properties": nested(900)}  # deeper than orjson can write
    assert from_webhook(abyss) == Misfit(Why.TOO_DEEP, orjson.dumps(EVENT))


@pytest.mark.parametrize(
    ("given_id", "expected", "stored"),
    [("m", "m", "m"), (12, "12", 12), (None, None, None), ("", None, None), (True, None, None), ([], None, None)],
)
def test_every_event_has_an_id_and_carries_it(given_id: Any, expected: str | None, stored: Any) -> None:
    found = event(from_webhook({**EVENT, "messageId": given_id}))
    assert found.id == (expected or found.body["messageId"])
    assert found.body["messageId"] == (stored or found.id)


def test_an_sdk_event_is_completed_as_segment_would() -> None:
    item = {
        "event": "Order Completed",
        "messageId": "1",
        "timestamp": "2026-01-25T10:59:50.000Z",
        "sentAt": "2026-01-25T10:59:55.000Z",
        "writeKey": "secret",
        "context": {"library": {"name": "analytics.js"}},
    }
    found = event(from_sdk(item, kind="track", ip="203.0.113.9"))
    assert found.body == {
        "type": "track",
        "event": "Order Completed",
        "messageId": "1",
        "originalTimestamp": "2026-01-25T10:59:50.000Z",
        "timestamp": "2026-01-25T11:00:00.000Z",
        "sentAt": "2026-01-25T10:59:55.000Z",
        "receivedAt": "2026-01-25T11:00:05.000Z",
        "context": {"library": {"name": "analytics.js"}, "ip": "203.0.113.9"},
    }
    assert item["writeKey"] == "secret"  # what came in is left alone


@pytest.mark.parametrize(
    ("context", "ip"),
    [
        ({"library": {"name": "analytics.js"}}, "9"),
        ({"library": {"name": "analytics-swift"}, "ip": ""}, "9"),
        ({"library": "analytics-kotlin"}, "9"),
        ({"library": {"name": "analytics.js"}, "ip": "1"}, "1"),
        ({"library": {"name": "analytics-python"}}, None),
        ({"library": {"name": "analytics-python"}, "direct": True}, "9"),
        ({"library": {"name": ["analytics.js"]}}, None),
        ({"library": None}, None),
        ({}, None),
    ],
)
def test_the_address_is_filled_in_for_client_libraries_only(context: dict[str, Any], ip: str | None) -> None:
    assert event(from_sdk({**EVENT, "context": context}, ip="9")).body["context"].get("ip") == ip


@pytest.mark.parametrize("context", [None, [], "x"])
def test_an_odd_context_is_left_alone(context: Any) -> None:
    assert event(from_sdk({**EVENT, "context": context}, ip="9")).body["context"] == context


def test_the_path_names_the_type_only_where_the_item_does_not() -> None:
    assert event(from_sdk({"messageId": "1"}, kind="page")).body["type"] == "page"
    assert event(from_sdk({"messageId": "1", "type": "identify"}, kind="page")).body["type"] == "identify"
    assert event(from_sdk({"messageId": "1", "event": "Order Completed"})).body["type"] == "track"


def test_a_derived_id_survives_a_repetition() -> None:
    item = {"type": "track", "event": "Order Completed", "properties": {"order_id": "1"}}
    first = sdk_event({**item, "sentAt": "2026-01-25T11:00:00Z"}, Arrival(RECEIVED_MS, ip="1"), 64)
    later = sdk_event({**item, "sentAt": "2026-01-25T11:09:00Z"}, Arrival(RECEIVED_MS + 540_000, ip="2"), 64)
    assert event(first).id == event(later).id


def test_decoded_makes_each_event_when_its_turn_comes() -> None:
    made: list[Any] = []

    def finish(item: Any) -> Event | Misfit:
        made.append(item)
        return from_webhook(item)

    decoded = Decoded([EVENT, {**EVENT, "messageId": "2"}], finish)
    assert len(decoded) == 2
    turn = iter(decoded)
    assert event(next(turn)).id == "1"
    assert made == [EVENT]
    assert from_webhook(EVENT) in decoded


def test_every_example_is_an_event_or_a_misfit_with_a_reason(shared: Path) -> None:
    misfits = {}
    lines = (shared / "data" / "segment_examples.jsonl").read_text().splitlines()
    assert len(lines) == 119
    for line in lines:
        example = json.loads(line)
        for found in (from_webhook(example["event"], orjson.dumps(example["event"])), from_sdk(example["event"])):
            if isinstance(found, Misfit):
                misfits[example["id"]] = found.why
            else:
                assert event(found).id
    assert misfits == {"ex-115": Why.NOT_AN_EVENT}


MEMBERS = st.dictionaries(
    st.sampled_from(["type", "event", "messageId", "message_id", "timestamp", "sentAt", "context", "writeKey", "x"]),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.lists(st.integers(0, 9), max_size=2)
    | st.dictionaries(st.just("library"), st.text(max_size=3)),
)


@settings(max_examples=300, deadline=None)
@given(MEMBERS)
def test_no_item_crashes_either_door(item: dict[str, Any]) -> None:
    for found in (from_webhook(item), from_sdk(item, kind="track", sent_at=item.get("x"), ip="9")):
        body = orjson.loads(found.raw)
        if isinstance(found, Event):
            assert body == found.body
            assert found.id
            assert isinstance(body["type"], str)
