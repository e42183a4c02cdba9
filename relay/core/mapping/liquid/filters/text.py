"""Filters of text. Every value becomes output text first; lengths and cuts count UTF-16 units."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from relay.core.javascript.text import WHITESPACE, cut, from_units, length, to_units
from relay.core.mapping.liquid.errors import demand
from relay.core.mapping.liquid.rendering import ELEMENT, Rendering
from relay.core.mapping.liquid.values import Word, integer, is_true, number, plain, text_of, whole
from relay.core.mapping.values import UNDEFINED, is_falsy

_SPACES = re.compile(f"[{re.escape(WHITESPACE)}]+")
_NEWLINE = re.compile(r"\r?\n")
_CJK = "\u3040-\u309f\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_OTHER_WORD = re.compile(f"[^{_CJK}{re.escape(WHITESPACE)}]+")


def append(run: Rendering, value: Any, *arguments: Any) -> str:
    """Exactly one argument, or it fails."""
    demand(len(arguments) == 1, "append expect 2 arguments")
    return whole(run.text(value) + run.text(arguments[0]))


def prepend(run: Rendering, value: Any, *arguments: Any) -> str:
    """Exactly one argument, or it fails."""
    demand(len(arguments) == 1, "prepend expect 2 arguments")
    return whole(run.text(arguments[0]) + run.text(value))


def _changed(change: Callable[[str], str]) -> Callable[..., str]:
    return lambda run, value, *_: change(run.text(value))


def _capitalized(text: str) -> str:
    first = cut(text, 0, 1)
    return first.upper() + cut(text, 1).lower() if first else ""


def _stripped(*, left: bool, right: bool) -> Callable[..., str]:
    def strip(run: Rendering, value: Any, characters: Any = UNDEFINED, *_: Any) -> str:
        text = run.text(value)
        if is_falsy(characters):
            text = text.lstrip(WHITESPACE) if left else text
            return text.rstrip(WHITESPACE) if right else text
        # Units are compared, so a character of two is never among them.
        unwanted = {char for char in run.text(characters) if char <= "\uffff"}
        start, end = 0, len(text)
        while left and start < end and text[start] in unwanted:
            start += 1
        while right and end > start and text[end - 1] in unwanted:
            end -= 1
        return text[start:end]

    return strip


def _replaced(run: Rendering, value: Any, old: Any, new: Any) -> str:
    """All occurrences, left to right; nothing to look for is found between all units."""
    text, old, new = run.text(value), run.text(old), run.text(new)
    if not old:
        parts = _units_of(run, text)
        run.use(len(new) * (len(parts) - 1))
        return whole(new.join(parts))
    run.use((len(new) - len(old)) * text.count(old))
    return whole(text.replace(old, new))


def _units_of(run: Rendering, text: str) -> list[str]:
    """Single units, halves of characters too."""
    run.use(ELEMENT * len(text))
    if text.isascii():
        return list(text)
    units = to_units(text)
    return [from_units(units[at : at + 2]) for at in range(0, len(units), 2)]


def replace(run: Rendering, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED, *_: Any) -> str:
    """Literal and global."""
    return _replaced(run, value, old, new)


def remove(run: Rendering, value: Any, old: Any = UNDEFINED, *_: Any) -> str:
    """Literal and global."""
    return _replaced(run, value, old, "")


def replace_first(run: Rendering, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED, *_: Any) -> str:
    """The first occurrence; an empty one is at the start."""
    return whole(_replaced_at(run, run.text(value), run.text(old), new, str.find))


def replace_last(run: Rendering, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED, *_: Any) -> str:
    """The last occurrence; an empty one is at the end."""
    return whole(_replaced_at(run, run.text(value), run.text(old), new, str.rfind))


def _replaced_at(run: Rendering, text: str, old: str, new: Any, find: Callable[[str, str], int]) -> str:
    at = find(text, old)
    inserted = run.text(new)
    return text if at < 0 else text[:at] + inserted + text[at + len(old) :]


def remove_first(run: Rendering, value: Any, old: Any = UNDEFINED, *_: Any) -> str:
    """The first occurrence."""
    return replace_first(run, value, old, "")


def remove_last(run: Rendering, value: Any, old: Any = UNDEFINED, *_: Any) -> str:
    """The last occurrence."""
    return replace_last(run, value, old, "")


def split(run: Rendering, value: Any, separator: Any = UNDEFINED, *_: Any) -> list[str]:
    """Parts without empty ones at the end; single units when the separator is empty."""
    text, mark = run.text(value), run.text(separator)
    if mark:
        run.use(ELEMENT * text.count(mark))
        parts = text.split(mark)
    else:
        parts = _units_of(run, text)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def truncate(run: Rendering, value: Any, most: Any = UNDEFINED, mark: Any = UNDEFINED, *_: Any) -> Any:
    """At most so many units, the mark included unless it is longer; what fits stays what it was."""
    text, ending = run.text(value), "..." if mark is UNDEFINED else run.text(mark)
    limit = number(50 if most is UNDEFINED else most)
    if length(text) <= limit:
        return value
    return whole(cut(text, 0, integer(limit - length(ending), 0, length(text))) + ending)


def truncatewords(run: Rendering, value: Any, most: Any = UNDEFINED, mark: Any = UNDEFINED, *_: Any) -> str:
    """The first words, with the mark when there are as many or more."""
    words, ending = _words(run, run.text(value)), "..." if mark is UNDEFINED else run.text(mark)
    limit = number(15 if most is UNDEFINED else most)
    if limit <= 0:
        limit = 1
    kept = " ".join(words[: integer(limit, 0, len(words))])
    return whole(kept + ending) if len(words) >= limit else kept


def number_of_words(run: Rendering, value: Any, mode: Any = UNDEFINED, *_: Any) -> int:
    """Words between white space; with ``cjk``, or with ``auto`` where there are any, CJK characters count singly."""
    text = run.text(value).strip(WHITESPACE)
    if not text:
        return 0
    if mode == "cjk" or (mode == "auto" and _CJK_CHARACTER.search(text)):
        return len(_CJK_CHARACTER.findall(text)) + len(_OTHER_WORD.findall(text))
    return len(_words(run, text))


def _words(run: Rendering, text: str) -> list[str]:
    words = _SPACES.split(text)
    run.use(ELEMENT * len(words))
    return words


def default(_run: Rendering, value: Any, otherwise: Any = UNDEFINED, *options: Any) -> Any:
    """Empty texts and lists, nil and false give way; ``allow_false`` keeps false."""
    value = plain(value)
    if type(value) is str or type(value) is list:
        return value or otherwise
    if value is False and _allows_false(options):
        return False
    return value if is_true(value) else otherwise


def _allows_false(options: tuple[Any, ...]) -> bool:
    found: Any = UNDEFINED
    for option in options:
        if type(option) is list:
            name, value = (*option, UNDEFINED, UNDEFINED)[:2]
            found = value if name == "allow_false" else found
        else:
            demand(type(option) in {dict, Word}, f"Iterator value {text_of(option)} is not an entry object")
    return not is_falsy(found)


FILTERS: dict[str, Callable[..., Any]] = {
    "append": append,
    "capitalize": _changed(_capitalized),
    "default": default,
    "downcase": _changed(str.lower),
    "lstrip": _stripped(left=True, right=False),
    "normalize_whitespace": _changed(lambda text: _SPACES.sub(" ", text)),
    "number_of_words": number_of_words,
    "prepend": prepend,
    "raw": lambda _run, value, *_: value,
    "remove": remove,
    "remove_first": remove_first,
    "remove_last": remove_last,
    "replace": replace,
    "replace_first": replace_first,
    "replace_last": replace_last,
    "rstrip": _stripped(left=False, right=True),
    "split": split,
    "strip": _stripped(left=True, right=True),
    "strip_newlines": _changed(lambda text: _NEWLINE.sub("", text)),
    "truncate": truncate,
    "truncatewords": truncatewords,
    "upcase": _changed(str.upper),
}
