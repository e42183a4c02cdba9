from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.delivery.batch import Batch, Limits, Parcel, batches, body_of, parcels_of
from tests.core.delivery.parcels import item, parcels
from tests.twins.tiktok import PlainItem

SMALL = Limits(items=5, hard=10, bytes=200)


def mapped(name: str, *, source: str = "web", test: str = "") -> PlainItem:
    return PlainItem(name, source, test, None, b"{}", 1)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "T"]), st.integers(1, 7), st.integers(9, 150))))
def test_every_parcel_is_in_one_call_of_its_kind_and_calls_keep_their_limits(
    shapes: list[tuple[str, str, int, int]],
) -> None:
    made = [
        Parcel(f"{n}-0", tuple(item(f"{m}", source=source, test=test, size=size) for m in range(count)))
        for n, (source, test, count, size) in enumerate(shapes)
    ]
    calls = batches(made, "", SMALL)
    assert sorted(parcel.entry_id for call in calls for parcel in call.parcels) == sorted(p.entry_id for p in made)
    for call in calls:
        for parcel in call.parcels:
            assert {(one.event_source, one.test_event_code) for one in parcel.items} == {
                (call.event_source, call.test_event_code)
            }
        size = sum(len(one.body) + 1 for parcel in call.parcels for one in parcel.items)
        assert len(call.parcels) == 1 or (call.items <= SMALL.items and size <= SMALL.bytes)


def test_calls_are_filled() -> None:
    assert [call.items for call in batches(parcels(1200), "", Limits())] == [500, 500, 200]


def test_the_first_parcel_always_fits() -> None:
    big = Parcel("0-0", (item("big", size=10_000),))
    assert [call.items for call in batches([big, *parcels(2)], "", SMALL)] == [1, 2]


def test_an_entrys_items_stay_together_unless_no_call_can_hold_them() -> None:
    assert [len(one.items) for one in parcels_of("1-0", [mapped(str(n)) for n in range(7)], "", SMALL)] == [7]
    assert [len(one.items) for one in parcels_of("1-0", [mapped(str(n)) for n in range(23)], "", SMALL)] == [10, 10, 3]


def test_items_of_two_kinds_travel_apart() -> None:
    made = list(parcels_of("1-0", [mapped("a"), mapped("b", test="T"), mapped("c", source="app")], "", Limits()))
    assert [[one.subscription for one in parcel.items] for parcel in made] == [["a"], ["b"], ["c"]]


def test_the_destinations_test_code_is_the_default() -> None:
    made = [
        *parcels_of("1-0", [mapped("a")], "D", Limits()),
        *parcels_of("2-0", [mapped("b", test="T")], "D", Limits()),
    ]
    assert [call.test_event_code for call in batches(made, "D", Limits())] == ["D", "T"]


def test_the_body_is_the_call_around_the_items_as_they_were_made() -> None:
    body = body_of(Batch("web", "", [Parcel("1-0", (item("a"), item("b")))]), 'P"1')
    assert orjson.loads(body) == {"event_source": "web", "event_source_id": 'P"1', "data": [{"id": "a"}, {"id": "b"}]}
    assert b'"data":[{"id":"a"},{"id":"b"}]}' in body
    assert orjson.loads(body_of(Batch("app", "T1", parcels(1)), "A"))["test_event_code"] == "T1"
