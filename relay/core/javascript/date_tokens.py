"""What a date is made of: numbers, words of which three letters count, single symbols, white space."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from relay.core.javascript.text import WHITESPACE

END, NUMBER, WORD, SYMBOL, SPACE, OTHER = range(6)
_SIGNIFICANT = 9  # digits of a number that count
# Runs of white space, and of what means nothing, are one token: the parser cannot tell them from a single one.
_TOKEN = re.compile(
    f"([0-9]+)|((?:[A-\U0010ffff](?<![{re.escape(WHITESPACE)}]))+)|([{re.escape(WHITESPACE)}]+)|([+\\-:.)])|(\\()"
    f"|[^0-9A-\U0010ffff{re.escape(WHITESPACE)}+\\-:.()]+"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = {"ut": 0, "utc": 0, "z": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5}
_ZONES |= {"mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_WORDS: dict[str, tuple[str, int]] = {
    "am": ("HALF", 0),
    "pm": ("HALF", 12),
    "t": ("T", 0),
    **{name: ("ZONE", hours) for name, hours in _ZONES.items()},
}
_MONTH_WORDS = {name: ("MONTH", number) for number, name in enumerate(MONTHS, 1)}


class Token(NamedTuple):
    """``value`` of a number or keyword, ``length`` in characters as written, ``name`` of a keyword or symbol."""

    kind: int
    value: int = 0
    length: int = 0
    name: str = ""
    sign: int = 0  # 1 for plus, -1 for minus

    def is_number(self, length: int = 0) -> bool:
        """A number, of exactly ``length`` digits when given."""
        return self.kind == NUMBER and (not length or self.length == length)

    def is_keyword(self, name: str) -> bool:
        """A word with a meaning: MONTH, HALF (of the day), ZONE or T."""
        return self.kind == WORD and self.name == name

    def is_symbol(self, symbol: str) -> bool:
        """One of ``+-:.)``."""
        return self.kind == SYMBOL and self.name == symbol


_END_TOKEN = Token(END)
_OTHER_TOKEN = Token(OTHER)
_SPACE_TOKEN = Token(SPACE)
_SYMBOLS = {symbol: Token(SYMBOL, 0, 1, symbol, (symbol == "+") - (symbol == "-")) for symbol in "+-:.)"}


class Scanner:
    """Tokens of a text with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        # A NUL character ends V8's input.
        self._text = text.partition("\0")[0]
        self._at = 0
        self.peek = self._scan()

    def next(self) -> Token:
        """Consume and return the token ahead."""
        token = self.peek
        self.peek = self._scan()
        return token

    def skip(self, symbol: str) -> bool:
        """Consume the token ahead if it is this symbol."""
        if self.peek.is_symbol(symbol):
            self.peek = self._scan()
            return True
        return False

    def _scan(self) -> Token:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            return _END_TOKEN
        start, self._at = found.span()
        if found.lastindex == 1:
            return _number(found[1])
        if found.lastindex == 2:
            return _word(found[2])
        if found.lastindex == 3:
            return _SPACE_TOKEN
        if found.lastindex == 4:
            return _SYMBOLS[found[4]]
        if found.lastindex == 5:
            self._at = self._after_parentheses(start)
        return _OTHER_TOKEN

    def _after_parentheses(self, start: int) -> int:
        """Where the text goes on after balanced parentheses; its end when they are not balanced."""
        depth = 0
        for at in range(start, len(self._text)):
            depth += (self._text[at] == "(") - (self._text[at] == ")")
            if depth == 0:
                return at + 1
        return len(self._text)


@lru_cache(1024)
def _number(text: str) -> Token:
    return Token(NUMBER, int(text.lstrip("0")[:_SIGNIFICANT] or "0"), len(text))


@lru_cache(1024)
def _word(text: str) -> Token:
    """Only ASCII letters are folded, so that no other letter becomes part of a name."""
    start = text[:3]
    folded = start.lower() if start.isascii() else start
    name, value = _MONTH_WORDS.get(folded) or (_WORDS.get(folded, ("", 0)) if len(text) <= 3 else ("", 0))
    return Token(WORD, value, len(text), name)
