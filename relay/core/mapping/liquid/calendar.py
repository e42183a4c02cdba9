"""A moment on the Gregorian calendar, for years of any sign, and what `strftime` of liquidjs makes of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from relay.core.javascript.numbers import text_of
from relay.core.mapping.liquid.rendering import Rendering

_DAY = 86_400_000
_PER_DIRECTIVE = 64  # characters that a directive counts for
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DIRECTIVE = re.compile("%([-_0^#:]+)?([0-9]+)?([EO])?([^\n\r\u2028\u2029])")
_SPACE_PADDED = frozenset("aAbBceklpP")
_LOWER = re.compile("[a-z]")


@dataclass(frozen=True, slots=True)
class Moment:
    """``ms`` since the epoch as shown, that is, moved by the zone; ``offset`` in minutes *behind* UTC."""

    ms: int
    offset: float
    zone: str
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int

    @property
    def milliseconds(self) -> int:
        """Of the second."""
        return self.ms % 1000

    @property
    def weekday(self) -> int:
        """Sunday is 0."""
        return (self.ms // _DAY + 4) % 7

    @property
    def day_of_year(self) -> int:
        """January 1 is 1. In liquidjs the year 0 has no leap day."""
        leap = self.year % 4 == 0 and (self.year % 100 != 0 or (self.year % 400 == 0 and self.year != 0))
        return sum(_LENGTHS[: self.month - 1]) + (leap and self.month > 2) + self.day


def moment(ms: int, offset: float, zone: str) -> Moment:
    """The moment ``ms``, which is shown as it is."""
    days, rest = divmod(ms, _DAY)
    year, month, day = civil(days)
    second, minute = rest // 1000, rest // 60_000
    return Moment(ms, offset, zone, year, month, day, minute // 60, minute % 60, second % 60)


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01. Years begin in March here, so leap days end them."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = (shifted + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def strftime(run: Rendering, at: Moment, layout: str) -> str:
    """Directives that nobody knows stay as they are."""
    return _DIRECTIVE.sub(lambda found: _formatted(run, at, found), layout)


def _formatted(run: Rendering, at: Moment, found: re.Match[str]) -> str:
    run.use(_PER_DIRECTIVE)
    flags, width, letter = found[1] or "", _width(found[2]), found[4]
    if letter == "N":
        text = _fraction(run, at, width)
    elif letter in {"z", "Z"}:
        text = (letter == "Z" and at.zone) or _offset(at, ":" if ":" in flags else "")
    elif letter in _PARTS:
        text = str(_PARTS[letter](at))
    else:
        return found[0]
    if "^" in flags:
        text = text.upper()
    elif "#" in flags:
        text = text.upper() if _LOWER.search(text) else text.lower()
    return _padded(run, text, flags, width, letter)


def _width(digits: str | None) -> float:
    # Sixteen digits are past every budget, and Python would refuse to read thousands of them.
    return int(digits.lstrip("0")[:16] or "0") if digits else 0


def _padded(run: Rendering, text: str, flags: str, width: float, letter: str) -> str:
    least = 0 if "-" in flags else width or _WIDTHS.get(letter, 0)
    fill = " " if letter in _SPACE_PADDED else "0"
    if "_" in flags:
        fill = " "
    elif "0" in flags:
        fill = "0"
    run.use(least - len(text))
    return text.rjust(int(least), fill)


def _fraction(run: Rendering, at: Moment, width: float) -> str:
    digits = width or 9
    run.use(digits - 3)
    return f"{at.milliseconds:03}"[: int(digits)].ljust(int(digits), "0")


def _offset(at: Moment, joint: str) -> str:
    hours, minutes = divmod(abs(at.offset), 60)
    return f"{'-' if at.offset > 0 else '+'}{int(hours):02}{joint}{text_of(minutes).rjust(2, '0')}"


def _week(at: Moment, first_day: int) -> int:
    """Number of the week, weeks beginning with that day."""
    year = at.year + 1900 if 0 <= at.year < 100 else at.year  # as JavaScript's Date reads such a year
    january_1 = (_days_before(year) + 4) % 7
    now = at.day_of_year + first_day - at.weekday
    return (now - (7 - january_1 + first_day)) // 7 + 1


def _days_before(year: int) -> int:
    """Days from the epoch to January 1."""
    past = year - 1
    return past * 365 + past // 4 - past // 100 + past // 400 - 719_162


def _ordinal(day: int) -> str:
    return "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _date(at: Moment) -> str:
    """American, without an era: the year before 1 is 1 again."""
    return f"{at.month}/{at.day}/{at.year if at.year > 0 else 1 - at.year}"


def _time(at: Moment) -> str:
    return f"{at.hour % 12 or 12}:{at.minute:02}:{at.second:02} {_half(at)}"


def _half(at: Moment) -> str:
    return "AM" if at.hour < 12 else "PM"


_PARTS: dict[str, Callable[[Moment], object]] = {
    "a": lambda at: _WEEKDAYS[at.weekday][:3],
    "A": lambda at: _WEEKDAYS[at.weekday],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "c": lambda at: f"{_date(at)}, {_time(at)}",
    "C": lambda at: int(str(at.year)[:2]),
    "d": lambda at: at.day,
    "e": lambda at: at.day,
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "H": lambda at: at.hour,
    "I": lambda at: at.hour % 12 or 12,
    "j": lambda at: at.day_of_year,
    "k": lambda at: at.hour,
    "l": lambda at: at.hour % 12 or 12,
    "L": lambda at: at.milliseconds,
    "m": lambda at: at.month,
    "M": lambda at: at.minute,
    "n": lambda _at: "\n",
    "p": _half,
    "P": lambda at: _half(at).lower(),
    "q": lambda at: _ordinal(at.day),
    "s": lambda at: math.floor(at.ms / 1000 + 0.5),
    "S": lambda at: at.second,
    "t": lambda _at: "\t",
    "u": lambda at: at.weekday or 7,
    "U": lambda at: _week(at, 0),
    "w": lambda at: at.weekday,
    "W": lambda at: _week(at, 1),
    "x": _date,
    "X": _time,
    "y": lambda at: str(at.year)[2:4],
    "Y": lambda at: at.year,
    "%": lambda _at: "%",
}
_WIDTHS = {**dict.fromkeys("deHIklmMSUW", 2), "j": 3, "L": 3}
