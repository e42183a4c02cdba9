"""A template cut into texts, outputs and tags, with white space trimmed where a hyphen asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from relay.core.mapping.liquid.cursor import BLANKS, DEEPEST, END_OF_RAW, Cursor


class Kind(Enum):
    """What a token is."""

    TEXT = "text"
    OUTPUT = "output"
    TAG = "tag"


@dataclass(slots=True)
class Token:
    """``start`` and ``end`` are places in the template, delimiters included; ``cursor`` reads what stands between them.

    For texts, ``start`` and ``end`` move when neighbours trim them; for tags, the cursor stands behind the name.
    """

    kind: Kind
    start: int
    end: int
    cursor: Cursor
    name: str = ""
    trims: tuple[bool, bool] = (False, False)

    @property
    def source(self) -> str:
        """As written."""
        return self.cursor.text[self.start : self.end]

    @property
    def rest(self) -> str:
        """What follows the name of a tag."""
        return self.cursor.text[self.cursor.at : self.cursor.end]


_OPENING = re.compile(r"\{[%{]")
_RAW_BREAK = re.compile(r"%\}|\{%")


def tokens_of(text: str) -> list[Token]:
    """All tokens. Raises TemplateError for a tag or output that is not closed."""
    cursor = Cursor(text)
    found: list[Token] = []
    raw: Token | None = None
    while not cursor.done:
        if raw:
            found += _raw_tokens(cursor, raw)
            raw = None
            continue
        token = _token(cursor)
        found.append(token)
        raw = token if token.name == "raw" else None
    _trim(found)
    return found


def lines_of(cursor: Cursor) -> list[Token]:
    """The lines of a liquid tag, each a tag without delimiters."""
    if cursor.depth > DEEPEST:
        cursor.fail("liquid tags nested too deeply")
    found: list[Token] = []
    while True:
        cursor.skip_blanks()
        if cursor.done:
            return found
        start = cursor.at
        cursor.past("\n")
        found.append(_tag(cursor, start, cursor.at, (start, cursor.at), "illegal liquid tag syntax"))


def _token(cursor: Cursor) -> Token:
    text, start = cursor.text, cursor.at
    if text.startswith("{%", start):
        if not cursor.past("%}"):
            cursor.fail(f"tag {cursor.shown(start)} not closed", start)
        return _delimited_tag(cursor, start, cursor.at)
    if text.startswith("{{", start):
        return _output(cursor, start)
    opening = _OPENING.search(text, start)
    cursor.at = opening.start() if opening else cursor.end
    return Token(Kind.TEXT, start, cursor.at, cursor)


def _delimited_tag(cursor: Cursor, start: int, end: int) -> Token:
    return _tag(cursor, start, end, (start + 2, end - 2), "illegal tag syntax, tag name expected")


def _output(cursor: Cursor, start: int) -> Token:
    """Braces inside quotes do not end it."""
    text = cursor.text
    while not cursor.done:
        if cursor.quoted() is not None:
            continue
        cursor.at += 1
        if text.endswith("}}", 0, cursor.at):
            inside, trims = _inside(text, start + 2, cursor.at - 2)
            return Token(Kind.OUTPUT, start, cursor.at, Cursor(text, *inside), trims=trims)
    return cursor.fail(f"output {cursor.shown(start)} not closed", start)


def _tag(cursor: Cursor, start: int, end: int, inside: tuple[int, int], problem: str) -> Token:
    span, trims = _inside(cursor.text, *inside)
    inner = Cursor(cursor.text, *span)
    inner.depth = cursor.depth + 1
    inner.skip_blanks()
    if inner.text.startswith("#", inner.at):
        inner.at += 1
        name = "#"
    else:
        name = inner.name()
    if not name:
        inner.fail(problem)
    inner.skip_blanks()
    return Token(Kind.TAG, start, end, inner, name, trims)


def _inside(text: str, start: int, end: int) -> tuple[tuple[int, int], tuple[bool, bool]]:
    """Without hyphens and blanks at the ends, and which hyphens there were. Both may be one and the same."""
    left, right = text.startswith("-", start), text.startswith("-", end - 1)
    start, end = start + left, end - right
    while start < end and text[start] in BLANKS:
        start += 1
    while end > start and text[end - 1] in BLANKS:
        end -= 1
    return (start, end), (left, right)


def _raw_tokens(cursor: Cursor, raw: Token) -> list[Token]:
    """The untouched text and its endraw, which takes no hyphen on its left."""
    text, start = cursor.text, cursor.at
    found = END_OF_RAW.search(text, start)
    while found:
        closing = _RAW_BREAK.search(text, found.end())
        if closing and closing[0] == "%}":
            cursor.at = closing.end()
            content = [Token(Kind.TEXT, start, found.start(), cursor)] if found.start() > start else []
            return [*content, _delimited_tag(cursor, found.start(), closing.end())]
        found = END_OF_RAW.search(text, closing.start()) if closing else None
    return cursor.fail(f"raw {cursor.shown(raw.start)} not closed", start)


def _trim(tokens: list[Token]) -> None:
    """Blanks beside hyphens go, but those inside raw stay."""
    raw = False
    for at, token in enumerate(tokens):
        if token.kind is Kind.TEXT:
            continue
        if token.trims[0] and not raw and at > 0:
            _trim_end(tokens[at - 1])
        if token.name in {"raw", "endraw"}:
            raw = token.name == "raw"
        if token.trims[1] and not raw and at + 1 < len(tokens):
            _trim_start(tokens[at + 1])


def _trim_end(token: Token) -> None:
    if token.kind is Kind.TEXT:
        token.end = token.start + len(token.source.rstrip(BLANKS))


def _trim_start(token: Token) -> None:
    if token.kind is Kind.TEXT:
        token.start = token.end - len(token.source.lstrip(BLANKS))
