"""Reading a template from left to right: blanks, names, quoted texts, and where something went wrong."""

from __future__ import annotations

import re
from typing import NoReturn

from relay.core.javascript.text import cut, length
from relay.core.mapping.json_text import encoded
from relay.core.mapping.liquid.errors import TemplateError
from relay.core.mapping.liquid.values import whole

# liquidjs's own idea of blanks and of characters of a name: neither U+FEFF nor U+0085 is blank, curly quotes are
# neither, and - and ? belong to names.
BLANKS = "\t\n\v\f\r \u00a0\u1680\u180e" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_NAME = rf"[^\x00-,./:->@\[-^`{{-\x7f{BLANKS[6:]}“”]"
_BLANK_RUN = re.compile(f"[{BLANKS}]*")
_NAME_RUN = re.compile(f"{_NAME}*")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.(?!\.)[0-9]*)?")
_NUMBER_GOES_ON = re.compile(rf"{_NAME}|\.(?!\.)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{0,4})|([0-7]{1,3})|(.))", re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
DEEPEST = 50  # brackets, ranges or liquid tags inside each other
_SHOWN = 32  # units of the template that a message shows


def word_pattern(*words: str) -> re.Pattern[str]:
    """One of these words, not followed by more of a name."""
    return re.compile(f"(?:{'|'.join(words)})(?!{_NAME})")


END_OF_RAW = re.compile(rf"\{{%[{BLANKS}]*endraw(?!{_NAME})")


class Cursor:
    """A place in the template; ``end`` is where this tag or output ends."""

    def __init__(self, text: str, at: int = 0, end: int | None = None) -> None:
        self.text = text
        self.at = at
        self.end = len(text) if end is None else end
        self.depth = 0

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.at >= self.end

    def peek(self, ahead: int = 0) -> str:
        """A character ahead; '' past the end."""
        at = self.at + ahead
        return self.text[at] if at < self.end else ""

    def take(self) -> str:
        """Consume one character, even the one that ends the tag."""
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def skip_blanks(self) -> None:
        """To the next character that means something."""
        if self.at < self.end:
            found = _BLANK_RUN.match(self.text, self.at, self.end)
            self.at = found.end() if found else self.at

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Consume what matches here."""
        found = pattern.match(self.text, self.at, self.end) if self.at < self.end else None
        if found:
            self.at = found.end()
        return found

    def name(self) -> str:
        """An identifier; '' when there is none."""
        self.skip_blanks()
        found = self.match(_NAME_RUN)
        return found[0] if found else ""

    def number(self) -> float | None:
        """A decimal number. 1e3, .5 and 0x10 are none: what looks like the start of a name is one."""
        start = self.at
        found = self.match(_NUMBER)
        if found is None:
            return None
        ahead = _NUMBER_GOES_ON.match(self.text, self.at, self.end)
        if ahead and (ahead[0] != "." or found[1] is not None):
            self.at = start
            return None
        return float(found[0])

    def quoted(self) -> str | None:
        """A quoted text with its escapes. Unclosed, it reaches to the end and loses its last character."""
        start, quote = self.at, self.peek()
        if quote not in {'"', "'"}:
            return None
        self.at += 1
        while self.at < self.end and self.text[self.at] != quote:
            self.at += 2 if self.text[self.at] == "\\" else 1
        self.at = min(self.at + 1, self.end)
        body = self.text[start + 1 : self.at - 1]
        return whole(_ESCAPE.sub(_unescaped, body)) if "\\" in body else body

    def past(self, mark: str) -> bool:
        """Go on behind the next ``mark`` that ends after this character; to the end when there is none."""
        found = self.text.find(mark, max(self.at + 1 - len(mark), 0), self.end)
        self.at = found + len(mark) if found >= 0 else max(self.at, self.end)
        return found >= 0

    def shown(self, start: int | None = None) -> str:
        """The rest, or what begins at ``start``, as messages quote it."""
        rest = self.text[self.at if start is None else start : self.end]
        if length(rest) > _SHOWN:
            rest = cut(rest, 0, _SHOWN - 3) + "..."
        return str(encoded(rest))

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        """The template cannot be read here."""
        raise TemplateError(message, self.text, self.at if at is None else at)


def _unescaped(found: re.Match[str]) -> str:
    code, octal, char = found.groups()
    if char is not None:
        return _CONTROLS.get(char, char)
    return chr(int(code or "0", 16) if code is not None else int(octal, 8))
