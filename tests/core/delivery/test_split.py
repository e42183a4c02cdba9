from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.delivery.batch import Parcel
from relay.core.delivery.split import Search, cut_in_two
from relay.core.tiktok.reply import Reply
from relay.core.tiktok.verdict import judge
from tests.core.delivery.parcels import batch, item, parcels


def run(
    parts: list[Parcel], bad: set[str], *, style: str = "", lie: int | None = None
) -> tuple[int, set[str], set[str]]:
    """Play a TikTok that refuses calls whole: calls made, items accepted, items given up."""
    search, calls, accepted, refused = Search([batch(parts)]), 0, set[str](), set[str]()
    while (piece := search.next()) is not None:
        calls += 1
        assert calls <= 4 * sum(len(part.items) for part in parts) + 4
        names = [one.subscription for part in piece.batch.parcels for one in part.items]
        index = next((n for n, name in enumerate(names) if name in bad), None)
        if index is None:
            search.accepted(piece)
            accepted.update(names)
            continue
        named = style.format(index if lie is None else lie) if style else "something"
        culprit = search.refused(piece, judge(Reply(200, 40002, f"Invalid {named}"), len(names)))
        if culprit is not None:
            refused.update(one.subscription for one in culprit.items)
    return calls, accepted, refused


def bad_of(parts: list[Parcel], positions: list[int]) -> set[str]:
    return {parts[position].items[0].subscription for position in positions}


@pytest.mark.parametrize("position", [0, 1, 249, 250, 498, 499])
def test_one_bad_of_five_hundred_without_an_index(position: int) -> None:
    parts = parcels(500)
    calls, accepted, refused = run(parts, bad_of(parts, [position]))
    assert refused == bad_of(parts, [position])
    assert len(accepted) == 499
    assert calls - 1 <= 2 * math.ceil(math.log2(500))


@pytest.mark.parametrize("style", ["data[{}]", "data.{}", "index {}", "Batch.{}.x"])
def test_one_bad_with_an_index_costs_two_more_calls(style: str) -> None:
    parts = parcels(500)
    calls, _, refused = run(parts, bad_of(parts, [321]), style=style)
    assert (calls, refused) == (3, bad_of(parts, [321]))


def test_a_lying_index_costs_calls_but_no_event() -> None:
    parts = parcels(64)
    calls, accepted, refused = run(parts, bad_of(parts, [40]), style="data[{}]", lie=3)
    assert refused == bad_of(parts, [40])
    assert len(accepted) == 63
    assert calls <= 2 * 64


@pytest.mark.parametrize(("style", "most"), [("", 1500), ("data[{}]", 220)])
@pytest.mark.parametrize("spread", ["even", "random"])
def test_a_hundred_bad_in_ten_thousand(style: str, most: int, spread: str) -> None:
    bad = set(range(50, 10_000, 100)) if spread == "even" else set(random.Random(1).sample(range(10_000), 100))
    more = 0
    for start in range(0, 10_000, 500):
        parts = parcels(500)
        wrong = bad_of(parts, [n - start for n in bad if start <= n < start + 500])
        calls, accepted, refused = run(parts, wrong, style=style)
        assert refused == wrong
        assert len(accepted) == 500 - len(wrong)
        more += calls - 1
    assert more <= most


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40),
    st.sets(st.integers(0, 159)),
    st.sampled_from(["", "data[{}]"]),
)
def test_exactly_the_bad_items_are_given_up(shape: list[int], bad: set[int], style: str) -> None:
    parts = [Parcel(f"{n}-0", tuple(item(f"{n}.{m}") for m in range(items))) for n, items in enumerate(shape)]
    names = [one.subscription for part in parts for one in part.items]
    wrong = {name for position, name in enumerate(names) if position in bad}
    _, accepted, refused = run(parts, wrong, style=style)
    assert refused == wrong
    assert accepted == set(names) - wrong


def test_an_entry_with_several_items_is_cut_by_item_only_when_alone() -> None:
    first, second = cut_in_two(batch(parcels(2, items=3)), None)
    assert [len(part.items) for part in first + second] == [3, 3]
    first, second = cut_in_two(batch(parcels(1, items=3)), None)
    assert [len(part.items) for part in first + second] == [1, 1, 1]


def test_the_named_item_takes_its_whole_entry_along() -> None:
    first, second = cut_in_two(batch(parcels(3, items=2)), 3)
    assert [part.entry_id for part in first] == ["1-0"]
    assert [part.entry_id for part in second] == ["0-0", "2-0"]


@pytest.mark.parametrize(
    ("shape", "named", "sizes"),
    [((1,) * 6, 2, [2, 1, 3]), ((2,) * 3, 3, [2, 2, 2]), ((4,), 3, [3, 1]), ((1,) * 3, 0, [1, 1, 1])],
)
def test_in_doubt_what_comes_before_the_named_item_goes_first(
    shape: tuple[int, ...], named: int, sizes: list[int]
) -> None:
    parts = [Parcel(f"{n}-0", tuple(item(f"{n}.{m}") for m in range(items))) for n, items in enumerate(shape)]
    search, sent = Search([batch(parts)]), []
    whole = search.next()
    assert whole is not None
    search.refused(whole, judge(Reply(200, 40002, f"Invalid data[{named}]"), whole.batch.items), doubted=True)
    while (piece := search.next()) is not None:
        search.accepted(piece)
        sent.append(piece.batch.items)
    assert sent == sizes


def test_too_big_blames_nobody() -> None:
    search = Search([batch(parcels(4))])
    whole = search.next()
    assert whole is not None
    search.refused(whole, judge(Reply(413, None), 4))
    first = search.next()
    assert first is not None
    search.accepted(first)
    second = search.next()
    assert second is not None
    assert len(second.batch.parcels) == 2  # sent as it is: it may well fit


def test_patience_sends_the_same_again_before_cutting() -> None:
    search, sizes = Search([batch(parcels(2))]), []
    judgement = judge(Reply(200, 40700), 2)
    while (piece := search.next()) is not None:
        sizes.append(len(piece.batch.parcels))
        search.refused(piece, judgement)
    assert sizes == [2, 2, 2, 1, 1, 1, 1, 1, 1]


def test_a_part_that_lost_an_item_says_nothing_about_the_other_part() -> None:
    parts = parcels(4)
    search = Search([batch(parts)])
    whole = search.next()
    assert whole
    search.refused(whole, judge(Reply(200, 40002, "something"), 4))
    first = search.next()
    assert first
    first.keep(list(first.batch.parcels[1:]))
    search.accepted(first)
    second = search.next()
    assert second
    assert len(second.batch.parcels) == 2, "the bad one may have been the one that was taken out"
