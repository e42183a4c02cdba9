from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
import pytest

from relay.simulator.control import SWITCHES, Control, ControlFault, Limits, Outage, as_json, updated

# One value per switch that is not its default.
MOVED: dict[str, Any] = {
    "http_mode": "mapped",
    "batch_mode": "partial_20001",
    "index_style": "data.2",
    "outage": {"kind": "503", "after_s": 1.0, "for_s": 2.0, "share": 0.5},
    "token_state": "revoked",
    "tokens": ["a", "b"],
    "permissions": {"a": ["PIXEL"]},
    "partners": [],
    "limits": {"per_second": 1, "per_minute": 2, "per_day": 3, "per_pixel": 4},
    "max_age": 5.0,
    "max_future": 6.0,
    "event_time_millis": "accept",
    "pii": "40062",
    "page_required": True,
    "crm": "refuse",
    "offline_names": "any",
    "empty_data": "0",
    "test_events": "counted",
    "refuse_ids": ["x"],
    "max_body": 7,
    "dedupe": False,
    "dedupe_hours": 8.0,
    "remember_ids": 9,
    "clock_offset_s": -10.0,
    "latency": [1.0, 2.0],
}


def test_every_switch_is_in_the_table_and_in_this_test() -> None:
    names = [item.name for item in fields(Control)]
    assert list(SWITCHES) == names
    assert list(MOVED) == names


@pytest.mark.parametrize("name", MOVED)
def test_what_is_shown_can_be_put_back(name: str) -> None:
    moved = updated(Control(), {name: MOVED[name]})
    shown = as_json(moved)
    assert shown == {**as_json(Control()), name: MOVED[name]} != as_json(Control())
    assert updated(Control(), orjson.loads(orjson.dumps(shown))) == moved


@pytest.mark.parametrize("name", MOVED)
def test_nonsense_is_refused_by_name(name: str) -> None:
    with pytest.raises(ControlFault, match=f"^{name}: "):
        updated(Control(), {name: {"no": object()}})


def test_all_problems_come_at_once_and_unknown_names_list_the_known() -> None:
    with pytest.raises(ControlFault) as caught:
        updated(Control(), {"htp_mode": "mapped", "max_body": -1, "latency": [1, 2, 3]})
    unknown, body, latency = caught.value.problems
    assert "'htp_mode'" in unknown
    assert all(name in unknown for name in SWITCHES)
    assert body.startswith("max_body: ")
    assert latency.startswith("latency: ")


def test_limits_move_one_by_one_and_an_outage_starts_afresh() -> None:
    control = updated(Control(), {"limits": {"per_second": 5}, "outage": {"kind": "hang", "share": 0.1}})
    assert control.limits == Limits(per_second=5)
    assert updated(control, {"limits": {"per_pixel": 2}}).limits == Limits(per_second=5, per_pixel=2)
    assert updated(control, {"outage": 50000}).outage == Outage(kind="50000")
    assert updated(control, {"outage": {"after_s": 1, "for_s": 2}}).outage == Outage("503", 1.0, 2.0)


@pytest.mark.parametrize("kind", ["5000", "500000", "down", "", None, 4.5])
def test_no_such_outage(kind: Any) -> None:
    with pytest.raises(ControlFault, match="five-digit"):
        updated(Control(), {"outage": kind})


def test_one_latency_is_both_ends() -> None:
    assert updated(Control(), {"latency": 0}).latency == (0.0, 0.0)
    with pytest.raises(ControlFault):
        updated(Control(), {"latency": [-1, 5]})
