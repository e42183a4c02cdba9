"""The calendar against Python's own where that reaches, and beyond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.core.mapping.liquid.calendar import civil, moment, strftime
from relay.core.mapping.liquid.rendering import Rendering

SHARED = "%d %m %H:%M:%S %j %A %a %B %b %p %I %w %u"  # what both understand alike
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999  # years 1 to 9999


@given(st.integers(FIRST, LAST))
def test_as_python(ms: int) -> None:
    theirs = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    ours = moment(ms, 0, "UTC")
    assert (ours.year, ours.milliseconds) == (theirs.year, theirs.microsecond // 1000)
    assert strftime(Rendering(None, None), ours, SHARED) == theirs.strftime(SHARED)


@given(st.integers(-3_000_000, 3_000_000))
def test_the_day_after(days: int) -> None:
    year, month, day = civil(days)
    after = civil(days + 1)
    assert after in {(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)}
    assert after > (year, month, day)
    assert (month, day) != (2, 30)
