"""Finding a person in what is stored: cheap for the many records that name somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from relay.core.event import JsonObject
from relay.core.segment.mentions import mentions
from relay.core.segment.people import EMAIL, identities

PLAIN = re.compile(r"[A-Za-z0-9_.:@-]+")  # what every JSON writer leaves as it is
BEHIND_A_KEY = rb'"(?:userId|anonymousId|previousId)"\s*:\s*'


class Seeker:
    """Knows by which identities (``names_of``) somebody is to be found."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        values = [(value, name.startswith(EMAIL)) for name in names if (value := name.partition(":")[2])]
        self._ids = frozenset(value for value, folded in values if not folded)
        self._addresses = frozenset(value for value, folded in values if folded)
        self._exact = [_needle(value) for value in self._ids]
        self._folded = [_needle(value) for value in self._addresses]

    def may_be_in(self, raw: bytes) -> bool:
        """False for nearly everything else, at the price of a search through the text."""
        if any(needle in raw for needle in self._exact):
            return True
        if not self._folded:
            return False
        low = raw.lower()
        return any(needle in low for needle in self._folded)

    def named_in(self, event: JsonObject) -> bool:
        """Whether an event is about the person."""
        return not self._names.isdisjoint(identities(event))

    def held_in(self, value: Any) -> bool:
        """For JSON of no known shape: whether one of the values is an id, or any string, somewhere in it."""
        return not self._names.isdisjoint(mentions(value))

    def quoted_in(self, raw: bytes) -> bool:
        """For text that cannot be read as JSON: whether one of the values stands in it as a whole string or id."""
        return any(re.search(_quoted(value), raw) for value in self._ids) or any(
            re.search(_quoted(value), raw, re.IGNORECASE) for value in self._addresses
        )


def _needle(value: str) -> bytes:
    """The longest part that stands in JSON as it is, however the rest was escaped."""
    return max(PLAIN.findall(value), key=len, default="").encode()


def _quoted(value: str) -> bytes:
    """A pattern; a bare number is an id only behind the key of one."""
    text = re.escape(json.dumps(value)[1:-1].encode())
    before = BEHIND_A_KEY if value.lstrip("-").isdigit() else rb"[:\s]"
    return rb'"%b"|%b%b[,}\]\s]' % (text, before, text)
