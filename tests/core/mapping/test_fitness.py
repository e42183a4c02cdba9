from __future__ import annotations

from typing import Any

import pytest

from relay.core.mapping import Rejected, compile_subscription, load_presets
from relay.core.mapping.fitness import misfits
from tests.core.mapping.golden import SETTINGS

WEB, APP, OFFLINE = "tiktok-conversions", "tiktok-app-events", "tiktok-offline-conversions"
SOURCES = '"web", "crm"'
DOOM = "Segment would reject every event"
WHOLE_APP = {"event_source": "app", "event": "Login", "app": {"app_id": "a"}, "att_status": "AUTO"}


def found(slug: str, mapping: Any, event_source: str = "") -> list[str]:
    return misfits(slug, event_source, [{"name": "s", "subscribe": 'type = "track"', "mapping": mapping}])


def test_presets_fit_their_own_destination() -> None:
    for slug, source in ((WEB, "web"), (APP, "app"), (OFFLINE, "offline")):
        assert misfits(slug, source, load_presets(slug)) == []


@pytest.mark.parametrize(
    ("slug", "mapping", "problem"),
    [
        (WEB, {}, f"/event is missing: {DOOM}."),
        (WEB, {"event": ""}, f"/event is missing: {DOOM}."),
        (WEB, {"event": "E", "event_source": "a"}, f'/event_source should be one of {SOURCES} but it is "a": {DOOM}.'),
        (WEB, {"event": "E", "event_source": "crm"}, f'/lead_fields is missing with event_source "crm": {DOOM}.'),
        (APP, {**WHOLE_APP, "att_status": None}, f"/att_status is missing: {DOOM}."),
        (APP, {**WHOLE_APP, "app": {"app_name": "x"}}, f"/app/app_id is missing: {DOOM}."),
        (APP, {**WHOLE_APP, "event": "Subscribe"}, f'/contents is missing with event "Subscribe": {DOOM}.'),
        (OFFLINE, {"event_id": {"@path": "$.x"}}, f"/event is missing: {DOOM}."),
    ],
)  # fmt: skip
def test_what_dooms_every_event_is_known_beforehand(slug: str, mapping: Any, problem: str) -> None:
    assert found(slug, mapping) == [f"s: {problem}"]
    run = compile_subscription(slug, SETTINGS[slug], {"subscribe": 'type = "track"', "mapping": mapping})
    assert isinstance(run({"type": "track", "userId": "u", "properties": {"x": 1}}, 0), Rejected)


@pytest.mark.parametrize(
    ("slug", "mapping"),
    [
        (WEB, {"event": {"@path": "$.event"}}),
        (WEB, {"event": "E", "event_source": {"@path": "$.source"}}),
        (WEB, {"event": "E", "event_source": "crm", "lead_fields": {}}),
        (WEB, {"@merge": {"objects": [], "direction": "left"}}),
        (WEB, {"__segment_internal_directive": {"@transform": {"apply": {}}}, "x": 1}),
        (WEB, {"event": "E", "unknown": {"@path": "$.x"}, "content_type": "Product"}),
        (APP, {**WHOLE_APP, "app": {"@path": "$.context.app"}}),
        (
            APP,
            {**WHOLE_APP, "event": "Purchase", "contents": [], "content_type": "product", "currency": "x", "value": 1},
        ),
    ],
)
def test_what_an_event_decides_is_left_to_the_event(slug: str, mapping: Any) -> None:
    assert found(slug, mapping) == []


def test_a_crm_destination_sends_crm_events_only() -> None:
    lead = {"event": "Lead", "lead_fields": {"lead_id": {"@path": "$.properties.lead_id"}}}
    assert found(WEB, {**lead, "event_source": "crm"}, "crm") == []
    assert found(WEB, {**lead, "event_source": {"@path": "$.x"}}, "crm") == []
    assert found(WEB, lead, "crm") == [
        's: /event_source is missing: a crm destination needs "crm" here, and lead_fields.'
    ]
    assert found(WEB, {**lead, "event_source": "web"}, "crm") == [
        's: /event_source should be "crm" but it is "web": this destination is a crm one.'
    ]
    assert len(misfits(WEB, "crm", load_presets(WEB))) == 15
