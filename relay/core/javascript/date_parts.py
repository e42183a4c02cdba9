"""The parts of a date while it is being read, each with its own idea of what still fits."""

from __future__ import annotations

from relay.core.javascript.date_tokens import Token

_SLOT_LIMITS = (0, 60, 60, 1000)  # what fits the next free slot of a time that has 1, 2 or 3 numbers


def is_hour(number: int | None) -> bool:
    """0-23."""
    return number is not None and 0 <= number < 24


def is_minute(number: int | None) -> bool:
    """0-59."""
    return number is not None and 0 <= number < 60


def milliseconds(token: Token) -> int:
    """The digits after a decimal point, cut to three. Digits past the ninth never counted."""
    if token.length <= 3:
        factor: int = 10 ** (3 - token.length)
        return token.value * factor
    divisor: int = 10 ** (min(token.length, 9) - 3)
    return token.value // divisor


class Day:
    """Up to three numbers whose meaning depends on their size and on a month's name."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.named_month = 0
        self.iso = False

    @property
    def empty(self) -> bool:
        """No number yet."""
        return not self.numbers

    def add(self, number: int) -> bool:
        """False for a fourth number."""
        self.numbers.append(number)
        return len(self.numbers) <= 3

    def days(self) -> int | None:
        """Days since the epoch; None when it is no date."""
        if not self.numbers:
            return None
        year, month, day = self._year_month_day()
        if not self.iso and 0 <= year < 100:
            year += 2000 if year < 50 else 1900
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        return days_from_civil(year, month) + day - 1

    def _year_month_day(self) -> tuple[int, int, int]:
        first, second, third = (*self.numbers, 1, 1)[:3]
        starts_with_day = 1 <= first <= 31
        if self.named_month:
            return (second, self.named_month, first) if starts_with_day else (first, self.named_month, second)
        # Without a name: year first when it cannot be a day, else the American order.
        return (first, second, third) if self.iso or not starts_with_day else (third, first, second)


class TimeOfDay:
    """Hour, minute, second, millisecond as they come; ``half`` is 12 after PM, 0 after AM."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.half: int | None = None

    @property
    def empty(self) -> bool:
        """No number yet."""
        return not self.numbers

    def expects(self, number: int) -> bool:
        """Whether a number without a colon fits the next slot."""
        count = len(self.numbers)
        return 1 <= count <= 3 and number < _SLOT_LIMITS[count]

    def add(self, number: int) -> bool:
        """False for a fifth number."""
        if len(self.numbers) == 4:
            return False
        self.numbers.append(number)
        return True

    def finish(self, number: int) -> None:
        """Add the last number, if there is room; the rest is zero."""
        self.add(number)
        self.numbers += [0] * (4 - len(self.numbers))

    def milliseconds(self) -> int | None:
        """Since midnight; None when a part is out of range."""
        hour, minute, second, rest = (*self.numbers, 0, 0, 0, 0)[:4]
        if self.half is not None:
            if not 0 <= hour <= 12:
                return None
            hour = hour % 12 + self.half
        fits = is_hour(hour) and is_minute(minute) and is_minute(second) and 0 <= rest < 1000
        if not fits and (hour, minute, second, rest) != (24, 0, 0, 0):
            return None
        return ((hour * 60 + minute) * 60 + second) * 1000 + rest


class Zone:
    """Offset from UTC; nothing read means local time, which is UTC."""

    def __init__(self) -> None:
        self.sign = 0
        self.hour: int | None = None
        self.minute: int | None = None

    @property
    def is_utc(self) -> bool:
        """A zone was read, and so far it is UTC."""
        return self.hour == 0 and self.minute == 0

    def expects(self, number: int) -> bool:
        """Whether a number can be the minutes of an offset whose hours were read."""
        return self.hour is not None and self.minute is None and is_minute(number)

    def set(self, hours: int) -> None:
        """A named zone."""
        self.sign, self.hour, self.minute = (-1 if hours < 0 else 1), abs(hours), 0

    def offset_ms(self) -> int | None:
        """Milliseconds to subtract from the time as written; None when it is out of all bounds.

        V8 counts the seconds in 32 bits, so an absurd hour wraps around before its bounds are checked.
        """
        seconds = ((self.hour or 0) * 3600 + (self.minute or 0) * 60) % 2**32
        return self.sign * seconds * 1000 if seconds < 2**31 else None


def days_from_civil(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month, proleptic Gregorian, for years of any size and sign."""
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
