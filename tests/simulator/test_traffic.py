from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest

from relay.simulator.traffic import traffic

START = 1_770_000_000_000
WEB_PRESETS = {
    "Order Completed", "Callback Started", "Subscription Created", "Form Submitted", "Product Viewed",
    "Product Clicked", "Products Searched", "Product Added to Wishlist", "Product Added", "Checkout Started",
    "Payment Info Entered", "Order Placed", "Download Link Clicked", "Signed Up",
}  # fmt: skip
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
MESSAGE_ID = re.compile(rf"(ajs-next-\d{{13}}-{UUID}|node-next-\d{{13}}-{UUID}|{UUID}|{UUID.upper()})", re.IGNORECASE)


def events(seed: int, count: int, rate: float = 50.0) -> list[dict[str, Any]]:
    return list(itertools.islice(traffic(seed, START, rate), count))


SAMPLE = events(1, 5000)


def test_a_seed_says_everything() -> None:
    assert events(3, 200) == events(3, 200)
    assert events(3, 200) != events(4, 200)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_are_about_as_large_as_real_ones(seed: int) -> None:
    sizes = [len(json.dumps(event, separators=(",", ":")).encode()) for event in events(seed, 2000)]
    assert 1200 < sum(sizes) / len(sizes) < 1650
    assert max(sizes) < 8000


def test_every_web_preset_meets_its_event_and_others_meet_none() -> None:
    names = Counter(event.get("event") for event in SAMPLE)
    assert names.keys() >= WEB_PRESETS
    assert Counter(event["type"] for event in SAMPLE).keys() == {"track", "page", "screen", "identify"}
    strangers = sum(count for name, count in names.items() if name and name not in WEB_PRESETS)
    assert strangers > 200


def test_all_kinds_of_senders_take_part() -> None:
    libraries = {event["context"]["library"]["name"] for event in SAMPLE}
    assert libraries >= {
        "analytics.js",
        "analytics-python",
        "@segment/analytics-node",
        "analytics-swift",
        "analytics-kotlin",
    }
    assert any("ttclid=" in event["context"].get("page", {}).get("url", "") for event in SAMPLE)
    assert any("ttclid" in event["integrations"].get("TikTok Conversions", {}) for event in SAMPLE)


def test_identities_are_present_and_unique() -> None:
    ids = [event["messageId"] for event in SAMPLE]
    assert len(set(ids)) == len(ids)
    assert all(MESSAGE_ID.fullmatch(one) for one in ids)
    assert all(event.get("userId") or event.get("anonymousId") for event in SAMPLE)


def test_nobody_real_is_in_it() -> None:
    text = json.dumps(SAMPLE)
    assert set(re.findall(r"[\w.]+@([\w.]+)", text)) == {"example.com"}
    hosts = set(re.findall(r"https://([\w.-]+)", text))
    known = {"www.google.com", "www.tiktok.com", "www.instagram.com", "t.co", "www.bing.com"}
    assert all(host.endswith((".example.com", ".example.net")) or host in known for host in hosts)


def test_time_runs_at_the_asked_rate() -> None:
    stamps = [event["receivedAt"] for event in events(1, 3000, rate=100.0)]
    assert stamps == sorted(stamps)
    assert stamps[0] == "2026-02-02T02:40:00.000Z"
    assert stamps[-1].startswith(("2026-02-02T02:40:2", "2026-02-02T02:40:3"))


def test_an_event_is_the_consumers_to_change() -> None:
    walk = traffic(5, START)
    for event in itertools.islice(walk, 500):
        for member in ("context", "properties", "traits", "integrations"):
            if isinstance(event.get(member), dict):
                _empty(event[member])
    assert [event["messageId"] for event in itertools.islice(walk, 50)] == [
        event["messageId"] for event in events(5, 550)[500:]
    ]
    assert all(event["context"] for event in itertools.islice(walk, 200))


def _empty(value: Any) -> None:
    if isinstance(value, dict | list):
        for member in list(value.values() if isinstance(value, dict) else value):
            _empty(member)
        value.clear()
