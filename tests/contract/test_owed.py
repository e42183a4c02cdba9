"""Leases, lanes and endings: the same schedule over every store."""

from __future__ import annotations

import random

import pytest

from relay.core.errors import StoreMisused
from relay.core.event import Burial, Claimed, DeadReason, Lane, Rest, Settlement
from tests.contract.conftest import ORDERS, VIEWS, Stores, Subject

OLD_MS = 60_000
NOISE = random.Random(1).randbytes(3000)  # does not compress: raw and kept bytes are the same


async def claim(subject: Subject, limit: int = 100, lane: Lane = Lane.LIVE, max_bytes: int = 10**9) -> Claimed | None:
    return await subject.owed.claim(VIEWS, lane, limit, max_bytes)


async def must(subject: Subject, limit: int = 100, lane: Lane = Lane.LIVE) -> Claimed:
    claimed = await claim(subject, limit, lane)
    assert claimed is not None
    return claimed


def names(claimed: Claimed | None) -> list[str]:
    assert claimed is not None
    return [entry.raw.decode().split('"')[3] for entry in claimed.entries]


def ids(claimed: Claimed) -> list[str]:
    return [entry.id for entry in claimed.entries]


async def test_claims_are_oldest_first_contiguous_and_disjoint(subject: Subject) -> None:
    await subject.add("a", "b", "c", "d", "e")
    first, second, third = await must(subject, 2), await must(subject, 2), await must(subject, 2)
    assert [names(first), names(second), names(third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert first.lease.number < second.lease.number < third.lease.number
    assert await claim(subject) is None
    assert (first.lease.first_id, first.lease.last_id) == (ids(first)[0], ids(first)[-1])
    assert first.lease.due_ms - first.now_ms == 30_000
    assert first.lease.first_ms == first.now_ms
    assert first.fresh


async def test_nothing_owed_nothing_claimed(subject: Subject) -> None:
    assert await claim(subject) is None
    assert await claim(subject, lane=Lane.BACKLOG) is None


async def test_bytes_bound_a_claim_but_the_first_entry_always_fits(subject: Subject) -> None:
    await subject.inbox.append([subject.entry(name, raw=NOISE) for name in "abcdef"])
    assert len((await must(subject, 3)).entries) == 3
    claimed = await claim(subject, max_bytes=1)
    assert claimed is not None
    assert len(claimed.entries) == 1
    assert len((await must(subject)).entries) == 2


async def test_delivered_entries_are_gone_and_counted_once(subject: Subject) -> None:
    await subject.add("a", "b", "c")
    claimed = await must(subject)
    settlement = Settlement(delivered=ids(claimed))
    settled = await subject.owed.settle(claimed.lease, settlement)
    assert (settled.held, settled.delivered) == (True, 3)
    again = await subject.owed.settle(claimed.lease, settlement)
    assert again.delivered == 0
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.leased, look.books["delivered"], look.unbalanced) == (0, 0, 3, 0)


async def test_a_repeated_settlement_of_a_part_counts_nothing_twice(subject: Subject) -> None:
    await subject.add("a", "b", "c")
    claimed = await must(subject)
    part = Settlement(delivered=ids(claimed)[:2])
    assert (await subject.owed.settle(claimed.lease, part)).delivered == 2
    assert await subject.owed.settle(claimed.lease, part) == (await subject.owed.settle(claimed.lease, part))
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.leased, look.books["delivered"], look.unbalanced) == (1, 1, 2, 0)
    assert await claim(subject) is None, "the rest is still leased"


async def test_a_lease_falls_due_and_keeps_its_first_claim(stores: Stores) -> None:
    subject = await stores.open(lease_ms=40)
    await subject.add("a", "b")
    lost = await must(subject)
    assert await claim(subject) is None
    await subject.passes(60)
    found = await must(subject)
    assert names(found) == ["a", "b"]
    assert found.lease.number > lost.lease.number
    assert found.lease.first_ms == lost.lease.first_ms
    assert (lost.fresh, found.fresh) == (True, False)
    assert not (await subject.owed.settle(lost.lease, Settlement(delivered=ids(lost)))).held
    assert (await subject.owed.survey()).streams[1].owed == 2
    assert (await subject.owed.settle(found.lease, Settlement(delivered=ids(found)))).delivered == 2


async def test_keeping_renews_a_lease(stores: Stores) -> None:
    subject = await stores.open(lease_ms=150)
    await subject.add("a")
    claimed = await must(subject)
    for _ in range(3):
        await subject.passes(80)
        assert (await subject.owed.settle(claimed.lease, Settlement())).held
    assert await claim(subject) is None


async def test_a_due_lease_is_split_and_its_old_holder_fenced_from_both_parts(subject: Subject) -> None:
    await subject.add("a", "b", "c", "d", "e")
    old = await must(subject)
    await subject.owed.settle(old.lease, Settlement(rest=Rest.RELEASE))
    taken = await must(subject, 2)
    rest = await must(subject)
    assert [names(taken), names(rest)] == [["a", "b"], ["c", "d", "e"]]
    assert old.lease.first_ms == taken.lease.first_ms == rest.lease.first_ms
    assert (taken.fresh, rest.fresh) == (False, False), "at the same moment or not"
    assert len({old.lease.number, taken.lease.number, rest.lease.number}) == 3
    assert not (await subject.owed.settle(old.lease, Settlement(delivered=ids(old)))).held
    assert (await subject.owed.survey()).streams[1].leased == 5


async def test_what_is_left_of_a_due_lease_skips_what_has_ended(subject: Subject) -> None:
    await subject.add("a", "b", "c", "d", "e")
    claimed = await must(subject)
    odd = [ids(claimed)[0], ids(claimed)[2]]
    await subject.owed.settle(claimed.lease, Settlement(delivered=odd, rest=Rest.RELEASE))
    assert names(await must(subject, 2)) == ["b", "d"]
    assert names(await must(subject)) == ["e"]


async def test_releasing_keeps_the_first_claim_and_unclaiming_forgets_it(subject: Subject) -> None:
    await subject.add("a", "b")
    first = await must(subject)
    await subject.passes(5)
    await subject.owed.settle(first.lease, Settlement(rest=Rest.RELEASE))
    second = await must(subject)
    assert second.lease.first_ms == first.lease.first_ms
    assert not second.fresh
    await subject.owed.settle(second.lease, Settlement(rest=Rest.UNCLAIM))
    third = await must(subject)
    assert third.lease.first_ms == third.now_ms > first.lease.first_ms
    assert third.fresh
    assert names(third) == ["a", "b"]


async def test_a_gap_before_a_lease_is_claimed_up_to_it(subject: Subject) -> None:
    await subject.add("a", "b", "c", "d", "e", "f")
    first, second, third = await must(subject, 2), await must(subject, 2), await must(subject, 2)
    await subject.owed.settle(second.lease, Settlement(rest=Rest.UNCLAIM))
    await subject.add("g")
    assert names(await must(subject)) == ["c", "d"]
    assert names(await must(subject)) == ["g"]
    await subject.owed.settle(first.lease, Settlement(rest=Rest.UNCLAIM))
    await subject.owed.settle(third.lease, Settlement(rest=Rest.RELEASE))
    assert names(await must(subject)) == ["a", "b"]
    assert names(await must(subject)) == ["e", "f"]


async def test_an_old_unclaimed_entry_moves_the_mark_to_the_tail(stores: Stores) -> None:
    subject = await stores.open(live_age_ms=150)
    await subject.add("a", "b")
    await subject.passes(200)
    await subject.add("c")
    assert await claim(subject, lane=Lane.LIVE) is None
    assert (await subject.owed.survey()).streams[1].backlog == 3
    await subject.add("d")
    assert names(await must(subject, lane=Lane.LIVE)) == ["d"]
    backlog = await must(subject, 2, lane=Lane.BACKLOG)
    assert names(backlog) == ["a", "b"]
    assert backlog.lease.lane is Lane.BACKLOG
    await subject.owed.settle(backlog.lease, Settlement(delivered=ids(backlog)))
    assert (await subject.owed.survey()).streams[1].backlog == 1
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["c"]
    assert await claim(subject, lane=Lane.BACKLOG) is None


async def test_a_second_outage_moves_the_same_mark(stores: Stores) -> None:
    subject = await stores.open(live_age_ms=150)
    await subject.add("a")
    await subject.passes(200)
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["a"]
    await subject.add("b")
    assert names(await must(subject, lane=Lane.LIVE)) == ["b"]
    await subject.add("c")
    await subject.passes(200)
    await subject.add("d")
    assert await claim(subject, lane=Lane.LIVE) is None
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["c", "d"]
    assert (await subject.owed.survey()).streams[1].backlog == 4


async def test_what_came_old_is_backlog_and_what_is_fresh_behind_it_stays_live(subject: Subject) -> None:
    await subject.add("a", "b", age_ms=OLD_MS)
    await subject.add("fresh")
    await subject.add("c", age_ms=OLD_MS)
    await subject.add("fresher")
    await subject.add("d", age_ms=OLD_MS)
    found = await must(subject, lane=Lane.LIVE)
    assert (names(found), found.cut) == (["fresh"], True), "nothing of a file travels with it"
    assert (await subject.owed.survey()).streams[1].backlog == 2
    assert names(await must(subject, lane=Lane.LIVE)) == ["fresher"]
    assert await claim(subject, lane=Lane.LIVE) is None
    assert (await subject.owed.survey()).streams[1].backlog == 6
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["a", "b"]
    held = await must(subject, lane=Lane.BACKLOG)
    assert names(held) == ["c"]
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["d"]
    await subject.owed.settle(held.lease, Settlement(delivered=ids(held)))
    assert (await subject.owed.survey()).streams[1].backlog == 5


async def test_a_long_file_between_fresh_entries_delays_none_of_them(subject: Subject) -> None:
    old = [subject.entry(f"o{number}", age_ms=OLD_MS) for number in range(1_500)]
    for part in range(0, len(old), 500):
        await subject.inbox.append(old[part : part + 500])
    await subject.add("fresh")
    found = await claim(subject) or await claim(subject)
    assert names(found) == ["fresh"], "two claims pass 1,500 entries"
    assert names(await must(subject, 2, lane=Lane.BACKLOG)) == ["o0", "o1"]
    assert (await subject.owed.survey()).streams[1].backlog == 1_500


async def test_with_a_probe_everything_that_is_owed_becomes_backlog(subject: Subject) -> None:
    await subject.add("a", "b", "c", age_ms=1_000)
    probe = await subject.owed.claim(VIEWS, Lane.BACKLOG, 1, 10**9, probe=True)
    assert names(probe) == ["a"]
    assert await claim(subject, lane=Lane.LIVE) is None
    await subject.add("d")
    assert names(await must(subject, lane=Lane.LIVE)) == ["d"]
    assert names(await must(subject, lane=Lane.BACKLOG)) == ["b", "c"]
    assert (await subject.owed.survey()).streams[1].backlog == 3


async def test_a_leased_entry_however_old_moves_no_mark(subject: Subject) -> None:
    await subject.add("a", age_ms=29_000)
    held = await must(subject)
    await subject.passes(5)
    await subject.add("b")
    await subject.owed.settle(held.lease, Settlement(rest=Rest.RELEASE))
    assert names(await must(subject, lane=Lane.LIVE)) == ["a"]
    assert names(await must(subject, lane=Lane.LIVE)) == ["b"]
    assert (await subject.owed.survey()).streams[1].backlog == 0


async def test_dead_entries_become_letters_with_all_that_is_known(subject: Subject) -> None:
    await subject.inbox.append([subject.entry("a", ORDERS, micros=12_500_000, currency="EUR", source="web|shop")])
    claimed = await subject.owed.claim(ORDERS, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    burial = Burial(ids(claimed)[0], DeadReason.REFUSED, "no \ud83d thanks", 40002, "req-1", ("Add|to", "Cart%"), 1_234)
    settled = await subject.owed.settle(claimed.lease, Settlement(dead=[burial]))
    assert (settled.held, settled.dead) == (True, 1)
    (letter,) = await subject.dead_letters.list("shop")
    assert (letter.reason, letter.message, letter.code) == ("refused", "no \ud83d thanks", 40002)
    assert (letter.request_id, letter.accepted, letter.source) == ("req-1", ("Add|to", "Cart%"), "web|shop")
    assert (letter.worth.micros, letter.worth.currency, letter.klass) == (12_500_000, "EUR", ORDERS.klass)
    assert letter.raw == b'{"messageId":"a"}'
    assert (letter.first_ms, letter.released) == (1_234, False)
    assert letter.died_ms >= claimed.now_ms
    survey = await subject.owed.survey()
    assert (survey.dead["shop"], survey.streams[0].books["dead:refused"], survey.streams[0].unbalanced) == (1, 1, 0)


async def test_every_ending_is_counted_by_its_name(subject: Subject) -> None:
    await subject.add(*"abcdefgh")
    claimed = await must(subject)
    all_ids = ids(claimed)
    dead = [Burial(id_, reason, "") for id_, reason in zip(all_ids, DeadReason, strict=False)]
    settled = await subject.owed.settle(claimed.lease, Settlement(all_ids[5:6], dead, all_ids[6:7]))
    assert (settled.delivered, settled.dead, settled.unmatched) == (1, 5, 1)
    look = (await subject.owed.survey()).streams[1]
    assert {f"dead:{reason.value}" for reason in DeadReason} <= look.books.keys()
    assert (look.owed, look.unbalanced) == (1, 0)


async def test_an_entry_named_twice_ends_once(subject: Subject) -> None:
    await subject.add("a")
    claimed = await must(subject)
    (id_,) = ids(claimed)
    both = Settlement([id_, id_], [Burial(id_, DeadReason.EXPIRED, "")], [id_])
    settled = await subject.owed.settle(claimed.lease, both)
    assert settled.delivered + settled.dead + settled.unmatched == 1
    assert (await subject.owed.survey()).streams[1].unbalanced == 0


@pytest.mark.parametrize("kind", ["delivered", "unmatched", "dead"])
async def test_an_entry_outside_the_lease_is_misuse_and_changes_nothing(subject: Subject, kind: str) -> None:
    await subject.add("a", "b", "c")
    first, second = await must(subject, 1), await must(subject, 1)
    stranger = ids(second)[0]
    settlement = {
        "delivered": Settlement(delivered=[ids(first)[0], stranger]),
        "unmatched": Settlement(delivered=[ids(first)[0]], unmatched=[stranger]),
        "dead": Settlement(delivered=[ids(first)[0]], dead=[Burial(stranger, DeadReason.EXPIRED, "")]),
    }[kind]
    with pytest.raises(StoreMisused):
        await subject.owed.settle(first.lease, settlement)
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.leased, look.books.get("delivered", 0)) == (3, 2, 0)


@pytest.mark.parametrize("first_ms", [-1, 10**16])
async def test_a_burial_without_a_time_is_misuse_and_changes_nothing(subject: Subject, first_ms: int) -> None:
    await subject.add("a", "b")
    claimed = await must(subject)
    dead = [
        Burial(id_, DeadReason.REFUSED, "", first_ms=at) for id_, at in zip(ids(claimed), (5, first_ms), strict=True)
    ]
    with pytest.raises(StoreMisused):
        await subject.owed.settle(claimed.lease, Settlement(dead=dead))
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.leased, look.books.get("dead:refused", 0)) == (2, 2, 0)
    assert await subject.dead_letters.list("shop") == []


async def test_values_follow_what_is_owed(subject: Subject) -> None:
    await subject.inbox.append(
        [
            subject.entry("a", ORDERS, micros=10_000_000, currency="EUR"),
            subject.entry("b", ORDERS, micros=5_000_000, currency="EUR"),
            subject.entry("c", ORDERS, micros=7_000_000, currency="USD"),
            subject.entry("d", ORDERS, micros=1_000_000),
        ]
    )
    assert (await subject.owed.survey()).streams[0].value_micros == {"EUR": 15_000_000, "USD": 7_000_000, "": 1_000_000}
    claimed = await subject.owed.claim(ORDERS, Lane.LIVE, 2, 10**9)
    assert claimed is not None
    dead = [Burial(ids(claimed)[1], DeadReason.REFUSED, "")]
    await subject.owed.settle(claimed.lease, Settlement(delivered=ids(claimed)[:1], dead=dead))
    assert (await subject.owed.survey()).streams[0].value_micros == {"USD": 7_000_000, "": 1_000_000}
    (letter,) = await subject.dead_letters.list("shop")
    await subject.dead_letters.requeue("shop", [letter.id])
    assert (await subject.owed.survey()).streams[0].value_micros["EUR"] == 5_000_000


async def test_the_survey_tells_the_oldest(subject: Subject) -> None:
    assert (await subject.owed.survey()).streams[1].oldest_received_ms is None
    await subject.add("a", age_ms=5000)
    await subject.add("b")
    look = (await subject.owed.survey()).streams[1]
    assert look.oldest_received_ms is not None
    assert subject.now_ms - look.oldest_received_ms >= 5000
