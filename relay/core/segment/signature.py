"""Segment's ``X-Signature``: lower-case hex of HMAC-SHA1 over what the sender stringified (Segment sheet section 1.2).

Always checked against the bytes that arrived, never against JSON that was parsed and written again: JavaScript and
Python disagree about the spelling of 1e-7. The one exception is the classic webhook, which signs a re-stringified body.
"""

from __future__ import annotations

import codecs
import hmac
import json
import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import lru_cache

# A classic webhook carries one event and events are at most 32 KB (Segment sheet section 2.2): nobody may make us
# parse and write again megabytes before having proved anything.
CLASSIC_LIMIT = 65_536
FIRST_LIMIT = 1_048_576  # bytes in which the first element of an array must end, for the same reason

# What JSON takes for a blank: \s is more.
ARRAY = re.compile(rb"[ \t\n\r]*\[")
ARRAY_START = re.compile(r"[ \t\n\r]*\[[ \t\n\r]*")
WRAPPER_START = re.compile(r'\{[ \t\n\r]*"json"[ \t\n\r]*:[ \t\n\r]*')
WRAPPER_END = re.compile(r"[ \t\n\r]*\}")
ELEMENT_END = re.compile(r"[ \t\n\r]*[,\]]")
STRING_OR_SPACE = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\n\r]+', re.DOTALL)


class Cover(IntEnum):
    """How much of a request a signature vouches for."""

    NOTHING = 0
    FIRST = 1  # element 0 of an array; the other elements could be anybody's
    ALL = 2


def cover(signature: str, body: bytes, secrets: Sequence[bytes]) -> Cover:
    """What ``signature`` vouches for under any of ``secrets``; every comparison takes constant time."""
    given = signature.encode("utf-8", "surrogateescape")
    if _signed(given, body, secrets):
        return Cover.ALL
    if ARRAY.match(body):
        signed = any(_signed(given, part, secrets) for part in _first_element(body))
        return Cover.FIRST if signed else Cover.NOTHING
    signed = any(_signed(given, part, secrets) for part in _compact(body))
    return Cover.ALL if signed else Cover.NOTHING


def sign(body: bytes, secret: bytes) -> str:
    """The header value a sender would put on ``body``."""
    return hmac.digest(secret, body, "sha1").hex()


def _signed(given: bytes, part: bytes, secrets: Sequence[bytes]) -> bool:
    # No short cut after a match: how long it takes must not tell which secret was the right one.
    found = False
    for secret in secrets:
        keyed = _keyed(secret).copy()
        keyed.update(part)
        found |= hmac.compare_digest(given, keyed.hexdigest().encode())
    return found


@lru_cache(maxsize=64)
def _keyed(secret: bytes) -> hmac.HMAC:
    """An HMAC that has read its key already: secrets are few, and reading one takes as long as a small body."""
    return hmac.new(secret, digestmod="sha1")


def _first_element(body: bytes) -> Iterator[bytes]:
    """Raw bytes of element 0, then of what is in it if it is ``{"json": …}`` (the Extensible Webhook's wrapper).

    Objects alone: a signature of a whole array must not vouch for it as the element of another. Of a wrapper nothing is
    signed, so it may hold nothing else: of two members ``json``, however spelled, who reads the event takes the last.
    """
    decoder = json.JSONDecoder()
    try:
        # Not final: the cut may go through a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(body[:FIRST_LIMIT])
        start = _end_of(ARRAY_START, text, 0)
        element, end = decoder.raw_decode(text, start)
        _end_of(ELEMENT_END, text, end)
        if not isinstance(element, dict):
            return
        yield text[start:end].encode()
        start = _end_of(WRAPPER_START, text, start)
        inner, inner_end = decoder.raw_decode(text, start)
        if isinstance(inner, dict) and _end_of(WRAPPER_END, text, inner_end) == end:
            yield text[start:inner_end].encode()
    except (ValueError, RecursionError):
        return  # no JSON, no UTF-8, too deep or no wrapper: nothing else that Segment could have signed


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    if found is None:
        raise ValueError(pattern.pattern)
    return found.end()


def _compact(body: bytes) -> Iterator[bytes]:
    """The body as ``JSON.stringify`` would have written it: without blanks, then also without needless escapes."""
    if len(body) > CLASSIC_LIMIT:
        return
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return  # without the blank, "1 2" would become another number
    yield STRING_OR_SPACE.sub(rb"\1", body)
    yield json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
