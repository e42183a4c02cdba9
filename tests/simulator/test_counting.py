from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.simulator.counting import MERGE_MS, SECONDS_KEPT, Counting

HOUR = 3_600_000
WINDOW = 48 * HOUR


def item(event_id: str | None = "1", event: str = "Purchase") -> dict[str, Any]:
    return {"event": event, "event_id": event_id} if event_id is not None else {"event": event}


def arrivals(counting: Counting, *times: int, source: str = "P") -> dict[str, int]:
    """The same event at these times; what the books say then."""
    for now in times:
        counting.api(source, [item()], now, WINDOW, 0)
    return {name: count for name, count in counting.summary().items() if count}


def test_a_repeat_within_48_hours_is_removed_and_after_them_counts_again() -> None:
    assert arrivals(Counting(), 0, 1, WINDOW) == {"unique": 1, "duplicate": 2}
    assert arrivals(Counting(), 0, WINDOW + 1) == {"unique": 1, "doubled": 1}


def test_the_first_arrival_opens_the_window_and_repeats_do_not_extend_it() -> None:
    assert arrivals(Counting(), 0, 40 * HOUR, 60 * HOUR) == {"unique": 1, "duplicate": 1, "doubled": 1}
    # Counted again at 60 h: from there on 48 h more.
    assert arrivals(Counting(), 0, 60 * HOUR, 100 * HOUR, 109 * HOUR) == {"unique": 1, "duplicate": 1, "doubled": 2}


def test_the_key_has_three_parts() -> None:
    counting = Counting()
    for source in "PQ":
        counting.api(source, [item("1"), item("2"), item("1", "Lead")], 0, WINDOW, 0)
    assert counting.summary()["unique"] == 6


def test_a_repeat_within_one_call_is_one_too() -> None:
    counting = Counting()
    counting.api("P", [item(), item()], 0, WINDOW, 0)
    assert counting.summary()["unique"] == counting.summary()["duplicate"] == 1


def test_without_an_id_nothing_can_be_removed() -> None:
    counting = Counting()
    counting.api("P", [item(None), item(None), item("")], 0, WINDOW, 0)
    assert (counting.summary()["unique"], counting.summary()["without_id"]) == (3, 3)
    assert list(counting.ids()) == []


def test_pixel_and_api_merge_within_five_minutes_once() -> None:
    counting = Counting()
    assert counting.pixel("P", "Purchase", "1", 0, WINDOW) == "unique"
    assert arrivals(counting, MERGE_MS, MERGE_MS) == {"unique": 1, "merged": 1, "duplicate": 1}


def test_pixel_and_api_merge_in_the_other_order_as_well() -> None:
    counting = Counting()
    arrivals(counting, 0, 10)
    assert counting.pixel("P", "Purchase", "1", 20, WINDOW) == "merged"
    assert counting.pixel("P", "Purchase", "1", 30, WINDOW) == "duplicate"


def test_after_five_minutes_the_later_one_is_removed() -> None:
    counting = Counting()
    counting.pixel("P", "Purchase", "1", 0, WINDOW)
    assert arrivals(counting, MERGE_MS + 1) == {"unique": 1, "duplicate": 1}


def test_without_dedupe_every_repeat_counts() -> None:
    counting = Counting()
    for _ in range(3):
        counting.api("P", [item()], 0, 0, 0)
    assert counting.summary()["doubled"] == 2


def test_ids_say_how_often_each_arrived_and_counted() -> None:
    counting = Counting()
    arrivals(counting, 0, 1, WINDOW + 1)
    counting.api("P", [item("2", "Ünï\u0000")], 0, WINDOW, 0)
    assert [orjson.loads(line) for line in counting.ids()] == [
        {"event_source_id": "P", "event": "Purchase", "event_id": "1", "times": 3, "counted": 2, "at_ms": WINDOW + 1},
        {"event_source_id": "P", "event": "Ünï\u0000", "event_id": "2", "times": 1, "counted": 1, "at_ms": 0},
    ]


def test_calls_are_counted_by_second_for_an_hour() -> None:
    counting = Counting()
    for at in range(SECONDS_KEPT + 1):
        counting.called(at * 1000)
    counting.called(SECONDS_KEPT * 1000 + 999)
    found = [orjson.loads(line) for line in counting.calls()]
    assert len(found) == SECONDS_KEPT
    assert found[0] == {"second": 1, "calls": 1}
    assert found[-1] == {"second": SECONDS_KEPT, "calls": 2}


def test_a_cap_forgets_the_oldest_and_says_so() -> None:
    counting = Counting()
    for number in range(5):
        counting.api("P", [item(str(number))], 0, WINDOW, 3)
    assert counting.summary()["forgotten"] == 2
    assert [orjson.loads(line)["event_id"] for line in counting.ids()] == ["2", "3", "4"]
    counting.api("P", [item("0")], 1, WINDOW, 3)
    assert (counting.summary()["unique"], counting.summary()["duplicate"]) == (6, 0)


Arrival = tuple[int, str, str]
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3 * WINDOW), st.sampled_from("ab"), st.sampled_from(["api", "pixel"])), max_size=40
)


@given(ARRIVALS)
@settings(max_examples=150, deadline=None)
def test_it_agrees_with_a_plain_reading_of_the_rules(found: list[Arrival]) -> None:
    counting, history = Counting(), dict[str, list[tuple[int, str]]]()
    expected = dict.fromkeys(("unique", "duplicate", "merged", "doubled"), 0)
    for now, event_id, channel in sorted(found):
        expected[plain_fate(history.setdefault(event_id, []), now, channel)] += 1
        if channel == "api":
            counting.api("P", [item(event_id)], now, WINDOW, 0)
        else:
            counting.pixel("P", "Purchase", event_id, now, WINDOW)
    assert {name: counting.summary()[name] for name in expected} == expected
    counted = sum(orjson.loads(line)["counted"] for line in counting.ids())
    assert counted == expected["unique"] + expected["doubled"]


def plain_fate(window: list[tuple[int, str]], now: int, channel: str) -> str:
    """``window``: arrivals since the last that counted, kept up by this function."""
    if not window:
        window.append((now, channel))
        return "unique"
    age = now - window[0][0]
    if age > WINDOW:
        window[:] = [(now, channel)]
        return "doubled"
    first_meeting = channel not in {before for _, before in window}
    window.append((now, channel))
    return "merged" if first_meeting and age <= MERGE_MS else "duplicate"
