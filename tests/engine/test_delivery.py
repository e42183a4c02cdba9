from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from relay.core.event import EntryClass, Lane, StreamKey
from relay.core.notices import CallAnswered, CallsPaused, DestinationPaused, EntriesDelivered, EntriesReturned
from relay.core.tiktok.reply import Call, Reply
from tests.twins.rig import CONVERSION, ENGAGEMENT, Rig, told_ledger
from tests.twins.tiktok import BAD_GATEWAY, OK, REFUSED, REVOKED, THROTTLED, TIMEOUT, ScriptedTikTok, refuses_bad


class HangingTikTok(ScriptedTikTok):
    """Never answers."""

    async def send(self, call: Call) -> Reply:
        await super().send(call)
        await asyncio.Event().wait()
        raise AssertionError


class SlowTikTok:
    """So many seconds a call. ``at``: when each event was stored first."""

    def __init__(self, rig: Rig, seconds: float = 2.0) -> None:
        self._rig, self._seconds = rig, seconds
        self.at: dict[str, float] = {}

    async def send(self, call: Call) -> Reply:
        await self._rig.clock.sleep(self._seconds)
        reply = await self._rig.tiktok.send(call)
        for id_ in self._rig.tiktok.calls[-1]:
            self.at.setdefault(id_, self._rig.clock.monotonic())
        return reply


async def test_what_is_owed_is_delivered_in_full_calls_and_told() -> None:
    rig = Rig()
    await rig.owe(1200)
    async with rig.running() as delivery:
        await rig.clock.advance(0.5)
        assert await rig.books() == {"accepted": 1200, "delivered": 1200, "owed": 0}
        assert delivery.gates() == {"d": "closed"}
        assert delivery.paces() == {"d": 1}
    assert [len(call) for call in rig.tiktok.calls] == [500, 500, 200]
    assert sum(len(notice.delays) for notice in rig.heard(EntriesDelivered)) == 1200
    assert {notice.verdict for notice in rig.heard(CallAnswered)} == {"delivered"}
    assert rig.tiktok.bodies[0]["event_source_id"] == "PIXEL"


async def test_a_fresh_event_leaves_at_once_and_the_next_ones_gather_for_the_linger() -> None:
    rig = Rig()
    async with rig.running() as delivery:
        await rig.clock.advance(1.02)
        for _ in range(20):
            await rig.owe()
            delivery.wake()
            await rig.clock.advance(0.01)
        await rig.clock.advance(0.06)
    assert len(rig.tiktok.stored) == 20
    assert 4 <= len(rig.tiktok.calls) <= 6
    assert max(delay for notice in rig.heard(EntriesDelivered) for delay in notice.delays) <= 0.1


async def test_what_another_process_appended_is_found_by_polling() -> None:
    rig = Rig()
    async with rig.running():
        await rig.clock.advance(1)
        await rig.owe()
        await rig.clock.advance(0.25)
        assert len(rig.tiktok.stored) == 1


async def test_an_outage_opens_the_gate_and_a_ladder_of_real_entries_closes_it() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: BAD_GATEWAY
    await rig.owe(3000)
    async with rig.running():
        await rig.clock.advance(600)
        during = len(rig.tiktok.calls)
        assert 5 + 8 <= during <= 5 + 100
        assert {len(call) for call in rig.tiktok.calls[5:]} == {1}
        assert (await rig.books())["owed"] == 3000
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(65)
        assert await rig.books() == {"accepted": 3000, "delivered": 3000, "owed": 0}
    # The call that failed first was of 500; the last of it is no full rung, which the next one is.
    assert [len(call) for call in rig.tiktok.calls[during : during + 5]] == [1, 10, 100, 389, 500]
    moves = rig.gate_moves()
    assert moves[0] == ("closed", "open")
    assert moves[-2:] == [("open", "probing"), ("probing", "closed")]


async def test_what_comes_after_an_outage_is_not_taken_along_by_what_came_just_before_its_end() -> None:
    """Entries of the last half minute were still live when the gate closed, and then drew the mark over all."""
    rig = Rig()
    rig.tiktok.script = lambda _: BAD_GATEWAY
    await rig.owe(1000)
    async with rig.running(rig.destination(sender=SlowTikTok(rig), concurrency=1)):
        await rig.clock.advance(40)
        await rig.owe(20_000)
        rig.tiktok.script = lambda _: OK
        while rig.gate_moves()[-1] != ("probing", "closed"):
            await rig.clock.advance(1)
        fresh = await rig.owe(1)
        await rig.clock.advance(40)
        assert rig.tiktok.stored[f"Purchase/{fresh[0]}"] == 1
        assert (await rig.survey()).backlog > 5_000, "it would have waited for these"


async def test_a_half_recovered_tiktok_meets_small_probes_only() -> None:
    rig = Rig()
    rig.tiktok.script = lambda items: BAD_GATEWAY if len(items) > 10 else OK
    await rig.owe(5000)
    async with rig.running():
        await rig.clock.advance(120)
        failed = [call for call in rig.tiktok.calls[5:] if len(call) > 10]
        assert len(failed) <= 2 * 120 / 1.5
        assert max(map(len, failed)) <= 100
        assert (await rig.books())["delivered"] >= 20 * len(failed) / 2


async def test_unknown_outcomes_keep_the_first_claim_and_proven_ones_forget_it() -> None:
    rig = Rig()
    await rig.owe()
    started = rig.clock.now_ms()
    rig.tiktok.script = lambda _: TIMEOUT
    async with rig.running():
        await rig.clock.advance(5)
    assert {notice.ambiguous for notice in rig.heard(EntriesReturned)} == {True}
    claimed = await rig.store.owed.claim(StreamKey("d", CONVERSION), Lane.LIVE, 1, 10**6)
    assert claimed is not None
    assert claimed.lease.first_ms <= started + 100

    rig = Rig()
    await rig.owe()
    rig.tiktok.script = lambda _: REFUSED
    async with rig.running():
        await rig.clock.advance(5)
    assert {notice.ambiguous for notice in rig.heard(EntriesReturned)} == {False}
    claimed = await rig.store.owed.claim(StreamKey("d", CONVERSION), Lane.BACKLOG, 1, 10**6)
    assert claimed is not None
    assert claimed.lease.first_ms == claimed.now_ms


async def test_a_proof_of_today_does_not_explain_an_unknown_outcome_of_yesterday() -> None:
    rig = Rig()
    await rig.owe()
    replies = iter([TIMEOUT])
    rig.tiktok.script = lambda _: next(replies, REFUSED)
    async with rig.running():
        await rig.clock.advance(5)
    assert {notice.ambiguous for notice in rig.heard(EntriesReturned)} == {True}


async def test_a_revoked_token_holds_the_destination_and_nothing_else() -> None:
    rig = Rig(("d", "e"))
    other = ScriptedTikTok()
    rig.tiktok.script = lambda _: REVOKED
    await rig.owe(2000)
    await rig.owe(2000, name="e")
    async with rig.running(rig.destination(), rig.destination("e", other)) as delivery:
        await rig.clock.advance(3600)
        assert delivery.gates() == {"d": "held", "e": "closed"}
        assert 2 <= len(rig.tiktok.calls) <= 2 + 12  # one slow probe every five minutes
        assert (await rig.books("e"))["delivered"] == 2000
        assert await rig.books() == {"accepted": 2000, "owed": 2000}
        rig.tiktok.script = lambda _: OK
        await delivery.secret_changed("d")
        await rig.clock.advance(2)
        assert (await rig.books())["delivered"] == 2000
    assert rig.gate_moves() == [("closed", "held"), ("held", "probing"), ("probing", "closed")]


async def test_a_slow_probe_finds_out_by_itself() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: REVOKED
    await rig.owe(20)
    async with rig.running():
        await rig.clock.advance(10)
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(280)
        assert (await rig.books())["owed"] == 20
        await rig.clock.advance(20)
        assert (await rig.books())["owed"] == 0


async def test_paused_nobody_claims_in_any_replica() -> None:
    rig = Rig()
    async with rig.running() as one, rig.running(replica="r2"):
        await one.pause("d")
        await rig.clock.advance(2)
        await rig.owe(10)
        await rig.clock.advance(100)
        assert rig.tiktok.calls == []
        await one.resume("d")
        await rig.clock.advance(2)
        assert (await rig.books())["delivered"] == 10
    assert [notice.paused for notice in rig.heard(DestinationPaused)] == [True, False]
    with pytest.raises(KeyError):
        await one.pause("unknown")


async def test_throttling_waits_without_opening_the_gate() -> None:
    rig = Rig()
    replies = iter([OK, THROTTLED, THROTTLED, THROTTLED])
    rig.tiktok.script = lambda _: next(replies, OK)
    await rig.owe(3000)
    async with rig.running():
        await rig.clock.advance(6.9)
        assert len(rig.tiktok.calls) == 4  # pauses of 1, 2 and 4 s
        await rig.clock.advance(20)
        assert (await rig.books())["delivered"] == 3000
    assert rig.gate_moves() == []
    assert not any(notice.ambiguous for notice in rig.heard(EntriesReturned))


async def test_a_throttling_storm_opens_the_gate() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: THROTTLED
    await rig.owe(10)
    async with rig.running():
        await rig.clock.advance(1200)
        assert len(rig.tiktok.calls) < 20
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(910)
        assert (await rig.books())["delivered"] == 10
    assert rig.gate_moves()[0] == ("closed", "open")
    presumed = [notice.limit for notice in rig.heard(CallsPaused)]
    assert list(dict.fromkeys(presumed)) == ["per_second", "per_minute", "per_day"]


async def test_an_operators_probe_ends_a_pause() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: Reply(429, None, retry_after=600.0)
    await rig.owe(10)
    async with rig.running() as delivery:
        await rig.clock.advance(100)
        assert len(rig.tiktok.calls) == 1
        rig.tiktok.script = lambda _: OK
        await delivery.probe("d")
        await rig.clock.advance(1)
        assert (await rig.books())["delivered"] == 10


@pytest.mark.parametrize("changed", [False, True])
async def test_a_refusal_of_the_old_token_holds_nothing_when_there_is_another_one(changed: bool) -> None:  # noqa: FBT001
    rig = Rig()
    replies = iter([REVOKED])
    rig.tiktok.script = lambda _: next(replies, OK)
    await rig.owe(10)
    async with rig.running(rig.destination(sender=SlowTikTok(rig))) as delivery:
        await rig.clock.advance(1)
        if changed:
            await delivery.secret_changed("d")
        await rig.clock.advance(6)
        assert (await rig.books()).get("delivered", 0) == (10 if changed else 0)
    assert rig.gate_moves() == ([] if changed else [("closed", "held")])


@pytest.mark.parametrize(("style", "most"), [("", 22), ("data[{}]", 2)])
async def test_one_bad_event_is_found_and_the_others_arrive(style: str, most: int) -> None:
    rig = Rig()
    rig.tiktok.script = lambda items: refuses_bad(items, style)
    await rig.owe(700)
    (bad,) = await rig.owe(1, bad=True)
    await rig.owe(299)
    async with rig.running():
        await rig.clock.advance(3)
        assert await rig.books() == {"accepted": 1000, "delivered": 999, "dead:refused": 1, "owed": 0}
    (letter,) = await rig.store.dead_letters.list("d")
    assert (letter.code, letter.request_id) == (40002, "B")
    assert f'"id":"{bad}"' in letter.raw.decode()
    assert len(rig.tiktok.calls) <= 2 + most
    assert set(rig.tiktok.stored.values()) == {1}


async def test_a_partial_success_refuses_the_named_items_only() -> None:
    rig = Rig()
    rig.tiktok.script = lambda items: Reply(200, 20001, "partial", failed_items=(1, 3)) if len(items) > 1 else OK
    await rig.owe(3, names=["a", "b"])
    async with rig.running():
        await rig.clock.advance(1)
        assert await rig.books() == {"accepted": 3, "delivered": 1, "dead:refused": 2, "owed": 0}
    assert [letter.accepted for letter in await rig.store.dead_letters.list("d")] == [("a",), ("a",)]


async def test_a_requeue_resends_only_what_tiktok_does_not_have() -> None:
    rig = Rig()
    rig.tiktok.script = lambda items: Reply(200, 20001, "partial", failed_items=(1,)) if len(items) > 1 else OK
    await rig.owe(1, names=["a", "b"])
    async with rig.running():
        await rig.clock.advance(1)
        (letter,) = await rig.store.dead_letters.list("d")
        assert await rig.store.dead_letters.requeue("d", [letter.id]) == 1
        await rig.clock.advance(1)
        assert await rig.books() == {"accepted": 1, "dead:refused": 1, "requeued": 1, "delivered": 1, "owed": 0}
    assert [item["event"] for item in rig.tiktok.bodies[-1]["data"]] == ["b"]


async def test_single_after_single_refused_alike_holds_instead_of_burying_everything() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: Reply(200, 40002, "Something is wrong.")
    await rig.owe(300)
    async with rig.running() as delivery:
        await rig.clock.advance(1000)
        assert delivery.gates() == {"d": "held"}
        assert await rig.books() == {"accepted": 300, "dead:refused": 4, "owed": 296}
        rig.tiktok.script = lambda _: OK
        await delivery.resume("d")
        await rig.clock.advance(3)
        assert (await rig.books())["delivered"] == 296


async def test_bad_events_in_front_do_not_hold_the_good_ones_behind_for_ever() -> None:
    rig = Rig()
    rig.tiktok.script = refuses_bad
    await rig.owe(40, bad=True)
    async with rig.running() as delivery:
        await rig.clock.advance(2)
        assert delivery.gates() == {"d": "held"}
        await rig.owe(30)
        await rig.clock.advance(1000)
        assert await rig.books() == {"accepted": 70, "delivered": 30, "dead:refused": 40, "owed": 0}


async def test_one_destination_that_hangs_costs_the_others_nothing() -> None:
    rig = Rig(("d", "e"))
    other = ScriptedTikTok()
    await rig.owe(100)
    await rig.owe(5000, name="e")
    async with rig.running(rig.destination(sender=HangingTikTok()), rig.destination("e", other)):
        await rig.clock.advance(1)
        assert (await rig.books("e"))["delivered"] == 5000
        assert (await rig.books())["owed"] == 100


async def test_a_stop_gives_unsent_leases_back_and_waits_for_calls_in_flight() -> None:
    rig = Rig()
    hanging = HangingTikTok()
    await rig.owe(2000)
    async with rig.running(rig.destination(sender=hanging)):
        await rig.clock.advance(0.2)
        assert (await rig.survey()).leased == 1500  # one on the wire, two prepared
    returned = Counter[bool]()
    for notice in rig.heard(EntriesReturned):
        returned[notice.ambiguous] += notice.count
    assert returned == {False: 1000, True: 500}
    assert len(hanging.calls) == 1
    for _ in range(4):
        assert await rig.store.owed.claim(StreamKey("d", CONVERSION), Lane.LIVE, 500, 10**9)


async def test_test_events_travel_in_calls_of_their_own() -> None:
    rig = Rig()
    await rig.owe(2, test="T1")
    await rig.owe(3)
    async with rig.running():
        await rig.clock.advance(1)
    assert [(body.get("test_event_code"), len(body["data"])) for body in rig.tiktok.bodies] == [("T1", 2), (None, 3)]


async def test_fresh_conversions_overtake_a_backlog() -> None:
    rig = Rig()
    old = rig.clock.now_ms() - 120_000
    await rig.owe(20_000, received_ms=old)
    await rig.owe(5_000, klass=ENGAGEMENT, received_ms=old)
    rig.tiktok.script = lambda _: OK
    slow = _Slow(rig, 0.1)
    async with rig.running(rig.destination(sender=slow)) as delivery:
        await rig.clock.advance(1)
        fresh = await rig.owe(1)
        delivery.wake()
        before = len(slow.calls)
        await rig.clock.advance(0.6)
        position = next(n for n, call in enumerate(slow.calls) if fresh[0] in call)
        assert position - before <= 4
        await rig.clock.advance(20)
        assert (await rig.books())["owed"] == 0
        assert (await rig.books(klass=EntryClass.ENGAGEMENT))["owed"] == 0


class _Slow(ScriptedTikTok):
    """Answers after a while."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        super().__init__()
        self.rig, self.seconds = rig, seconds

    async def send(self, call: Call) -> Reply:
        reply = await super().send(call)
        await self.rig.clock.sleep(self.seconds)
        return reply


async def test_work_that_outlives_half_a_lease_renews_it() -> None:
    rig = Rig()
    slow = _Slow(rig, 7.0)
    slow.script = refuses_bad
    await rig.owe(63)
    await rig.owe(1, bad=True)
    async with rig.running(rig.destination(sender=slow)), rig.running(rig.destination(sender=slow), replica="r2"):
        await rig.clock.advance(120)
        assert await rig.books() == {"accepted": 64, "delivered": 63, "dead:refused": 1, "owed": 0}
    assert set(slow.stored.values()) == {1}


async def test_one_replica_probes_and_both_resume() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: BAD_GATEWAY
    await rig.owe(2000)
    async with rig.running() as one, rig.running(replica="r2") as two:
        await rig.clock.advance(60)
        assert one.gates() == two.gates() != {"d": "closed"}
        rig.tiktok.script = lambda _: OK
        before = len(rig.tiktok.calls)
        await rig.clock.advance(65)
        assert (await rig.books())["delivered"] == 2000
        assert [len(call) for call in rig.tiktok.calls[before : before + 3]] == [1, 10, 100]
        assert one.gates() == two.gates() == {"d": "closed"}


async def test_notices_equal_the_books() -> None:
    rig = Rig()
    rig.tiktok.script = lambda items: refuses_bad(items, "data[{}]")
    await rig.owe(300)
    await rig.owe(3, bad=True)
    await rig.owe(4, names=[])
    await rig.owe(5, broken=["Purchase"])
    await rig.owe(6, time=rig.clock.now_ms() // 1000 - 8 * 86_400)
    async with rig.running():
        await rig.clock.advance(5)
    books = await rig.books()
    stream = StreamKey("d", CONVERSION)
    assert {ending: count for (_, ending), count in told_ledger(rig.told).items()} == {
        "delivered": 300,
        "dead:refused": 3,
        "unmatched": 4,
        "dead:unmappable": 5,
        "dead:expired": 6,
    }
    assert all(books[ending] == count for (of, ending), count in told_ledger(rig.told).items() if of == stream)


async def test_fresh_entries_between_pieces_of_a_file_do_not_gather_behind_each_other() -> None:
    """A live claim ends where something old begins; taken for "little there", each piece would wait for two seconds."""
    rig, born, late = Rig(), dict[str, float](), list[float]()
    slow = SlowTikTok(rig, 0.5)
    async with rig.running(rig.destination(sender=slow, concurrency=2)) as delivery:
        await rig.clock.advance(5)
        for tenth in range(300):
            if tenth % 3 == 0:
                await rig.owe(500, received_ms=rig.clock.now_ms() - 3_600_000)
            for id_ in await rig.owe(10):
                born[id_] = rig.clock.monotonic()
            delivery.wake()
            await rig.clock.advance(0.1)
        late += [slow.at[id_] - at for id_, at in born.items() if id_ in slow.at]
    assert len(late) > 2_500, "nearly all of 3,000"
    assert max(late) < 5, "four calls a second, a hundred fresh entries a second, and five times as many out of a file"
