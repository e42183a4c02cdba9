"""The shapes that nearly all dates are written in: told by a pattern, and read as the full parser would read them."""

from __future__ import annotations

import re

from relay.core.mapping.javascript.date_parts import days_from_civil
from relay.core.mapping.javascript.date_tokens import MONTHS

_NUMBER = {f"{number:0{width}}": number for number in range(60) for width in (1, 2)}
_NUMBER |= {name: number for number, name in enumerate(MONTHS, 1)}

# Below year 1000 a first number can be taken for a day; those are left to the full parser.
_YEAR = "(?P<year>[1-9][0-9]{3})"
_MONTH, _DAY = "(?P<month>[0-9]{1,2})", "(?P<day>[0-9]{1,2})"
_NAME = f"(?P<month>{'|'.join(MONTHS)})[a-z]*+"
_WEEKDAY = "(?:(?:mon|tue|wed|thu|fri|sat|sun),? )?"
_CLOCK = r"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.[0-9]++)?)?"
_OFFSET = "(?P<offset>[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
_ZONE = f"(?: ?Z| GMT| UTC| )?{_OFFSET}?"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


# Mon, 15 Jan 2024 10:30:00 GMT
_DAY_AND_NAME = _shape(f"{_WEEKDAY}{_DAY} {_NAME} {_YEAR}(?: {_CLOCK}{_ZONE})?")
_DIGIT_FIRST = (
    # 2024-01-15T10:30:00+01:00, 2024-01-15 10:30:00.5Z
    _shape(f"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?:[T ](?=[0-9]{{2}}:){_CLOCK}(?:Z|{_OFFSET})?)?"),
    # 2024/1/15 10:30
    _shape(f"{_YEAR}/{_MONTH}/{_DAY}(?: {_CLOCK}{_ZONE})?"),
    # 1/15/2024 10:30:00
    _shape(f"{_MONTH}/{_DAY}/{_YEAR}(?: {_CLOCK}{_ZONE})?"),
    _DAY_AND_NAME,
)
_LETTER_FIRST = (
    _DAY_AND_NAME,
    # Mon Jan 15 2024 10:30:00 GMT+0100 (Central European Standard Time)
    _shape(rf"{_WEEKDAY}{_NAME} {_DAY},? {_YEAR}(?: {_CLOCK}{_ZONE}(?: \([^()\0]*+\))?)?"),
)


def usual_seconds(text: str) -> int | None:
    """Seconds since the epoch; None for every other shape, and for what is out of range."""
    for shape in _LETTER_FIRST if text[:1].isalpha() else _DIGIT_FIRST:
        if found := shape.fullmatch(text):
            return _seconds(**found.groupdict())
    return None


def _seconds(
    *, year: str, month: str, day: str, hour: str | None, minute: str | None, second: str | None, offset: str | None
) -> int | None:
    number = _NUMBER[month.lower()]
    if not (1 <= number <= 12 and "01" <= day.zfill(2) <= "31"):
        return None
    seconds = (days_from_civil(int(year), number) + int(day) - 1) * 86_400
    if hour and minute:
        seconds += _NUMBER[hour] * 3600 + _NUMBER[minute] * 60 + (_NUMBER[second] if second else 0)
    if offset:
        ahead = int(offset[1:3]) * 3600 + int(offset[-2:]) * 60
        seconds += ahead if offset[0] == "-" else -ahead
    return seconds
