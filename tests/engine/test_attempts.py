"""Every call is in the log, whatever came of it."""

from __future__ import annotations

import asyncio

from relay.core.event import Attempt
from relay.core.notices import CallAnswered, LeaseLost
from relay.core.tiktok.reply import Call, Reply
from tests.twins.rig import Rig
from tests.twins.tiktok import BAD_GATEWAY, OK, REVOKED, THROTTLED, ScriptedTikTok, refuses_bad


def logged(rig: Rig) -> list[Attempt]:
    return rig.store.state.attempts["d"]


async def test_calls_that_end_something() -> None:
    rig = Rig()
    await rig.owe(700)
    async with rig.running():
        await rig.clock.advance(1)
    assert [(one.verdict, one.label, one.items, one.whole, one.request_id) for one in logged(rig)] == [
        ("delivered", "0", 500, True, "R"),
        ("delivered", "0", 200, True, "R"),
    ]
    assert logged(rig)[0].last_id < logged(rig)[1].first_id


async def test_calls_that_end_nothing_are_there_too() -> None:
    for reply, verdict in ((BAD_GATEWAY, "retry"), (THROTTLED, "slow_down"), (REVOKED, "hold")):
        rig = Rig(tiktok=ScriptedTikTok(lambda _, reply=reply: reply))  # type: ignore[misc]
        await rig.owe(3)
        async with rig.running():
            await rig.clock.advance(20)
        assert {one.verdict for one in logged(rig)} == {verdict}
        assert len(logged(rig)) == len(rig.tiktok.calls) == len(rig.heard(CallAnswered))


async def test_the_search_for_a_bad_item_is_in_it_call_by_call() -> None:
    rig = Rig(tiktok=ScriptedTikTok(refuses_bad))
    await rig.owe(4)
    await rig.owe(1, bad=True)
    await rig.owe(3)
    async with rig.running():
        await rig.clock.advance(5)
    assert [one.items for one in logged(rig)] == [len(call) for call in rig.tiktok.calls]
    assert logged(rig)[0].whole
    assert not logged(rig)[1].whole, "every other entry"
    (last,) = [one for one in logged(rig) if one.verdict == "dead_letter"]
    assert last.first_id == last.last_id


async def test_a_call_that_is_called_off_is_in_it() -> None:
    class Hanging(ScriptedTikTok):
        async def send(self, call: Call) -> Reply:
            await super().send(call)
            await asyncio.Event().wait()
            return OK

    rig = Rig(tiktok=Hanging())
    await rig.owe(2)
    async with rig.running():
        await rig.clock.advance(1)
    assert [(one.verdict, one.items) for one in logged(rig)] == [("called_off", 2)]


async def test_a_call_under_a_lost_lease_is_in_it() -> None:
    class Slow(ScriptedTikTok):
        async def send(self, call: Call) -> Reply:
            reply = await super().send(call)
            await rig.clock.sleep(8)
            return reply

    rig = Rig(tiktok=Slow())
    rig.store.state.lease_ms = 1_000
    await rig.owe(2)
    async with rig.running(replica="r1"):
        await rig.clock.advance(0.1)
        async with rig.running(replica="r2"):
            await rig.clock.advance(20)
    assert rig.heard(LeaseLost)
    assert len(logged(rig)) == len(rig.tiktok.calls) > 1
