"""Bad events spread over a backlog: what finding them costs in calls."""

from __future__ import annotations

import random

import pytest

from tests.twins.rig import Rig
from tests.twins.tiktok import refuses_bad

EVENTS = 10_000
FULL_CALLS = EVENTS // 500


def positions(spread: str) -> set[int]:
    return set(range(50, EVENTS, 100)) if spread == "even" else set(random.Random(3).sample(range(EVENTS), 100))


@pytest.mark.parametrize(("style", "most"), [("", 1_500), ("data[{}]", 220)])
@pytest.mark.parametrize("spread", ["even", "random"])
async def test_a_hundred_bad_in_ten_thousand_cost_few_calls_and_no_good_one(style: str, most: int, spread: str) -> None:
    rig, bad = Rig(), positions(spread)
    rig.tiktok.script = lambda items: refuses_bad(items, style)
    for number in range(EVENTS):
        await rig.owe(bad=number in bad)
    async with rig.running() as delivery:
        await rig.clock.advance(60)
        assert delivery.gates() == {"d": "closed"}
        assert await rig.books() == {"accepted": EVENTS, "delivered": 9_900, "dead:refused": 100, "owed": 0}
    print(f"{len(rig.tiktok.calls) - FULL_CALLS} extra calls")
    assert len(rig.tiktok.calls) - FULL_CALLS <= most
    assert set(rig.tiktok.stored.values()) == {1}
