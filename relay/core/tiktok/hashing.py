"""How Segment prepares what identifies a person: some of it hashed, some only cleaned (TikTok sheet section 2.3).

The same people do many things, so the last few thousand results are remembered. The memory is bounded, belongs to the
process, and shows its contents in no repr, log or traceback. White space and digits are dealt with as bytes where that
cannot matter: in UTF-8 no byte of another character looks like them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from hashlib import sha256

from relay.core.javascript.text import is_blank, trim, utf8, without_space

_HASHED = re.compile(r"[0-9a-fA-F]{64}")
_BYTES = bytes(range(256))
_NO_DIGITS = _BYTES.translate(None, b"0123456789")
_NO_ALPHANUMERICS = bytes(byte for byte in range(256) if not (byte < 128 and chr(byte).isalnum()))
_REMEMBERED = 4096
_SHORT = 256  # characters; longer ones are nobody's name or address, and a few thousand of them would fill the memory
_PHONE_DIGITS = 14  # TikTok takes 15 characters with the plus sign


def _remembered(work: Callable[[str], str]) -> Callable[[str], str]:
    """``work`` for texts that come again and again; what is remembered is bounded in number and in length."""
    known = lru_cache(_REMEMBERED)(work)

    @wraps(work)
    def recalled(text: str) -> str:
        return known(text) if len(text) <= _SHORT else work(text)

    return recalled


def _hashed(text: str) -> str:
    """SHA-256; '' for a blank text, a text that is a hash already as it is."""
    if is_blank(text):
        return ""
    if len(text) == 64 and _HASHED.fullmatch(text):
        return text
    return sha256(utf8(text)).hexdigest()


@_remembered
def email(text: str) -> str:
    """Lower case, not trimmed."""
    return _hashed(text.lower())


external_id = email  # Segment treats ids exactly like addresses


@_remembered
def phone(text: str) -> str:
    """A plus sign and the ASCII digits; whether it is a hash already is asked of the text as given."""
    if is_blank(text):
        return ""
    if len(text) == 64 and _HASHED.fullmatch(text):
        return text
    return sha256(b"+" + utf8(text).translate(None, _NO_DIGITS)[:_PHONE_DIGITS]).hexdigest()


@_remembered
def name(text: str) -> str:
    """First and last names and zip codes: no white space, lower case."""
    return _hashed(without_space(text).lower()) if text else ""


@_remembered
def place(text: str) -> str:
    """City, state, country: ASCII letters and digits in lower case, not hashed."""
    return utf8(text).translate(None, _NO_ALPHANUMERICS).decode().lower() if text else ""


def idfa(text: str) -> str:
    """Advertising id of an Apple device."""
    return _hashed(trim(text.lower()))


def gaid(text: str) -> str:
    """Advertising id of an Android device: its case matters."""
    return _hashed(trim(text))
