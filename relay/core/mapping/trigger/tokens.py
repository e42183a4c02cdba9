"""Tokens of FQL. What ends a token matters more than what it holds."""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.core.mapping.errors import TriggerError

WORD, KEYWORD, STRING, NUMBER, MARK, END = range(6)
END_TEXT = "eos"

_ENDS = frozenset(" \t\n,])")  # and the end of the text: what may follow a complete token
_AFTER_WORD = _ENDS | frozenset(".(=!")
_NUMBER = re.compile(r"[0-9+\-][0-9]*(\.?)([0-9]*)")
_KEYWORDS = ("and", "or", "null")
_LONGEST_KEYWORD = 4


class Token(NamedTuple):
    """``text`` as written: a string keeps its quotes, a word has lost its backslashes."""

    kind: int
    text: str


def tokens_of(text: str) -> list[Token]:
    """All tokens, dotted words joined, closed by an end token. Raises TriggerError at the first odd character."""
    scanner = _Scanner(text)
    found: list[Token] = []
    while (token := scanner.next()) is not None:
        found.append(token)
    return [*_joined(found), Token(END, END_TEXT)]


def _joined(tokens: list[Token]) -> list[Token]:
    """Word, dot, word become one dotted word, however far apart they were written."""
    joined: list[Token] = []
    for token in tokens:
        dotted = token.kind == WORD and len(joined) > 1 and joined[-1] == Token(MARK, ".") and joined[-2].kind == WORD
        if dotted:
            joined[-2:] = [Token(WORD, f"{joined[-2].text}.{token.text}")]
        else:
            joined.append(token)
    return joined


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "_-\\")


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def next(self) -> Token | None:
        """The next token; None at the end."""
        while self._ahead() in {" ", "\t", "\n"}:
            self._at += 1
        char = self._ahead()
        if not char:
            return None
        if char in "!<>":
            return self._comparison(char)
        if _is_letter(char) or char in "_\\":
            return self._keyword() or self._word()
        if char in "+-" or (char.isascii() and char.isdigit()):
            return self._number()
        if char in "\"'":
            return self._string(char)
        if char in "=.[],()":
            self._at += 1
            return Token(MARK, char)
        raise TriggerError(f"unexpected {char!r} at position {self._at + 1}")

    def _ahead(self, distance: int = 0) -> str:
        """One character, '' beyond the end."""
        return self._text[self._at + distance : self._at + distance + 1]

    def _ends(self, distance: int) -> bool:
        char = self._ahead(distance)
        return not char or char in _ENDS

    def _comparison(self, char: str) -> Token:
        """``<=``, ``>=`` and ``!=`` only before a space or the end; a ! before a letter or ( stands alone."""
        following = self._ahead(1)
        if char == "!" and following and (_is_letter(following) or following == "("):
            self._at += 1
            return Token(MARK, "!")
        if following == "=" and self._ends(2):
            self._at += 2
            return Token(MARK, f"{char}=")
        if char == "!":
            raise TriggerError(f"unexpected '!' at position {self._at + 1}: write ' != ' with spaces")
        self._at += 1
        return Token(MARK, char)

    def _keyword(self) -> Token | None:
        for keyword in _KEYWORDS:
            if self._text.startswith(keyword, self._at) and self._ends(len(keyword)):
                self._at += len(keyword)
                return Token(KEYWORD, keyword)
        return self._swallowed()

    def _swallowed(self) -> Token | None:
        """The original reads ahead for a keyword and loses what it read when the text ends first."""
        if len(self._text) - self._at >= _LONGEST_KEYWORD:
            return None
        rest = self._text[self._at :]
        for keyword in _KEYWORDS:
            if rest[0] == keyword[0] and len(rest) < len(keyword) and all(map(_is_word, rest)):
                self._at = len(self._text)
                return Token(WORD, rest[0])
        return None

    def _word(self) -> Token:
        units: list[str] = []
        while (char := self._ahead()) and _is_word(char):
            if char == "\\":
                self._at += 1
                char = self._ahead()
                if not char:
                    raise TriggerError("the text ends after a backslash")
            units.append(char)
            self._at += 1
        following = self._ahead()
        if following and following not in _AFTER_WORD:
            raise TriggerError(f"unexpected {following!r} after a word at position {self._at + 1}")
        return Token(WORD, "".join(units))

    def _number(self) -> Token:
        found = _NUMBER.match(self._text, self._at)
        assert found is not None, "the caller saw its first character"  # noqa: S101
        self._at = found.end()
        if found[1] and (self._ahead() == "." or (not found[2] and self._ends(0))):
            raise TriggerError(f"odd number {found[0]!r} at position {found.start() + 1}")
        return Token(NUMBER, found[0])

    def _string(self, quote: str) -> Token:
        """Up to the next same quote, which is consumed only where a token may end: else it opens another string."""
        close = self._text.find(quote, self._at + 1)
        if close < 0:
            raise TriggerError(f"the text that opens at position {self._at + 1} is not closed")
        token = Token(STRING, self._text[self._at : close + 1])
        self._at = close
        if self._ends(1):
            self._at += 1
        return token
