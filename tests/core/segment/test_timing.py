from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.segment.timing import LAST_MS, correct_time, format_time, read_time, received_at

NOON = 1_769_342_400_000  # 2026-01-25T12:00:00Z
DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-25T12:00:00.000Z", NOON),
        ("2026-01-25T12:00:00.123456+00:00", NOON + 123),
        ("2026-01-25T17:30:00.5+05:30", NOON + 500),
        ("2026-01-25T12:00:00", NOON),
        ("2026-01-25 12:00:00", NOON),
        ("2026-01-25", NOON - DAY // 2),
        ("20260125", NOON - DAY // 2),
        (" 2026-01-25T12:00:00Z ", NOON),
        (" " * 500 + "2026-01-25T12:00:00Z" + " " * 500, NOON),
        (NOON, NOON),
        (NOON // 1000, NOON),
        (NOON / 1000 + 0.25, NOON + 250),
        (str(NOON), NOON),
        (str(NOON // 1000), NOON),
        ("Sun, 25 Jan 2026 12:00:00 GMT", NOON),
        ("Sun, 25 Jan 2026 13:00:00 +0100", NOON),
        ("Sun Jan 25 2026 13:00:00 GMT+0100 (Central European Standard Time)", NOON),
        ("Sun Jan 25 2026 12:00:00 GMT+0000", NOON),
        ("2026-01-25 12:00:00.209808489 +0000 UTC m=+70366.298768264", NOON + 209),
        ("2026-01-25 12:00:00 +0000 UTC", NOON),
        ("1970-01-01T00:33:46+00:00", 2_026_000),
    ],
)
def test_the_spellings_in_use(text: Any, expected: int) -> None:
    assert read_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-40",
        None,
        True,
        [],
        {},
        "9" * 400,
        "Sun, 25 Jan 2026 12:00:00 GMT" + "(x)" * 40,
        1.8446745843048358e19,
        -1e30,
        float("inf"),
        float("nan"),
    ],
)
def test_what_nobody_can_read(text: Any) -> None:
    assert read_time(text) is None


@given(st.one_of(st.text(), st.from_regex(r"\d{4}-\d\d-\d\d.{0,20}", fullmatch=True), st.floats(), st.integers()))
def test_nothing_crashes_it(value: Any) -> None:
    assert isinstance(read_time(value), int | None)
    assert "timestamp" in correct_time({"timestamp": value, "sentAt": value}, value, NOON)


@given(st.integers(0, LAST_MS))
def test_what_is_written_can_be_read(moment: int) -> None:
    assert re.fullmatch(r"\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", format_time(moment))
    assert read_time(format_time(moment)) == moment


@pytest.mark.parametrize(
    ("original_ms", "sent_ms", "expected_ms", "flagged"),
    [
        (NOON - 5_000, NOON - 1_000, NOON - 4_000, None),  # an honest clock: only the way is taken out
        (NOON + 3_595_000, NOON + 3_599_000, NOON - 4_000, None),  # an hour fast
        (NOON - 3 * DAY, NOON - 3 * DAY + 10_000, NOON - 10_000, None),  # sentAt of a file closed three days ago
        (NOON + 60_000, NOON, NOON + 60_000, None),  # dated ahead on purpose
        (NOON - 4000 * DAY, NOON - 4000 * DAY + 1_000, NOON - 1_000, -4000 * DAY + 1_000),  # date never set
        (NOON - 5_000, 1_000, NOON - 5_000, 1_000 - NOON),  # sentAt alone is rubbish
        (NOON - 5_000, NOON + 400 * DAY, NOON - 5_000, 400 * DAY),
    ],
)
def test_the_clients_clock_is_taken_out(original_ms: int, sent_ms: int, expected_ms: int, flagged: int | None) -> None:
    original, sent = format_time(original_ms), format_time(sent_ms)
    changes = correct_time({"timestamp": original}, sent, NOON)
    assert changes.pop("clockSkewMs", None) == flagged
    assert changes == {
        "originalTimestamp": original,
        "timestamp": format_time(expected_ms),
        "sentAt": sent,
        "receivedAt": format_time(NOON),
    }


def test_what_is_missing_is_replaced_by_what_exists() -> None:
    received = format_time(NOON)
    assert correct_time({}, None, NOON) == {"receivedAt": received, "timestamp": received}
    assert correct_time({}, "2026-01-25T11:00:00Z", NOON) == {
        "receivedAt": received,
        "timestamp": received,
        "sentAt": "2026-01-25T11:00:00Z",
    }
    assert (
        correct_time({"timestamp": "2026-01-25T13:00:00+02:00"}, None, NOON)["timestamp"] == "2026-01-25T11:00:00.000Z"
    )
    assert correct_time({"originalTimestamp": NOON - 1000}, None, NOON)["originalTimestamp"] == NOON - 1000


def test_an_unreadable_time_is_handed_on() -> None:
    changes = correct_time({"timestamp": "yesterday"}, "2026-01-25T11:00:00Z", NOON)
    assert changes["timestamp"] == changes["originalTimestamp"] == "yesterday"


def test_the_items_own_sent_at_wins() -> None:
    event = {"timestamp": format_time(NOON - 2_000), "sentAt": format_time(NOON - 1_000)}
    assert correct_time(event, format_time(NOON - 500), NOON)["timestamp"] == format_time(NOON - 1_000)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-01-25T11:00:00.000Z", NOON - DAY // 24),
        (NOON - 5, NOON - 5),
        ("2026-01-25T12:00:00.001Z", NOON),
        ("2099-01-01", NOON),
        ("1969-12-31", NOON),
        ("yesterday", NOON),
        (None, NOON),
        ({}, NOON),
        (True, NOON),
    ],
)
def test_an_archived_event_was_received_when_it_says_so_unless_that_is_yet_to_come(said: Any, expected: int) -> None:
    assert received_at({"receivedAt": said, "timestamp": "2099-01-01"}, NOON) == expected


@pytest.mark.parametrize("said", [None, "yesterday", True])
@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "sentAt"])
def test_an_archived_event_that_does_not_say_when_it_was_received_is_as_old_as_it_says(name: str, said: Any) -> None:
    assert received_at({"receivedAt": said, name: format_time(NOON - 3 * DAY)}, NOON) == NOON - 3 * DAY
