"""The shapes that nearly all dates are written in: told by a pattern, and read as the full parser would read them."""

from __future__ import annotations

import re

from relay.core.javascript.date_parts import days_from_civil
from relay.core.javascript.date_tokens import MONTHS

_MONTH_NUMBERS = {name: number for number, name in enumerate(MONTHS, 1)}

# Below year 1000 a first number can be taken for a day; those are left to the full parser.
_YEAR = "(?P<year>[1-9][0-9]{3})"
_MONTH, _DAY = "(?P<month>[0-9]{1,2})", "(?P<day>[0-9]{1,2})"
_NAME = f"(?P<month>{'|'.join(MONTHS)})[a-z]*+"
_WEEKDAY = "(?:(?:mon|tue|wed|thu|fri|sat|sun),? )?"
_CLOCK = r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.[0-9]++)?)?"
_HALF = "(?: (?P<half>[ap]m))?"
_OFFSET = "(?P<offset>[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
_ZONE = f"(?: ?Z| GMT| UTC| )?{_OFFSET}?"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


# Mon, 15 Jan 2024 10:30:00 GMT
_DAY_AND_NAME = _shape(f"{_WEEKDAY}{_DAY} {_NAME} {_YEAR}(?: {_CLOCK}{_HALF}{_ZONE})?")
_DIGIT_FIRST = (
    # 2024-01-15T10:30:00+01:00, 2024-01-15 10:30:00.5Z
    _shape(f"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?:[T ](?=[0-9]{{2}}:){_CLOCK}(?:Z|{_OFFSET})?)?"),
    # 2024/1/15 10:30
    _shape(f"{_YEAR}/{_MONTH}/{_DAY}(?: {_CLOCK}{_ZONE})?"),
    # 1/15/2024 10:30:00 PM
    _shape(f"{_MONTH}/{_DAY}/{_YEAR}(?: {_CLOCK}{_HALF}{_ZONE})?"),
    _DAY_AND_NAME,
)
_LETTER_FIRST = (
    _DAY_AND_NAME,
    # January 15, 2024 3:04 PM, Mon Jan 15 2024 10:30:00 GMT+0100 (Central European Standard Time)
    _shape(rf"{_WEEKDAY}{_NAME} {_DAY},? {_YEAR}(?: {_CLOCK}{_HALF}{_ZONE}(?: \([^()\0]*+\))?)?"),
)


def usual_seconds(text: str) -> int | None:
    """Seconds since the epoch; None for every other shape, and for what is out of range."""
    for shape in _LETTER_FIRST if text[:1].isalpha() else _DIGIT_FIRST:
        if found := shape.fullmatch(text):
            return _seconds(**found.groupdict())
    return None


def _seconds(
    *,
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    offset: str | None,
    half: str | None = None,
) -> int | None:
    number = _MONTH_NUMBERS.get(month.lower()) or int(month)
    if not (1 <= number <= 12 and 1 <= int(day) <= 31):
        return None
    seconds = (days_from_civil(int(year), number) + int(day) - 1) * 86_400
    if hour and minute:
        hours = int(hour)
        if half:
            if hours > 12:
                return None
            hours = hours % 12 + (12 if half in {"pm", "PM", "Pm", "pM"} else 0)
        seconds += hours * 3600 + int(minute) * 60 + int(second or 0)
    return seconds - _ahead(offset) if offset else seconds


def _ahead(offset: str) -> int:
    seconds = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
    return -seconds if offset[0] == "-" else seconds
