"""What a date is made of: numbers, words of which three letters count, single symbols, white space."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.core.mapping.javascript.text import WHITESPACE

END, NUMBER, WORD, SYMBOL, SPACE, OTHER = range(6)
_SIGNIFICANT = 9  # digits of a number that count
_NUMBER = re.compile(r"(?=[0-9])0*([0-9]*)")
_WORD = re.compile(f"(?:[A-\U0010ffff](?<![{re.escape(WHITESPACE)}]))+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = {"ut": 0, "utc": 0, "z": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5}
_ZONES |= {"mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_WORDS: dict[str, tuple[str, int]] = {
    "am": ("HALF", 0),
    "pm": ("HALF", 12),
    "t": ("T", 0),
    **{name: ("ZONE", hours) for name, hours in _ZONES.items()},
}
_MONTH_WORDS = {name: ("MONTH", number) for number, name in enumerate(_MONTHS, 1)}


class Token(NamedTuple):
    """``value`` of a number or keyword, ``length`` in characters as written, ``name`` of a keyword or symbol."""

    kind: int
    value: int = 0
    length: int = 0
    name: str = ""

    def is_number(self, length: int = 0) -> bool:
        """A number, of exactly ``length`` digits when given."""
        return self.kind == NUMBER and (not length or self.length == length)

    def is_keyword(self, name: str) -> bool:
        """A word with a meaning: MONTH, HALF (of the day), ZONE or T."""
        return self.kind == WORD and self.name == name

    @property
    def word(self) -> bool:
        """Any word, known or not."""
        return self.kind == WORD

    @property
    def space(self) -> bool:
        """White space."""
        return self.kind == SPACE

    @property
    def symbol(self) -> str:
        """The symbol, '' for other tokens."""
        return self.name if self.kind == SYMBOL else ""

    @property
    def sign(self) -> int:
        """1 for plus, -1 for minus, else 0."""
        return (self.symbol == "+") - (self.symbol == "-")


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
        if self.peek.symbol != symbol:
            return False
        self.next()
        return True

    def _scan(self) -> Token:
        text, start = self._text, self._at
        if start >= len(text):
            return Token(END)
        char = text[start]
        if found := _NUMBER.match(text, start):
            self._at = found.end()
            return Token(NUMBER, int(found[1][:_SIGNIFICANT] or "0"), found.end() - start)
        if char in "+-:.)":
            self._at += 1
            return Token(SYMBOL, name=char)
        if char in WHITESPACE:
            self._at += 1
            return Token(SPACE)
        if found := _WORD.match(text, start):
            self._at = found.end()
            return _word(found[0])
        self._at = self._after_parentheses() if char == "(" else start + 1
        return Token(OTHER)

    def _after_parentheses(self) -> int:
        """Where the text goes on after balanced parentheses; its end when they are not balanced."""
        depth = 0
        for at in range(self._at, len(self._text)):
            depth += (self._text[at] == "(") - (self._text[at] == ")")
            if depth == 0:
                return at + 1
        return len(self._text)


def _word(text: str) -> Token:
    """Only ASCII letters are folded, so that no other letter becomes part of a name."""
    folded = "".join(chr(ord(char) | 0x20) if "A" <= char <= "Z" else char for char in text[:3])
    name, value = _MONTH_WORDS.get(folded) or (_WORDS.get(folded, ("", 0)) if len(text) <= 3 else ("", 0))
    return Token(WORD, value, len(text), name)
