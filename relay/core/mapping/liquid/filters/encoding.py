"""Filters that write a value in another notation: HTML, URLs, hashes, base64, JSON."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import groupby
from typing import Any
from unicodedata import category
from urllib.parse import quote, unquote_to_bytes

from relay.core.javascript.text import WHITESPACE, cut, to_units, utf8
from relay.core.mapping.json_text import encoded
from relay.core.mapping.liquid.errors import Fault
from relay.core.mapping.liquid.rendering import ELEMENT, Rendering
from relay.core.mapping.liquid.values import Word, integer, text_of, whole
from relay.core.mapping.values import UNDEFINED, Function, in_key_order, is_falsy, is_number

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_SPECIAL = str.maketrans(_ENTITIES)
_ENTITY = re.compile("|".join(_ENTITIES.values()))
_CHARACTERS = {entity: char for char, entity in _ENTITIES.items()}
# Openers and closers in the order they are tried; a kind that is not closed once is not looked for again.
_MARKUP = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))

_UNESCAPED = "!'()*-._~"  # what encodeURIComponent leaves alone, beside letters, digits and _
_UNESCAPED_IN_URLS = _UNESCAPED + "#$&+,/:;=?@[]"
_ESCAPED = re.compile("(?:%[0-9a-fA-F]{2})+")
_MALFORMED = re.compile("%(?![0-9a-fA-F]{2})")

_SPACES = re.compile(f"[{re.escape(WHITESPACE)}]+")
_PRETTY = frozenset("._~!$&'()+,;=@")
_ACCENTS = {
    "a": "àáâãäå", "ae": "æ", "c": "ç", "e": "èéêë", "i": "ìíîï", "d": "ð", "n": "ñ", "o": "òóôõöø", "u": "ùúûü",
    "y": "ýÿ", "ss": "ß", "oe": "œ", "th": "þ", "SS": "ẞ", "OE": "Œ", "TH": "Þ",
}  # fmt: skip
_PLAIN_LETTERS = str.maketrans({accented: plain for plain, letters in _ACCENTS.items() for accented in letters})

_PER_LETTER = 3  # what asking for a letter's kind counts for

_NOT_BASE64 = re.compile("[^A-Za-z0-9+/]")
_MOST_INDENT = 10


def _escaped(run: Rendering, text: str) -> str:
    found = text.translate(_SPECIAL)
    run.use(len(found) - len(text))
    return found


def escape(run: Rendering, value: Any, *_: Any) -> str:
    """For HTML and XML."""
    return _escaped(run, run.text(value))


def escape_once(run: Rendering, value: Any, *_: Any) -> str:
    """The same for a text that may be escaped already."""
    return _escaped(run, _ENTITY.sub(lambda found: _CHARACTERS[found[0]], run.text(value)))


def strip_html(run: Rendering, value: Any, *_: Any) -> str:
    """Without scripts, styles, comments and tags; each kind of closer is searched for in vain only once."""
    text = run.text(value)
    kinds, kept, at = list(_MARKUP), [], 0
    start = text.find("<")
    while start >= 0:
        kept.append(text[at:start])
        end = _end_of_markup(text, start, kinds)
        if end < 0:
            return whole("".join([*kept, text[start:]]))
        at, start = end, text.find("<", end)
        run.use(ELEMENT)
    return whole("".join([*kept, text[at:]]))


def _end_of_markup(text: str, start: int, kinds: list[tuple[str, str]]) -> int:
    for kind in tuple(kinds):
        opener, closer = kind
        if text.startswith(opener, start):
            found = text.find(closer, start + len(opener))
            if found >= 0:
                return found + len(closer)
            kinds.remove(kind)
    return -1


def _percent(run: Rendering, value: Any, unescaped: str) -> str:
    text = whole(run.text(value))
    run.use(2 * len(text))
    try:
        return quote(text, safe=unescaped)
    except UnicodeEncodeError:
        raise Fault("URI malformed") from None


def url_encode(run: Rendering, value: Any, *_: Any) -> str:
    """As encodeURIComponent, with plus signs for spaces."""
    return _percent(run, value, _UNESCAPED).replace("%20", "+")


def cgi_escape(run: Rendering, value: Any, *_: Any) -> str:
    """The same, with more characters escaped."""
    return _percent(run, value, "-._~").replace("%20", "+")


def uri_escape(run: Rendering, value: Any, *_: Any) -> str:
    """As encodeURI, but for brackets."""
    return _percent(run, value, _UNESCAPED_IN_URLS)


def url_decode(run: Rendering, value: Any, *_: Any) -> str:
    """As decodeURIComponent; afterwards every plus sign is a space, even one that was escaped."""
    text = run.text(value)
    try:
        if _MALFORMED.search(text):
            raise Fault("URI malformed")
        return _ESCAPED.sub(lambda found: unquote_to_bytes(found[0]).decode(), text).replace("+", " ")
    except UnicodeDecodeError:
        raise Fault("URI malformed") from None


def slugify(run: Rendering, value: Any, mode: Any = UNDEFINED, cased: Any = UNDEFINED, *_: Any) -> str:
    """Runs of other characters become a hyphen; the mode says which those are."""
    text, kind = run.text(value), "default" if mode is UNDEFINED else text_of(mode)
    if kind == "latin":
        text = text.translate(_PLAIN_LETTERS)
    if kind == "raw":
        text = _trimmed(_SPACES.sub("-", text))
    elif kind in _KEPT:
        run.use(_PER_LETTER * len(text))
        text = _trimmed(_hyphenated(text, _KEPT[kind]))
    return text.lower() if is_falsy(cased) else text


def _trimmed(text: str) -> str:
    return text.removeprefix("-").removesuffix("-")


def _hyphenated(text: str, kept: Callable[[str], bool]) -> str:
    runs = groupby(text, kept)
    return "".join("".join(run) if is_kept else "-" for is_kept, run in runs)


def _is_letter_or_digit(char: str) -> bool:
    """Letters, marks and decimal digits of any script."""
    kind = category(char)
    return kind[0] in "LM" or kind == "Nd"


_KEPT: dict[str, Callable[[str], bool]] = {
    "default": _is_letter_or_digit,
    "latin": _is_letter_or_digit,
    "pretty": lambda char: char in _PRETTY or _is_letter_or_digit(char),
    "ascii": lambda char: char.isascii() and char.isalnum(),
}


def sha256(run: Rendering, value: Any, *_: Any) -> str:
    """Lower-case hex of the UTF-8 bytes."""
    return hashlib.sha256(utf8(run.text(value))).hexdigest()


def hmac_sha256(run: Rendering, value: Any, key: Any = UNDEFINED, *_: Any) -> str:
    """Lower-case hex of the UTF-8 bytes, keyed."""
    return hmac.new(utf8(run.text(key)), utf8(run.text(value)), "sha256").hexdigest()


def base64_encode(run: Rendering, value: Any, *_: Any) -> str:
    """Of the UTF-8 bytes."""
    data = utf8(run.text(value))
    run.use(len(data))
    return b64encode(data).decode()


def base64_decode(run: Rendering, value: Any, *_: Any) -> str:
    """As Node reads it: either alphabet, up to the first =, strangers skipped; bytes that are no UTF-8 are U+FFFD."""
    text = run.text(value)
    if not text.isascii():  # Node looks at the low byte of each unit only
        text = to_units(text)[::2].decode("latin-1")
    text = _NOT_BASE64.sub("", text.partition("=")[0].replace("-", "+").replace("_", "/"))
    text = text[: len(text) - (len(text) % 4 == 1)]
    return b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")


def json(run: Rendering, value: Any, indent: Any = UNDEFINED, *_: Any) -> Any:
    """``JSON.stringify``; UNDEFINED for what has no JSON."""
    gap, laid_out = "", False
    if type(indent) is str:
        gap, laid_out = cut(indent, 0, _MOST_INDENT), bool(indent)
    elif is_number(indent):  # a fraction below 1 breaks lines without indenting them, in V8
        gap, laid_out = " " * integer(indent, 0, _MOST_INDENT), indent > 0
    text = _written(run, value, "\n" if laid_out else "", gap)
    return UNDEFINED if text is None else whole(text)


def _written(run: Rendering, value: Any, line: str, gap: str) -> str | None:
    """``line`` is the line break with this level's indentation; '' for compact JSON."""
    run.use(ELEMENT)
    if type(value) is list:
        items = [_written(run, item, line + gap, gap) or "null" for item in value]
        return _enclosed(run, "[]", items, line, gap)
    if type(value) is dict:
        joint = ": " if line else ":"
        members = ((key, _written(run, member, line + gap, gap)) for key, member in in_key_order(value).items())
        texts = [f"{encoded(key)}{joint}{text}" for key, text in members if text is not None]
        return _enclosed(run, "{}", texts, line, gap)
    if value is UNDEFINED or type(value) is Function:
        return None
    text = "{}" if type(value) is Word else str(encoded(value))
    run.use(len(text))
    return text


def _enclosed(run: Rendering, brackets: str, texts: list[str], line: str, gap: str) -> str:
    if not texts:
        return brackets
    start, end = line + gap, line
    run.use(len(texts) * (ELEMENT + len(start)))  # what is in the texts was charged for where they were made
    return brackets[0] + start + f",{start}".join(texts) + end + brackets[1]


FILTERS: dict[str, Callable[..., Any]] = {
    "base64_decode": base64_decode,
    "base64_encode": base64_encode,
    "cgi_escape": cgi_escape,
    "escape": escape,
    "escape_once": escape_once,
    "hmac_sha256": hmac_sha256,
    "inspect": json,
    "json": json,
    "jsonify": json,
    "sha256": sha256,
    "slugify": slugify,
    "strip_html": strip_html,
    "uri_escape": uri_escape,
    "url_decode": url_decode,
    "url_encode": url_encode,
    "xml_escape": escape,
}
