"""``new Date(text)`` of V8 with UTC as local time: ISO first, then the legacy parser's tolerant rules."""

from __future__ import annotations

import re
from datetime import datetime

from relay.core.javascript.date_parts import Day, TimeOfDay, Zone, is_hour, is_minute, milliseconds
from relay.core.javascript.date_shapes import usual_seconds
from relay.core.javascript.date_tokens import END, SPACE, WORD, Scanner, Token
from relay.core.javascript.text import trim

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, without paying for time zone objects
_LONGEST = 128  # characters; the longest that ``Date.prototype.toString`` writes are about 70
_DIGIT = re.compile("[0-9]")
_LIMIT = 8_640_000_000_000_000


class _Invalid(Exception):
    """The text is no date. Never leaves this module."""


def epoch_seconds(text: str) -> int | None:
    """``Math.floor(new Date(text) / 1000)``; None for an invalid date."""
    seconds = _plain_seconds(text)
    if seconds is None:
        seconds = usual_seconds(text)
    if seconds is not None:
        return seconds
    found = _parsed(text)
    return None if found is None else found // 1000


def epoch_milliseconds(text: str) -> int | None:
    """``new Date(text).getTime()``; None for an invalid date, and for any text of more than a hundred-odd characters.

    V8 reads the longest texts, and skips what it does not know: seconds of work for us that nobody's date is worth.
    """
    seconds = _plain_seconds(text)
    return _parsed(text) if seconds is None else seconds * 1000 + int(text[20:23])


def _plain_seconds(text: str) -> int | None:
    """Of ``2024-01-15T10:30:00.123Z``, which every SDK writes; told by its punctuation: cheaper than a pattern."""
    usual = len(text) == 24 and text[4:17:3] == "--T::" and text[19::4] == ".Z" and text[20:23].isdecimal()
    if usual and text.isascii():
        try:
            since = datetime.fromisoformat(text[:19]) - _EPOCH
        except ValueError:
            return None  # 30 February, 24:00 and the like: the full parser knows what V8 makes of them
        return since.days * 86_400 + since.seconds
    return None


def _parsed(text: str) -> int | None:
    """The full parser."""
    if not _DIGIT.search(text):
        return None
    if len(text) > _LONGEST:
        text = _one_space_around(text)
        if len(text) > _LONGEST:
            return None
    reader = _Reader(text)
    try:
        reader.read()
    except _Invalid:
        return None
    days = reader.day.days()
    time = reader.time.milliseconds()
    offset = reader.zone.offset_ms()
    if days is None or time is None or offset is None:
        return None
    result = days * 86_400_000 + time - offset
    return result if -_LIMIT <= result <= _LIMIT else None


def _one_space_around(text: str) -> str:
    """Padding cut to one: that there is some makes a difference, how much does not."""
    kept = trim(text)
    start = text.find(kept)
    return text[max(start - 1, 0) : start + len(kept) + 1]


def _demand(holds: bool) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise _Invalid


class _Reader:
    """One parse: the scanner and what has been read so far."""

    def __init__(self, text: str) -> None:
        self.scanner = Scanner(text)
        self.day = Day()
        self.time = TimeOfDay()
        self.zone = Zone()
        self.numbers_read = False

    def read(self) -> None:
        """ISO as far as it fits; the token that did not fit starts the legacy parser."""
        token = self._iso()
        self.numbers_read = not self.day.empty
        while token.kind != END:
            self._legacy(token)
            token = self.scanner.next()

    def _iso(self) -> Token:
        misfit = self._iso_year() or self._iso_month_and_day()
        if misfit is not None:
            return misfit
        if self.scanner.peek.is_keyword("T"):
            self.scanner.next()
            self._iso_time()
            self._iso_zone()
            _demand(self.scanner.peek.kind == END)
        elif self.scanner.peek.kind != END:
            return self.scanner.next()
        self.day.iso = True
        return self.scanner.next()

    def _iso_year(self) -> Token | None:
        scanner = self.scanner
        if scanner.peek.sign:
            sign = scanner.next()
            if not scanner.peek.is_number(6):
                return sign
            year = scanner.next().value
            if sign.sign < 0 and year == 0:
                return sign
            self.day.add(sign.sign * year)
            return None
        if not scanner.peek.is_number(4):
            return scanner.next()
        self.day.add(scanner.next().value)
        return None

    def _iso_month_and_day(self) -> Token | None:
        for most in (12, 31):
            if not self.scanner.skip("-"):
                return None
            if not (self.scanner.peek.is_number(2) and 1 <= self.scanner.peek.value <= most):
                return self.scanner.next()
            self.day.add(self.scanner.next().value)
        return None

    def _iso_time(self) -> None:
        scanner = self.scanner
        hour = self._two_digits(24)
        _demand(scanner.skip(":"))
        self._two_digits(0 if hour == 24 else 59)
        if not scanner.skip(":"):
            return
        self._two_digits(0 if hour == 24 else 59)
        if scanner.skip("."):
            fraction = scanner.next()
            _demand(fraction.is_number() and not (hour == 24 and fraction.value > 0))
            self.time.add(milliseconds(fraction))

    def _two_digits(self, most: int) -> int:
        token = self.scanner.next()
        _demand(token.is_number(2) and token.value <= most)
        self.time.add(token.value)
        return token.value

    def _iso_zone(self) -> None:
        if self.scanner.peek.is_keyword("ZONE") and self.scanner.peek.length == 1:
            self.scanner.next()
            self.zone.set(0)
        elif self.scanner.peek.sign:
            self.zone.sign = self.scanner.next().sign
            token = self.scanner.next()
            if token.is_number(4):
                self.zone.hour, self.zone.minute = divmod(token.value, 100)
            else:
                _demand(token.is_number(2) and self.scanner.skip(":") and self.scanner.peek.is_number(2))
                self.zone.hour, self.zone.minute = token.value, self.scanner.next().value
            _demand(is_hour(self.zone.hour) and is_minute(self.zone.minute))

    def _legacy(self, token: Token) -> None:
        if token.is_number():
            self.numbers_read = True
            self._legacy_number(token.value)
        elif token.kind == WORD:
            self._legacy_word(token)
        elif token.sign and (self.zone.is_utc or not self.time.empty):
            self._legacy_zone(token.sign)
        else:
            # A second offset, or a closing parenthesis, after a number; every other symbol is ignored.
            _demand(not ((token.sign or token.is_symbol(")")) and self.numbers_read))

    def _legacy_number(self, number: int) -> None:
        scanner = self.scanner
        if scanner.skip(":"):
            self._hour_or_minute(number)
        elif scanner.skip(".") and self.time.expects(number):
            self.time.add(number)
            _demand(scanner.peek.is_number())
            self.time.finish(milliseconds(scanner.next()))
        elif self.zone.expects(number):
            self.zone.minute = number
        elif self.time.expects(number):
            self.time.finish(number)
            ahead = scanner.peek
            zulu = ahead.is_keyword("ZONE") and ahead.length == 1
            _demand(ahead.kind in {END, SPACE} or zulu or bool(ahead.sign))
        else:
            _demand(self.day.add(number))
            scanner.skip("-")

    def _hour_or_minute(self, number: int) -> None:
        if self.scanner.skip(":"):
            _demand(self.time.empty)
            self.time.add(number)
            self.time.add(0)
        else:
            _demand(self.time.add(number))
            self.scanner.skip(".")

    def _legacy_word(self, token: Token) -> None:
        if token.is_keyword("HALF") and not self.time.empty:
            self.time.half = token.value
        elif token.is_keyword("MONTH"):
            self.day.named_month = token.value
            self.scanner.skip("-")
        elif token.is_keyword("ZONE") and self.numbers_read:
            self.zone.set(token.value)
        else:
            _demand(not self.numbers_read and not self.scanner.peek.is_number())

    def _legacy_zone(self, sign: int) -> None:
        scanner = self.scanner
        self.zone.sign = sign
        token = scanner.next() if scanner.peek.is_number() else None
        number, length = (token.value, token.length) if token else (0, 0)
        self.numbers_read = True
        if scanner.peek.is_symbol(":"):
            self.zone.hour, self.zone.minute = number, None
        elif length in {1, 2}:
            self.zone.hour, self.zone.minute = number, 0
        else:
            _demand(length in {3, 4})
            self.zone.hour, self.zone.minute = divmod(number, 100)
