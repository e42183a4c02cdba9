"""Who may be named in what is no event: looked for at any depth, for nobody knows where such a thing keeps its people.

Both ways of searching look here: for one person, and for everybody on a list of marks, which can be asked about a whole
name only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from relay.core.segment.people import ANONYMOUS, EMAIL, USER, identities

WORDS = re.compile(r"[^\s{}\[\],]+")
SHA256 = 64
"""Characters of a hashed address."""
NUMBERS = re.compile(r'"(?:userId|anonymousId|previousId)"\s*:\s*"?(-?\d+)\b')


def mentions(value: Any, *, numbers: bool = True) -> Iterator[str]:
    """For JSON of no known shape: all that its objects name as events do, and every string as an id and an address.

    Numbers count as ids under the keys of ids only: the quantity 1 is not the user 1. Without ``numbers`` that goes for
    strings of digits as well: on a list of thousands of users with such ids somebody has nearly every small number.
    """
    rest, met = [value], set[str]()
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            yield from identities(one)
            rest += one.values()
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, str) and one not in met:
            met.add(one)
            if numbers or not _digits(one):
                yield from _readings(one)


def scraps(raw: bytes) -> Iterator[str]:
    """For text that cannot be read as JSON: what stands in it between two quotes, or as a word behind blank or colon.

    Digits count behind the key of an id only.
    """
    text = raw.decode("utf-8", "replace")
    found = dict.fromkeys(_unescaped(piece) for piece in text.split('"')[1:-1])
    for word in WORDS.findall(text):
        found[word] = found[word.rpartition(":")[2]] = None
    for one in found:
        if one and '"' not in one and not _digits(one):
            yield from _readings(one)
    for number in NUMBERS.findall(text):
        yield from _readings(number)


def _readings(text: str) -> Iterator[str]:
    yield USER + text
    yield ANONYMOUS + text
    if "@" in text or len(text) >= SHA256:  # a third of the time, which is spent on marks
        yield EMAIL + text.strip().lower()


def _digits(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _unescaped(piece: str) -> str:
    if "\\" not in piece:
        return piece
    try:
        return str(json.loads(f'"{piece}"'))
    except ValueError:
        return piece
