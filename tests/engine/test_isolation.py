"""What trouble costs the others: bad events the good ones, in calls, and sick destinations a healthy one, in pace."""

from __future__ import annotations

import random
from typing import Any

import pytest

from relay.core.delivery.batch import Limits
from relay.core.tiktok.reply import Call, Reply
from tests.twins.rig import Rig
from tests.twins.tiktok import OK, REVOKED, TIMEOUT, ScriptedTikTok, refuses_bad

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


class Slow(ScriptedTikTok):
    """Answers after a while."""

    def __init__(self, rig: Rig, seconds: float, reply: Reply) -> None:
        super().__init__(lambda _: reply)
        self.rig, self.seconds = rig, seconds

    async def send(self, call: Call) -> Reply:
        reply = await super().send(call)
        await self.rig.clock.sleep(self.seconds)
        return reply


async def delivered_by_steady(*others: tuple[float, Reply]) -> int:
    """What one destination delivers in half a minute, with others beside it that answer after so long and so."""
    names = ("steady", *(f"sick{number}" for number in range(len(others))))
    rig = Rig(names)
    for name in names:
        await rig.owe(8_000, name=name)
    senders = (Slow(rig, 0.25, OK), *(Slow(rig, seconds, reply) for seconds, reply in others))
    pace: dict[str, Any] = {"limits": Limits(items=20), "calls_per_s": 10.0}
    sides = [rig.destination(name, sender, **pace) for name, sender in zip(names, senders, strict=True)]
    async with rig.running(*sides):
        await rig.clock.advance(30)
        return (await rig.books("steady"))["delivered"]


async def test_a_revoked_and_a_hanging_destination_cost_the_third_nothing() -> None:
    alone = await delivered_by_steady()
    beside = await delivered_by_steady((0.1, REVOKED), (30.0, TIMEOUT))
    print(f"{beside} beside the others, {alone} alone")
    assert 4_000 < alone < 8_000, "the pace is what limits it"
    assert beside >= 0.9 * alone
