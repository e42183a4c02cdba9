from __future__ import annotations

import pytest

from relay.simulator.control import NO_OUTAGE, OUTAGES, Outage
from relay.simulator.outage import STORED_FIRST, Page, Sick, Silence, is_on, symptom


def test_a_schedule_has_two_ends() -> None:
    outage = Outage("503", after_s=5, for_s=10)
    times = [0, 4.9, 5, 14.9, 15, 1000]
    assert [is_on(outage, at, 0.5) for at in times] == [False, False, True, True, False, False]
    assert is_on(Outage("503", after_s=5), 1e9, 0.5)
    assert not is_on(Outage(NO_OUTAGE), 1.0, 0.0)


def test_a_share_of_the_calls() -> None:
    outage = Outage("hang", share=0.05)
    assert [is_on(outage, 0, dice / 100) for dice in range(100)].count(True) == 5
    assert not is_on(Outage("hang", share=0), 0, 0.0)


def test_every_outage_looks_like_something() -> None:
    looks = {kind: symptom(kind) for kind in (*OUTAGES, "50000")}
    for kind in ("502", "503", "504"):
        found = looks[kind]
        assert isinstance(found, Page)
        assert found.status == int(kind)
    assert isinstance(looks["non_json"], Page)
    assert looks["non_json"].status == 200
    assert looks["hang"] == looks["lost_hang"] == Silence(hang=True)
    assert looks["reset"] == looks["lost"] == Silence(hang=False)
    assert looks["50000"] == Sick(50000)
    assert set(STORED_FIRST) < set(OUTAGES)


@pytest.mark.parametrize("kind", ["502", "503", "504", "non_json"])
def test_no_page_is_json(kind: str) -> None:
    found = symptom(kind)
    assert isinstance(found, Page)
    assert not found.text.startswith("{")
