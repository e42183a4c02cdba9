from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.notices import Why
from relay.core.segment.envelope import (
    LENIENT_LIMIT,
    LENIENT_VALUES,
    Envelope,
    Unreadable,
    deeper_than,
    open_envelope,
    values_in,
)

EVENT = {"type": "track", "event": "Order Completed", "messageId": "1"}
OTHER = {"type": "page", "messageId": "2"}


def opened(body: Any, max_events: int = 100) -> Envelope:
    found = open_envelope(body if isinstance(body, bytes) else orjson.dumps(body), max_events)
    assert isinstance(found, Envelope), found
    return found


def refusal(body: Any, max_events: int = 100) -> Why:
    found = open_envelope(body if isinstance(body, bytes) else orjson.dumps(body), max_events)
    assert isinstance(found, Unreadable), found
    assert found.message
    return found.why


def test_a_bare_event_keeps_its_text() -> None:
    body = b' {"type":"track", "n": 1e+21}\n'
    assert opened(body) == Envelope([{"type": "track", "n": 1e21}], body)


@pytest.mark.parametrize(
    "body",
    [
        [EVENT, OTHER],
        [{"json": EVENT}, {"json": OTHER}],
        [{"body": EVENT}, OTHER],
        {"batch": [EVENT, OTHER]},
        {"batch": [{"json": EVENT}, OTHER]},
        {"json": [EVENT, OTHER]},
    ],
)
def test_every_wrapping_of_two_events(body: Any) -> None:
    assert opened(body).items == [EVENT, OTHER]
    assert opened(body).raw is None


def test_one_wrapped_event_has_no_text_of_its_own() -> None:
    assert opened({"json": EVENT}) == Envelope([EVENT])
    assert opened([EVENT]) == Envelope([EVENT])
    assert opened({"json": "form=1"}).items == [{"json": "form=1"}]


def test_members_of_the_envelope_go_into_items_that_lack_them() -> None:
    items = [{**EVENT, "context": {"ip": "1", "page": {"url": "u"}}}, {**OTHER, "context": None}, {"context": []}, 7]
    envelope = {
        "batch": items,
        "context": {"ip": "2", "library": {"name": "l"}},
        "integrations": {"All": False},
        "sentAt": "2026-01-25T11:00:00Z",
        "writeKey": "wk",
    }
    found = opened(envelope)
    assert [item.get("context") for item in found.items[:3]] == [
        {"ip": "1", "page": {"url": "u"}, "library": {"name": "l"}},
        {"ip": "2", "library": {"name": "l"}},
        {"ip": "2", "library": {"name": "l"}},
    ]
    assert [item["integrations"] for item in found.items[:3]] == [{"All": False}] * 3
    assert found.items[3] == 7
    assert (found.sent_at, found.write_key) == ("2026-01-25T11:00:00Z", "wk")


def test_an_event_may_have_a_member_called_batch() -> None:
    assert opened({**EVENT, "batch": "7"}).items == [{**EVENT, "batch": "7"}]


def test_the_write_key_of_a_single_call() -> None:
    assert opened({**EVENT, "writeKey": "wk"}).write_key == "wk"
    assert opened({**EVENT, "writeKey": 7}).write_key == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", Why.BAD_JSON),
        (b"{", Why.BAD_JSON),
        (b"a=1&b=2", Why.BAD_JSON),
        (b'{"a":1}{"a":2}', Why.BAD_JSON),
        (b'"text"', Why.BAD_SHAPE),
        (b"7", Why.BAD_SHAPE),
        (b"null", Why.BAD_SHAPE),
        (b'{"batch":{}}', Why.BAD_SHAPE),
        (b'{"batch":null}', Why.BAD_SHAPE),
        (b"[]", Why.EMPTY_BATCH),
        (b'{"batch":[]}', Why.EMPTY_BATCH),
        (b'{"json":[]}', Why.EMPTY_BATCH),
        (orjson.dumps([EVENT] * 101), Why.TOO_MANY_EVENTS),
        (orjson.dumps({"batch": [EVENT] * 101}), Why.TOO_MANY_EVENTS),
        (b'{"a":' * 200_000, Why.TOO_DEEP),
        (b"[" * 200_000 + b"]" * 200_000, Why.TOO_DEEP),
    ],
)
def test_what_holds_no_items(body: bytes, why: Why) -> None:
    assert refusal(body) is why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":NaN,"b":[Infinity,-Infinity]}', {"a": None, "b": [None, None]}),
        (b'{"a":1e400,"b":-1e400}', {"a": None, "b": None}),
        (b'{"a":"\\ud83d","b":"\\ud83d\\ude00","\\ude00":1}', {"a": "\ufffd", "b": "\U0001f600", "\ufffd": 1}),
        (b'\xef\xbb\xbf{"a":1,"b":2}', {"a": 1, "b": 2}),
        ('{"a":1,"b":"ë"}'.encode("utf-16"), {"a": 1, "b": "ë"}),
        (b'{"a":"\xff","b":1}', {"a": "\ufffd", "b": 1}),
        (b'{"a":18446744073709551615,"b":-9223372036854775808}', {"a": 2**64 - 1, "b": -(2**63)}),
        (b'{"a":18446744073709551616,"b":NaN}', {"a": 2.0**64, "b": None}),
        (b'{"a":' + b"9" * 400 + b',"b":NaN}', {"a": None, "b": None}),
        (b'{"a":1,"a":2,"b":0}', {"a": 2, "b": 0}),
    ],
)
def test_what_is_no_strict_json_is_read_and_can_be_written_again(text: bytes, expected: Any) -> None:
    found = opened(text)
    assert found.items == [expected]
    assert orjson.loads(orjson.dumps(found.items[0])) == expected
    if found.raw is not None:
        assert orjson.loads(found.raw) == expected


def test_both_parsers_agree_about_numbers() -> None:
    numbers = b'"a":18446744073709551616,"b":-9223372036854775809,"c":1e-7,"d":0.1,"e":-0.0,"f":' + b"1234567890" * 3
    strict, lenient = opened(b"{" + numbers + b"}"), opened(b"{" + numbers + b',"z":NaN}')
    lenient.items[0].pop("z")
    assert strict.raw is not None
    assert lenient.raw is None
    assert json.dumps(strict.items) == json.dumps(lenient.items)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_whatever_python_calls_json_ends_as_items_that_can_be_written(value: Any) -> None:
    found = open_envelope(json.dumps(value).encode(), 100)
    if isinstance(found, Envelope):
        assert found.items
        for item in found.items:
            assert orjson.loads(orjson.dumps(item)) == item
            assert not has_odd_number(item)
        if found.raw is not None:
            assert [orjson.loads(found.raw)] == found.items


def has_odd_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(has_odd_number(one) for one in inner)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_crash_it(body: bytes) -> None:
    assert isinstance(open_envelope(body, 10), Envelope | Unreadable)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 120), st.sampled_from(["list", "dict", "mixed"]))
def test_depth_is_counted_in_containers(depth: int, kind: str) -> None:
    value: Any = 1
    for level in range(depth):
        value = [value, "x"] if kind == "list" or (kind == "mixed" and level % 2) else {"a": value, "b": None}
    assert deeper_than(value, depth - 1)
    assert not deeper_than(value, depth)
    assert not deeper_than("text", 0)


def test_what_would_cost_too_much_is_not_parsed_leniently() -> None:
    """A second, lenient look takes many times as long."""
    assert values_in(b'{"a":[1,2],"b":{}}') >= 5
    assert refusal(b"[" + b"1," * LENIENT_VALUES + b"NaN]") is Why.BAD_JSON
    assert opened(b'{"type":"track","a":[' + b"1," * 1000 + b"NaN]}").items
    assert refusal(b'["' + b"\xff" * LENIENT_LIMIT + b'"]') is Why.BAD_JSON
    assert opened(b'{"type":"track","a":"' + b"x" * LENIENT_LIMIT + b'"}').items
