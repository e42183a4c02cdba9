from __future__ import annotations

import pytest

from relay.core.delivery.attempts import CALLED_OFF, attempt_of
from relay.core.delivery.batch import Batch, Packed, Parcel
from relay.core.event import Attempt, Claimed, Entry, EntryClass, Lane, Lease, StreamKey
from relay.core.tiktok.reply import Reply
from relay.core.tiktok.verdict import judge

ITEM = Packed("Purchase", "web", "", b"{}")
ENTRIES = tuple(Entry(f"1-{number}", b"{}", 0, "web") for number in range(6))
CLAIMED = Claimed(
    Lease(StreamKey("d", EntryClass.ENGAGEMENT), Lane.LIVE, "1-0", "1-5", 7, 0, 0), ENTRIES, now_ms=0, fresh=True
)


def attempt(*numbers: int, reply: Reply | None = None) -> Attempt:
    batch = Batch("web", "", [Parcel(f"1-{number}", (ITEM,)) for number in numbers])
    return attempt_of(CLAIMED, batch, 5, judge(reply, len(numbers)) if reply else None, reply)


@pytest.mark.parametrize(
    ("numbers", "whole"),
    [
        ((0, 1, 2, 3, 4, 5), True),
        ((2, 3, 4), True),
        ((3,), True),
        ((3, 3), True),  # two items of one entry
        ((0, 2, 4), False),  # half of a refused call
        ((0, 1, 2, 4, 5), False),  # one could not be mapped
        ((0, 5), False),
    ],
)
def test_a_call_is_whole_when_nothing_between_its_ends_is_missing(numbers: tuple[int, ...], whole: object) -> None:
    made = attempt(*numbers, reply=Reply(200, 0))
    assert (made.first_id, made.last_id, made.whole) == (f"1-{numbers[0]}", f"1-{numbers[-1]}", whole)
    assert (made.klass, made.number, made.items, made.at_ms) == (EntryClass.ENGAGEMENT, 7, len(numbers), 5)


def test_what_came_back_is_kept() -> None:
    made = attempt(1, reply=Reply(502, None, log_id="L", request_id="R"))
    assert (made.verdict, made.label, made.request_id, made.log_id) == ("retry", "http_502", "R", "L")
    assert (attempt(1).verdict, attempt(1).label) == (CALLED_OFF, CALLED_OFF)
