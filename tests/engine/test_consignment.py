"""The clocks over entries that were dead letters before: requeued in doubt, or released."""

from __future__ import annotations

import pytest

from relay.core.event import DeadLetter
from relay.core.tiktok.reply import Reply
from tests.twins.rig import Rig
from tests.twins.tiktok import OK, TIMEOUT

HOUR_S = 3600.0


async def the_letter(rig: Rig) -> DeadLetter:
    (letter,) = await rig.store.dead_letters.list("d")
    return letter


async def ambiguous(rig: Rig) -> DeadLetter:
    """A letter about what TikTok may have got 50 hours ago."""
    rig.tiktok.script = lambda _: TIMEOUT
    await rig.owe()
    sent_ms = rig.clock.now_ms()
    async with rig.running():
        await rig.clock.advance(1)
    rig.clock.jump(50 * HOUR_S)
    rig.tiktok.script = lambda _: OK
    rig.tiktok.calls.clear()
    async with rig.running():
        await rig.clock.advance(120)
    letter = await the_letter(rig)
    assert (letter.reason, rig.tiktok.calls) == ("ambiguous", [])
    assert sent_ms <= letter.first_ms < sent_ms + 1000
    return letter


async def test_a_requeue_alone_never_sends_what_tiktok_may_have() -> None:
    rig = Rig()
    letter = await ambiguous(rig)
    async with rig.running():
        for _ in range(2):
            await rig.store.dead_letters.requeue("d", [(await the_letter(rig)).id])
            await rig.clock.advance(2)
    again = await the_letter(rig)
    assert (again.reason, again.first_ms, rig.tiktok.calls) == ("ambiguous", letter.first_ms, [])
    assert (await rig.books())["dead:ambiguous"] == 3


async def test_what_was_ambiguous_is_sent_when_released() -> None:
    rig = Rig()
    letter = await ambiguous(rig)
    await rig.store.dead_letters.requeue("d", [letter.id], released=True)
    async with rig.running():
        await rig.clock.advance(2)
        assert (await rig.books())["delivered"] == 1
    assert len(rig.tiktok.calls) == 1


async def test_a_release_still_counts_after_an_outage() -> None:
    rig = Rig()
    letter = await ambiguous(rig)
    await rig.store.dead_letters.requeue("d", [letter.id], released=True)
    rig.tiktok.script = lambda _: TIMEOUT
    async with rig.running():
        await rig.clock.advance(1)
    rig.clock.jump(50 * HOUR_S)
    rig.tiktok.script = lambda _: OK
    async with rig.running():
        await rig.clock.advance(120)
        assert (await rig.books())["delivered"] == 1


async def test_what_another_may_have_sent_is_buried_until_it_is_released() -> None:
    rig = Rig()
    shared = rig.destination(also_sent_by="pixel")
    await rig.owe(received_ms=rig.clock.now_ms() - int(45 * HOUR_S * 1000))
    async with rig.running(shared):
        await rig.clock.advance(2)
        letter = await the_letter(rig)
        assert (letter.reason, letter.first_ms) == ("overlap", 0)
        await rig.store.dead_letters.requeue("d", [letter.id])
        await rig.clock.advance(2)
        letter = await the_letter(rig)
        assert (letter.reason, rig.tiktok.calls) == ("overlap", [])
        await rig.store.dead_letters.requeue("d", [letter.id], released=True)
        await rig.clock.advance(2)
        assert (await rig.books())["delivered"] == 1


async def test_a_release_does_not_make_the_old_young() -> None:
    rig = Rig()
    letter = await ambiguous(rig)
    rig.clock.jump(6 * 24 * HOUR_S)
    await rig.store.dead_letters.requeue("d", [letter.id], released=True)
    async with rig.running():
        await rig.clock.advance(2)
    again = await the_letter(rig)
    assert (again.reason, again.first_ms, again.released) == ("expired", letter.first_ms, True)
    assert rig.tiktok.calls == []


@pytest.mark.parametrize(("before", "in_doubt"), [(TIMEOUT, True), (Reply(200, 40100), False)])
async def test_a_refusal_is_in_doubt_only_after_an_unknown_outcome(before: Reply, in_doubt: bool) -> None:  # noqa: FBT001
    rig = Rig()
    replies = iter([before])
    rig.tiktok.script = lambda _: next(replies, Reply(200, 40002, "bad value"))
    await rig.owe()
    started_ms = rig.clock.now_ms()
    async with rig.running():
        await rig.clock.advance(10)
    letter = await the_letter(rig)
    assert letter.reason == "refused"
    assert started_ms <= letter.first_ms < started_ms + 1000 if in_doubt else letter.first_ms == 0
