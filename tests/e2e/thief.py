"""Who has the data directory, the logs and the reports, and this package: which personal data they could read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relay.adapters.redis.codec import Codec, Undecodable, load_dictionaries

PERSONAL_KEYS = re.compile(r"email|phone|first_?name|last_?name|(request_?)?ip|street|city|postal_?code", re.IGNORECASE)
NAMED = frozenset({"traits", "city"})
"""Of whom or what a key ``name`` is personal: products, devices and libraries have one as well."""
SHORTEST = 6
"""Characters: anything shorter turns up in random bytes by itself, so it is looked for with its quotes."""


def personal(value: Any, key: str = "", holder: str = "") -> Iterator[str]:
    """Every e-mail, phone number, name of a person, address and IP of an event."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from personal(member, name, key)
    elif isinstance(value, list):
        for member in value:
            yield from personal(member, key, holder)
    elif isinstance(value, str) and (_is_personal(key, holder) or "@" in value):
        yield from (part for part in value.strip().split(", ") if part)


def _is_personal(key: str, holder: str) -> bool:
    return PERSONAL_KEYS.fullmatch(key) is not None or (key == "name" and holder in NAMED)


def _spellings(value: str) -> tuple[bytes, ...]:
    """As JSON, in quotes: with the letters of its language as they are, or escaped."""
    return tuple(json.dumps(value, ensure_ascii=escaped).encode().lower() for escaped in (False, True))


class Thief:
    """Looks for values as they were sent, in any spelling of the letters, in files and in what can be unpacked."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.values = {value for event in events for value in personal(event)}
        self._needles = {value: self._needles_of(value) for value in self.values}
        words = {value for value in self.values if len(value) < SHORTEST and not value.isdigit()}
        self._words = {value: self._words_of(value) for value in words}
        self._codec = Codec(load_dictionaries())

    @staticmethod
    def _needles_of(value: str) -> tuple[bytes, ...]:
        quoted = _spellings(value)
        return quoted if len(value) < SHORTEST else tuple(one[1:-1] for one in quoted)

    @staticmethod
    def _words_of(value: str) -> re.Pattern[bytes]:
        either = b"|".join(re.escape(one[1:-1]) for one in _spellings(value))
        return re.compile(rb"(?<![0-9a-z])(?:%b)(?![0-9a-z])" % either)

    def found_in(self, content: bytes) -> set[str]:
        """The values that stand in any bytes, escaped as JSON may escape them or not; short ones as whole strings."""
        low = content.lower()
        return {value for value, needles in self._needles.items() if any(needle in low for needle in needles)}

    def found_in_text(self, text: bytes) -> set[str]:
        """The same where people and programs write, short ones also as words. A short number may be anybody's."""
        low = text.lower()
        return self.found_in(text) | {value for value, word in self._words.items() if word.search(low)}

    def found_in_store(self, folder: Path) -> set[str]:
        """The values in the append-only files of a data directory, also in what this package can decode of them."""
        files = sorted(folder.glob("**/*.aof")) + sorted(folder.glob("**/*.rdb"))
        assert files
        found: set[str] = set()
        for file in files:
            content = file.read_bytes()
            found |= self.found_in(content)
            found |= self.found_in(b"\n".join(self._unpacked(content)))
        return found

    def _unpacked(self, content: bytes) -> Iterator[bytes]:
        """Every argument of every command in an append-only file that is a record of ours."""
        for match in re.finditer(rb"\$(\d+)\r\n", content):
            try:
                yield self._codec.decode(content[match.end() : match.end() + int(match[1])])
            except Undecodable:
                continue
