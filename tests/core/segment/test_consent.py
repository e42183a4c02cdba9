from __future__ import annotations

from typing import Any

import pytest

from relay.core.segment.consent import ADVERTISING, forbidden_by_consent, forbidden_by_integrations

NAMES = frozenset({"TikTok Conversions", "Tiktok Conversions"})


@pytest.mark.parametrize(
    ("flags", "webhook", "sdk"),
    [
        ({}, False, False),
        (None, False, False),
        ([], False, False),
        ("x", False, False),
        ({"All": True}, False, False),
        ({"All": False}, False, True),
        ({"All": False, "Webhooks (Actions)": True}, False, True),
        ({"All": False, "TikTok Conversions": True}, False, False),
        ({"All": False, "Tiktok Conversions": {"ttclid": "x"}}, False, False),
        ({"TikTok Conversions": False}, True, True),
        ({"All": True, "Tiktok Conversions": False}, True, True),
        ({"TikTok Conversions": True, "Tiktok Conversions": False}, True, True),
        ({"TikTok Conversions": None}, False, False),
        ({"TikTok Conversions": 0}, False, False),
        ({"Facebook Pixel": False}, False, False),
    ],
)
def test_integrations_at_both_doors(flags: Any, webhook: bool, sdk: bool) -> None:  # noqa: FBT001
    assert forbidden_by_integrations({"integrations": flags}, NAMES, sdk=False) is webhook
    assert forbidden_by_integrations({"integrations": flags}, NAMES, sdk=True) is sdk


def test_no_integrations_forbid_nothing() -> None:
    assert not forbidden_by_integrations({}, NAMES, sdk=True)


@pytest.mark.parametrize(
    ("context", "forbidden"),
    [
        ({"consent": {"categoryPreferences": {"Advertising": False}}}, True),
        ({"consent": {"categoryPreferences": {"Advertising": True, "Analytics": False}}}, False),
        ({"consent": {"categoryPreferences": {"Analytics": True}}}, False),
        ({"consent": {"categoryPreferences": {"Advertising": None}}}, False),
        ({"consent": {"categoryPreferences": []}}, False),
        ({"consent": None}, False),
        ({"consent": "Advertising"}, False),
        ([], False),
        (None, False),
    ],
)
def test_consent(context: Any, forbidden: bool) -> None:  # noqa: FBT001
    assert forbidden_by_consent({"context": context}, ADVERTISING) is forbidden


def test_the_category_is_a_setting() -> None:
    event = {"context": {"consent": {"categoryPreferences": {"C0004": False}}}}
    assert not forbidden_by_consent(event, ADVERTISING)
    assert forbidden_by_consent(event, frozenset({"C0004"}))
