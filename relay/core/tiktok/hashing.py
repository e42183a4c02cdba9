"""How Segment prepares what identifies a person: some of it hashed, some only cleaned (TikTok sheet section 2.3).

Nothing is cached here: a cache would keep personal data in memory for longer than the event lives.
"""

from __future__ import annotations

import re
from hashlib import sha256

from relay.core.mapping.javascript.text import trim, utf8, without_space

_HASHED = re.compile(r"[0-9a-fA-F]{64}")
_NO_DIGITS = re.compile(r"[^0-9]+")
_NO_ALPHANUMERICS = re.compile(r"[^A-Za-z0-9]+")
_PHONE_LENGTH = 15  # with the plus sign


def _hashed(text: str, clean: str) -> str:
    """SHA-256 of ``clean``; '' when ``text`` is blank, ``text`` itself when it is a hash already."""
    if not trim(text):
        return ""
    if len(text) == 64 and _HASHED.fullmatch(text):
        return text
    return sha256(utf8(clean)).hexdigest()


def email(text: str) -> str:
    """Lower case, not trimmed."""
    lower = text.lower()
    return _hashed(lower, lower)


external_id = email  # Segment treats ids exactly like addresses


def phone(text: str) -> str:
    """A plus sign and the ASCII digits; whether it is a hash already is asked of the text as given."""
    return _hashed(text, ("+" + _NO_DIGITS.sub("", text))[:_PHONE_LENGTH])


def name(text: str) -> str:
    """First and last names and zip codes: no white space, lower case."""
    clean = without_space(text).lower()
    return _hashed(clean, clean)


def place(text: str) -> str:
    """City, state, country: ASCII letters and digits in lower case, not hashed."""
    return _NO_ALPHANUMERICS.sub("", text).lower()


def idfa(text: str) -> str:
    """Advertising id of an Apple device."""
    clean = trim(text.lower())
    return _hashed(clean, clean)


def gaid(text: str) -> str:
    """Advertising id of an Android device: its case matters."""
    clean = trim(text)
    return _hashed(clean, clean)
