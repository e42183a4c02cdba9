"""Filters of dates. Local time is UTC; the clock of "now" is the rendering's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.core.javascript.dates import epoch_milliseconds
from relay.core.mapping.liquid.calendar import Moment, moment, strftime
from relay.core.mapping.liquid.errors import Fault
from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.values import is_nil, number, plain, text_of
from relay.core.mapping.values import UNDEFINED, is_number

_DEFAULT = "%A, %B %-e, %Y at %-l:%M %P %z"
_XML_SCHEMA = "%Y-%m-%dT%H:%M:%S%:z"
_RFC822 = "%a, %d %b %Y %H:%M:%S %z"
_NOW = frozenset({"now", "today"})
_DIGITS = re.compile("[0-9]+")
_LIMIT = 8.64e15  # milliseconds either side of the epoch that a Date can hold


def date(run: Rendering, value: Any, layout: Any = UNDEFINED, zone: Any = UNDEFINED, *_: Any) -> Any:
    """A date in this layout; what is no date stays as it is."""
    at = _moment_of(run, value, zone)
    if at is None:
        return value
    return strftime(run, at, _DEFAULT if is_nil(layout) else run.text(layout))


def _fixed(layout: str) -> Callable[..., Any]:
    return lambda run, value, *_: date(run, value, layout)


def _named(month: str) -> Callable[..., Any]:
    """``01 Jan 2024``, or with ``ordinal`` ``1st Jan 2024``, which ``US`` turns into ``Jan 1st, 2024``."""

    def written(run: Rendering, value: Any, kind: Any = UNDEFINED, style: Any = UNDEFINED, *_: Any) -> Any:
        if kind != "ordinal":
            return date(run, value, f"%d {month} %Y")
        return date(run, value, f"{month} %-d%q, %Y" if style == "US" else f"%-d%q {month} %Y")

    return written


def _moment_of(run: Rendering, value: Any, zone: Any) -> Moment | None:
    value = plain(value)
    ms = _milliseconds(run, value)
    if ms is None:
        return None
    if zone is UNDEFINED or zone is None:
        return moment(ms, 0, "UTC")
    offset = _offset_of(zone, ms) if type(zone) is str else number(zone)
    shown = ms - offset * 60_000
    if not abs(shown) <= _LIMIT:
        return None
    return moment(math.trunc(shown), offset, zone if type(zone) is str else "")


def _milliseconds(run: Rendering, value: Any) -> int | None:
    """Numbers and digits are seconds, the rest is what JavaScript's Date makes of it."""
    if type(value) is str and value in _NOW:
        return run.now_ms
    if type(value) is bool:
        return int(value)
    if is_number(value) or (type(value) is str and _DIGITS.fullmatch(value)):
        ms = number(value) * 1000
        return math.trunc(ms) if abs(ms) <= _LIMIT else None
    if is_nil(value):
        return None
    text = text_of(value)
    run.use(len(text))
    return epoch_milliseconds(text)


def _offset_of(zone: str, ms: int) -> float:
    """Minutes that a zone of the tz database is behind UTC at that moment."""
    try:
        place = ZoneInfo(zone)
        at = datetime.fromtimestamp(ms // 1000, UTC)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Fault(f"Invalid time zone specified: {zone}") from None
    behind = place.utcoffset(at.astimezone(place))
    return -behind.total_seconds() / 60 if behind else 0.0


FILTERS: dict[str, Callable[..., Any]] = {
    "date": date,
    "date_to_long_string": _named("%B"),
    "date_to_rfc822": _fixed(_RFC822),
    "date_to_string": _named("%b"),
    "date_to_xmlschema": _fixed(_XML_SCHEMA),
}
