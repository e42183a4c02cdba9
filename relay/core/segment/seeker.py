"""Finding a person in what is stored: cheap for the many records that name somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from relay.core.event import JsonObject
from relay.core.segment.people import EMAIL, identities

PLAIN = re.compile(r"[A-Za-z0-9_.:@-]+")  # what every JSON writer leaves as it is


class Seeker:
    """Knows by which identities (``names_of``) somebody is to be found."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        values = [(name.partition(":")[2], name.startswith(EMAIL)) for name in names]
        self._exact = [_needle(value) for value, folded in values if not folded]
        self._folded = [_needle(value) for value, folded in values if folded]

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

    def quoted_in(self, raw: bytes) -> bool:
        """For text that is no event: whether one of the values stands in it as a whole string or number."""
        whole = (rb'[":\s]' + re.escape(_written(name)) + rb'[",}\]\s]' for name in self._names)
        return any(re.search(pattern, raw, re.IGNORECASE) for pattern in whole)


def _needle(value: str) -> bytes:
    """The longest part that stands in JSON as it is, however the rest was escaped."""
    return max(PLAIN.findall(value), key=len, default="").encode()


def _written(name: str) -> bytes:
    return json.dumps(name.partition(":")[2])[1:-1].encode()
