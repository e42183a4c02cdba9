from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.javascript.dates import epoch_milliseconds, epoch_seconds

DATES = {
    "2024-01-15T10:30:00.999Z": 1705314600,
    "2024-01-15T10:30:00-0800": 1705343400,
    "2024-01-15T10:30:00+02": None,
    "2024-01-15 10:30:00+02:00": 1705307400,
    "2024-01-15 10:30:00 EST": 1705332600,
    "2024-01-15T10:30:00Z ": None,
    "Mon, 15 Jan 2024 10:30:00 GMT": 1705314600,
    "Mon Jan 15 2024 10:30:00 GMT+0100 (Central European (Standard) Time)": 1705311000,
    "January 15, 2024 3:04 PM": 1705331040,
    "15-Jan-2024": 1705276800,
    "2024-01-15T24:00:00Z": 1705363200,
    "2024-01-15T24:00:01Z": None,
    "1969-12-31T23:59:59.500Z": -1,
    "2024-01-15": 1705276800,
    "2024-01": 1704067200,
    "2024": 1704067200,
    "2024-02-30": 1709251200,
    "2024-02-30T00:00:00.000Z": 1709251200,
    "2024-02-32": None,
    "2024-13-01": None,
    "01/15/2024": 1705276800,
    "15/01/2024": None,
    "01/15/50": -629942400,
    "20240115": None,
    "item 7": 993945600,
    "12": 1007164800,
    "13": None,
    "32": 1956528000,
    "0": 946684800,
    "-1": 978307200,
    "5": 988675200,
    "+275760-09-13T00:00:00Z": 8640000000000,
    "+275760-09-13T00:00:00.001Z": None,
    "-000000": None,
    "1705314600": None,
    "1705314600000": None,
    "true": None,
    "yesterday": None,
    "   ": None,
    "": None,
    "12:30 PM 1/2/2024": 1704198600,
    "13:30 PM 1/2/2024": None,
    "1/2/2024 24:00": 1704240000,
    "1 2 3 4": None,
    "1/2/2024 10:30:15.5": 1704191415,
    "1/2/2024 10:61": None,
    "x1": None,
    "(comment (nested)) 1/2/2024": 1704153600,
    "1/2/2024 )": None,
    "2024-01-15\0 anything": 1705276800,
    "2024-01-15T10:30:00.123Z ": None,
    " 2024-01-15T10:30:00.123Z": None,
    "2024-01-15T10:30:00.123Zab": None,
    "2024-01-15 ": 1705276800,
}


@pytest.mark.parametrize(("text", "seconds"), DATES.items())
def test_dates(text: str, seconds: int | None) -> None:
    assert epoch_seconds(text) == seconds


@given(
    st.datetimes(),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_iso_agrees_with_the_calendar(moment: dt.datetime, offset: int, precision: str) -> None:
    """The short way of usual texts and the full parser, against Python's own calendar."""
    moment = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=offset)))
    text = moment.isoformat(timespec=precision)
    expected = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    assert epoch_seconds(text) == expected
    milliseconds = epoch_milliseconds(text)
    assert milliseconds is not None
    assert milliseconds // 1000 == expected


@given(st.text(st.sampled_from("0123456789-+:.TZ /,()janpm\u3000\0"), max_size=24))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = epoch_milliseconds(text)
    assert found is None or abs(found) <= 8_640_000_000_000_000
    assert epoch_seconds(text) == (None if found is None else found // 1000)


DAY = r"(0|1|2)(0|9)(0|6|3)[0-9]-(0[0-2]|1[0-3])-(0[0-2]|2[89]|3[0-2])"
TIME = r"[T ](1[09]|2[34]):[0-6]0(:[0-6]0(\.[0-9]{0,4})?)?"
ZONE = r"Z|[+-](0[0-9]|2[34]):?[0-6]0"


@given(st.from_regex(f"{DAY}({TIME})?({ZONE})?", fullmatch=True))
@settings(max_examples=500)
def test_the_short_way_of_usual_texts_agrees_with_the_full_parser(text: str) -> None:
    found = epoch_milliseconds(text)
    assert epoch_seconds(text) == (None if found is None else found // 1000)
