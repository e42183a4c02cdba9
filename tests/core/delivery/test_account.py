from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from relay.core.delivery.account import Account, Rules, decode
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.event import Claimed, DeadReason, Entry, EntryClass, JsonObject, Lane, Lease, Rest, StreamKey
from relay.core.tiktok.reply import Reply
from relay.core.tiktok.verdict import Stored, judge
from tests.twins.tiktok import PlainItem, PlainMapping

NOW = 1_770_000_000_000
REFUSAL = judge(Reply(200, 40002, "bad value", request_id="R1"), 1)


def entry(n: int = 1, accepted: tuple[str, ...] = (), received_ms: int = NOW, **event: Any) -> Entry:
    return Entry(f"{n}-0", orjson.dumps({"id": str(n), **event}), received_ms, "s", accepted=accepted)


def account(*entries: Entry, first_ms: int = 0, clocks: Clocks | None = None, mapping: Any = None) -> Account:
    """``first_ms`` is that of a lease somebody held before; without, the lease is fresh."""
    lease = Lease(
        StreamKey("d", EntryClass.CONVERSION), Lane.LIVE, entries[0].id, entries[-1].id, 1, NOW, first_ms or NOW
    )
    rules = Rules(mapping or PlainMapping(), clocks or Clocks(), "", Limits())
    made = Account(Claimed(lease, entries, NOW, fresh=not first_ms), rules)
    made.add(entries)
    return made


def test_a_plain_entry_ends_with_its_call() -> None:
    made = account(entry())
    assert (len(made.endings), made.left) == (0, 1)
    made.accepted(made.parcels[0])
    assert made.take_endings().delivered == ["1-0"]
    assert (len(made.endings), made.left) == (0, 0)


def test_what_tiktok_took_is_added_up_by_event_and_currency_until_it_is_settled() -> None:
    made = account(
        entry(1, value=2.5, currency="USD"),
        entry(2, value=1, currency="USD"),
        entry(3, value=4, currency="EUR", names=["Purchase", "Lead"]),
        entry(4),
    )
    for parcel in made.parcels:
        if parcel.entry_id == "4-0":
            made.refused(parcel, REFUSAL)
        else:
            made.accepted(parcel)
    assert made.take_endings().sold == {
        ("Purchase", "USD"): [2, 3_500_000],
        ("Purchase", "EUR"): [1, 4_000_000],
        ("Lead", "EUR"): [1, 4_000_000],
    }
    assert made.take_endings().sold == {}, "handed over once"


def test_a_refused_plain_entry_is_buried_with_tiktoks_words() -> None:
    made = account(entry())
    made.refused(made.parcels[0], REFUSAL)
    (burial,) = made.endings.dead
    assert (burial.reason, burial.message, burial.code, burial.request_id) == (
        DeadReason.REFUSED,
        "bad value",
        40002,
        "R1",
    )


def test_nothing_matches_any_more() -> None:
    assert account(entry(names=[])).endings.unmatched == ["1-0"]


def test_an_entry_with_several_items_ends_when_all_have_a_verdict() -> None:
    made = account(entry(names=["a", "b", "c"]))
    (parcel,) = made.parcels
    first, second, third = (parcel._replace(items=(item,)) for item in parcel.items)
    made.accepted(first)
    assert (made.left, made.rest) == (1, Rest.RELEASE)  # TikTok has a part of it
    made.refused(second, REFUSAL)
    made.accepted(third)
    (burial,) = made.endings.dead
    assert (burial.reason, burial.accepted, made.left) == (DeadReason.REFUSED, ("a", "c"), 0)


def test_items_that_cannot_be_sent_do_not_keep_the_others() -> None:
    made = account(entry(names=["a", "b"], broken=["b"]))
    assert [item.subscription for item in made.parcels[0].items] == ["a"]
    made.accepted(made.parcels[0])
    (burial,) = made.endings.dead
    assert (burial.reason, burial.accepted) == (DeadReason.UNMAPPABLE, ("a",))
    assert burial.message == "b: cannot be mapped"


def test_an_entry_without_any_item_to_send_is_unmappable_at_once() -> None:
    made = account(entry(names=["a"], broken=["a"]))
    assert [burial.reason for burial in made.endings.dead] == [DeadReason.UNMAPPABLE]
    assert made.parcels == []


def test_after_a_requeue_only_the_others_are_sent() -> None:
    made = account(entry(accepted=("a",), names=["a", "b"]))
    assert [item.subscription for item in made.parcels[0].items] == ["b"]
    made.refused(made.parcels[0], REFUSAL)
    assert made.endings.dead[0].accepted == ("a",)


def test_after_a_requeue_an_entry_that_tiktok_has_whole_is_delivered() -> None:
    assert account(entry(accepted=("a",), names=["a"])).endings.delivered == ["1-0"]


def test_a_requeued_refusal_of_a_single_subscription_is_sent_again() -> None:
    made = account(entry(accepted=("gone",), names=["a"]))
    made.accepted(made.parcels[0])
    assert made.endings.delivered == ["1-0"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'"x"', b"\xff"])
def test_what_cannot_be_read_is_unmappable(raw: bytes) -> None:
    made = account(Entry("1-0", raw, NOW, "s"))
    assert [burial.reason for burial in made.endings.dead] == [DeadReason.UNMAPPABLE]


def test_a_mapping_that_fails_on_one_event_ends_that_event_only() -> None:
    class Poisoned(PlainMapping):
        def items(self, event: JsonObject, received_s: int) -> list[PlainItem]:
            if event["id"] == "2":
                raise RecursionError
            return list(super().items(event, received_s))

    made = account(entry(1), entry(2), entry(3), mapping=Poisoned())
    assert [parcel.entry_id for parcel in made.parcels] == ["1-0", "3-0"]
    assert "RecursionError" in made.endings.dead[0].message


def test_late_entries_are_buried_unsent() -> None:
    old = entry(1, time=NOW // 1000 - 8 * 86_400)
    shared = entry(2, received_ms=NOW - 45 * 3_600_000, time=NOW // 1000)
    made = account(old, shared, clocks=Clocks(shared=True))
    assert [burial.reason for burial in made.endings.dead] == [DeadReason.EXPIRED, DeadReason.OVERLAP]
    made = account(entry(3), first_ms=NOW - 45 * 3_600_000)
    assert [burial.reason for burial in made.endings.dead] == [DeadReason.AMBIGUOUS]


@pytest.mark.parametrize(
    ("first_ms", "stored", "rest"),
    [
        (0, Stored.NO, Rest.UNCLAIM),
        (0, Stored.UNKNOWN, Rest.RELEASE),
        (NOW - 1, Stored.NO, Rest.RELEASE),  # an earlier attempt is still unexplained
        (NOW, Stored.NO, Rest.RELEASE),  # also one of this very millisecond
    ],
)
def test_the_first_claim_is_forgotten_only_without_any_doubt(first_ms: int, stored: Stored, rest: Rest) -> None:
    made = account(entry(), first_ms=first_ms)
    made.unknown(stored)
    assert made.rest is rest


DAYS_AGO = NOW - 70 * 3_600_000


@pytest.mark.parametrize(
    ("lease_ms", "entry_ms", "buried_ms"),
    [(0, 0, 0), (NOW - 5, 0, NOW - 5), (0, NOW - 9, NOW - 9), (NOW - 5, NOW - 9, NOW - 9), (NOW - 9, NOW - 5, NOW - 9)],
)
@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_burial_tells_the_earliest_time_tiktok_may_have_got_it(
    lease_ms: int, entry_ms: int, buried_ms: int, names: list[str]
) -> None:
    made = account(entry(names=names)._replace(first_ms=entry_ms), first_ms=lease_ms)
    made.refused(made.parcels[0], REFUSAL)
    assert [burial.first_ms for burial in made.endings.dead] == [buried_ms]


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_an_unknown_outcome_puts_a_later_refusal_in_doubt(names: list[str]) -> None:
    made = account(entry(1, names=names), entry(2, names=names))
    made.refused(made.parcels[0], REFUSAL)
    made.unknown(Stored.UNKNOWN)
    made.refused(made.parcels[1], REFUSAL)
    assert [burial.first_ms for burial in made.endings.dead] == [0, NOW]


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_refusal_that_may_have_been_stored_is_in_doubt(names: list[str]) -> None:
    made = account(entry(names=names))
    made.refused(made.parcels[0], judge(Reply(200, 40700, "internal"), 1))
    assert [burial.first_ms for burial in made.endings.dead] == [NOW]


def test_a_partial_success_leaves_no_doubt_about_what_it_refused() -> None:
    made = account(entry())
    made.refused(made.parcels[0], judge(Reply(200, 20001, "partial", failed_items=(0,)), 1))
    assert [burial.first_ms for burial in made.endings.dead] == [0]


def test_a_requeued_entry_in_doubt_is_not_sent_by_itself_and_others_of_its_lease_are() -> None:
    made = account(entry(1), entry(2)._replace(first_ms=DAYS_AGO), entry(3))
    assert [parcel.entry_id for parcel in made.parcels] == ["1-0", "3-0"]
    (burial,) = made.endings.dead
    assert (burial.entry_id, burial.reason, burial.first_ms) == ("2-0", DeadReason.AMBIGUOUS, DAYS_AGO)


def test_a_released_entry_is_sent_whatever_the_time_unless_it_is_too_old_to_be_matched() -> None:
    shared = entry(1, received_ms=DAYS_AGO)._replace(released=True)
    doubtful = entry(2)._replace(first_ms=DAYS_AGO, released=True)
    expired = entry(3, time=NOW // 1000 - 8 * 86_400)._replace(first_ms=DAYS_AGO, released=True)
    made = account(shared, doubtful, expired, first_ms=DAYS_AGO, clocks=Clocks(shared=True))
    assert [parcel.entry_id for parcel in made.parcels] == ["1-0", "2-0"]
    assert [(burial.reason, burial.first_ms) for burial in made.endings.dead] == [(DeadReason.EXPIRED, DAYS_AGO)]


def test_decode_reads_what_old_senders_wrote() -> None:
    event = decode(b'{"a":NaN,"b":123456789012345678901234567890}')
    assert isinstance(event, dict)
    assert math.isnan(event["a"])
    assert event["b"] == 123456789012345678901234567890


def test_who_is_withdrawn_ends_as_forgotten_once_whatever_became_of_other_calls() -> None:
    made = account(entry(1, names=["a", "b"]), entry(2), entry(3))
    # The items of the first entry travel in two calls: one is answered before the list changes.
    first, second, third = made.parcels
    parts = [first._replace(items=(item,)) for item in first.items]
    made.accepted(parts[0])
    assert made.withdraw([parts[1], second], lambda entry_id: entry_id == "1-0") == [second]
    assert made.withdraw([parts[1], third], lambda _entry_id: False) == [third]
    made.accepted(second)
    made.accepted(third)
    endings = made.take_endings()
    assert (endings.forgotten, endings.delivered, endings.dead) == (["1-0"], ["2-0", "3-0"], [])
    assert (made.left, made.rest) == (0, Rest.UNCLAIM)
