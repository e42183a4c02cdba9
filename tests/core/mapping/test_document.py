from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mapping.document import MOST_BYTES, MOST_SUBSCRIPTIONS, MOST_TRIGGER, read_document
from tests.core.mapping.events import JSON

EXPORTED: dict[str, Any] = {
    "id": "s1",
    "name": "Lead",
    "actionId": "a1",
    "actionSlug": "reportWebEvent",
    "destinationId": "d1",
    "modelId": "",
    "enabled": True,
    "trigger": 'type = "track"',
    "settings": {"event": "Lead"},
}
READ: dict[str, Any] = {"name": "Lead", "subscribe": 'type = "track"', "mapping": {"event": "Lead"}}
PAGES: dict[str, Any] = {"current": "MA==", "totalEntries": 1}


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"subscriptions": [EXPORTED], "pagination": PAGES}},
        {"data": {"subscriptions": [EXPORTED], "pagination": PAGES | {"next": None}}},
        {"subscriptions": [EXPORTED]},
        {"data": {"subscription": EXPORTED}},
        [EXPORTED],
        EXPORTED,
        [{**EXPORTED, "settings": json.dumps(EXPORTED["settings"])}],
        [
            {
                "name": "Lead",
                "partnerAction": "reportWebEvent",
                "subscribe": 'type = "track"',
                "mapping": READ["mapping"],
            }
        ],
        [EXPORTED | {"subscribe": None, "mapping": None}],
        [{**EXPORTED, "subscribe": EXPORTED["trigger"]}],
    ],
)
def test_every_shape_is_the_same_subscription(value: Any) -> None:
    for text in (raw(value), b"\xef\xbb\xbf" + raw(value)):
        assert read_document(text) == ([READ], 0, [])


def test_disabled_ones_are_skipped_whatever_they_hold_and_the_others_keep_their_number() -> None:
    found = read_document(raw([{"enabled": False, "settings": 5}, {"trigger": 't = "x"'}]))
    assert found == ([{"name": "subscription 2", "subscribe": 't = "x"', "mapping": {}}], 1, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'[{"name":\n"x"', "not JSON: Expecting ',' delimiter at line 2, column 4"),
        (b"\xff\xfe[\x00]\x00", "not UTF-8 (byte 0)"),
        (b'[{"a": NaN}]', "not JSON: NaN is no number"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"9" * 5000, "not JSON: Exceeds the limit"),
        (b" " * (MOST_BYTES + 1), "is larger than 4 MiB"),
        (b"5", "needs a list of"),
        (b"[]", "needs a list of"),
        (b"{}", "needs a list of"),
        (b'{"data": {"destinations": []}}', "needs a list of"),
        (raw({"errors": [{"type": "unauthorized"}]}), "is an error that Segment's API answered"),
        (raw({"data": {"subscriptions": [EXPORTED], "pagination": {"next": "Mg=="}}}), "is the first page only"),
        (raw([EXPORTED] * (MOST_SUBSCRIPTIONS + 1)), "holds 501 subscriptions"),
        (raw([{**EXPORTED, "enabled": False}]), "no subscription in it is enabled"),
    ],
)
def test_a_file_that_holds_no_subscriptions_says_why(text: bytes, problem: str) -> None:
    found = read_document(text)
    assert found.subscriptions == []
    (said,) = found.problems
    assert said.startswith(problem)


def test_every_problem_of_every_subscription_at_once() -> None:
    entries = [
        7,
        {"name": ["x"], "enabled": "false", "trigger": 5, "settings": "[1]"},
        {"name": "Order", "settings": '{"event": '},
        {**EXPORTED, "subscribe": "other", "mapping": {}},
        {**EXPORTED, "name": "Long", "trigger": "x" * (MOST_TRIGGER + 1)},
        EXPORTED,
    ]
    found = read_document(raw(entries))
    assert found.subscriptions == [READ]
    assert found.problems == [
        "subscription 1: should be an object but it is a number.",
        "subscription 2: /name should be a string but it is an array.",
        "subscription 2: /enabled should be a boolean but it is a string.",
        "subscription 2: /trigger should be a string but it is a number.",
        "subscription 2: /settings should be an object but it is an array.",
        'Order: /subscribe is missing (Segment\'s API calls it "trigger").',
        "Order: /settings: not JSON: Expecting value at line 1, column 11",
        "Lead: /subscribe and /trigger mean the same, and differ.",
        "Lead: /mapping and /settings mean the same, and differ.",
        "Long: /trigger should be a string of length 65536 or less.",
    ]


@given(value=JSON | st.lists(JSON) | st.dictionaries(st.sampled_from([*EXPORTED, "data", "subscriptions"]), JSON))
@settings(max_examples=300, deadline=None)
def test_any_json_is_read(value: Any) -> None:
    found = read_document(raw(value))
    assert found.subscriptions or found.problems
    for subscription in found.subscriptions:
        assert set(subscription) == {"name", "subscribe", "mapping"}


@given(text=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(text: bytes) -> None:
    found = read_document(text)
    assert found.subscriptions or found.problems
