from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from relay.core.event import EntryClass, JsonObject
from relay.core.notices import Why
from relay.core.segment.select import Route, select

EVENT = {"type": "track", "event": "Order Completed", "messageId": "1"}
TRIGGERS = {"Order Completed": ("CompletePayment",), "Product Viewed": ("ViewContent",)}


def by_event_name(event: JsonObject) -> tuple[str, ...]:
    return TRIGGERS.get(event.get("event") or "", ())


def everything(_: JsonObject) -> tuple[str, ...]:
    return ("ViewContent", "CompletePayment")


WEB = Route("web", frozenset({"TikTok Conversions"}), by_event_name, frozenset({"CompletePayment"}))
APP = Route("app", frozenset({"TikTok App Events"}), everything, frozenset({"Purchase"}))


def names(event: JsonObject, sdk: bool = False) -> list[tuple[str, EntryClass]]:  # noqa: FBT001, FBT002
    wanted, why = select(event, [WEB, APP], sdk)
    assert (why is Why.NONE) == bool(wanted)
    return [(stream.destination, stream.klass) for stream in wanted]


def test_the_class_is_the_destinations() -> None:
    assert names(EVENT) == [("web", EntryClass.CONVERSION), ("app", EntryClass.ENGAGEMENT)]
    assert names({**EVENT, "event": "Product Viewed"})[0] == ("web", EntryClass.ENGAGEMENT)
    best = Route("best", frozenset(), everything, frozenset({"CompletePayment"}))
    assert select(EVENT, [best], sdk=False)[0] == [("best", EntryClass.CONVERSION)]  # one matching conversion is enough


def test_a_name_that_nobody_knows_yet_may_be_a_purchase() -> None:
    unknown = Route("web", frozenset(), lambda _: ("",), frozenset({"CompletePayment"}))
    assert select(EVENT, [unknown], sdk=False)[0] == [("web", EntryClass.CONVERSION)]


def test_one_destination_may_be_forbidden_and_another_not() -> None:
    assert names({**EVENT, "integrations": {"TikTok Conversions": False}}) == [("app", EntryClass.ENGAGEMENT)]
    assert names({**EVENT, "integrations": {"All": False, "TikTok App Events": True}}, sdk=True) == [
        ("app", EntryClass.ENGAGEMENT)
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"event": "Cart Viewed"}, Why.NO_SUBSCRIPTION),
        ({"event": "Cart Viewed", "integrations": {"TikTok Conversions": False}}, Why.NO_SUBSCRIPTION),
        ({"integrations": {"TikTok Conversions": False}}, Why.INTEGRATION_OFF),
        ({"context": {"consent": {"categoryPreferences": {"Advertising": False}}}}, Why.CONSENT_REFUSED),
        ({"messageId": "segment-test-message-k3x9qa"}, Why.EVENT_TESTER),
        ({"type": "delete"}, Why.DELETE_CALL),
    ],
)
def test_nobody_wants_it_and_why(change: dict[str, Any], why: Why) -> None:
    assert select({**EVENT, **change}, [WEB], sdk=False) == ([], why)


def test_the_consent_category_is_a_setting() -> None:
    event = {**EVENT, "context": {"consent": {"categoryPreferences": {"ads": False}}}}
    assert select(event, [WEB], sdk=False)[1] is Why.NONE
    assert select(event, [WEB], sdk=False, categories=frozenset({"ads"}))[1] is Why.CONSENT_REFUSED


def test_every_example_is_wanted_or_filtered_with_a_reason(shared: Path) -> None:
    route = Route("web", frozenset({"TikTok Conversions"}), everything, frozenset({"CompletePayment"}))
    reasons: Counter[Why] = Counter()
    filtered = {}
    for line in (shared / "data" / "segment_examples.jsonl").read_text().splitlines():
        example = json.loads(line)
        wanted, why = select(example["event"], [route], sdk=example["via"] != "webhook")
        reasons[why] += 1
        assert bool(wanted) == (why is Why.NONE)
        if why:
            filtered[example["id"]] = why
    assert filtered == {
        "ex-057": Why.DELETE_CALL,
        "ex-097": Why.INTEGRATION_OFF,
        "ex-099": Why.CONSENT_REFUSED,
        "ex-114": Why.EVENT_TESTER,
    }
    assert reasons[Why.NONE] == 115
