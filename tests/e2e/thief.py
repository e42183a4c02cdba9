"""Who has the data directory, the logs and the reports, and this package: which personal data they could read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relay.adapters.redis.codec import Codec, Undecodable, load_dictionaries

PERSONAL_KEYS = re.compile(r"email|phone|first_?name|last_?name|(request_?)?ip|street|postal_?code", re.IGNORECASE)
SHORTEST = 6
"""Characters: anything shorter turns up in random bytes by itself."""


def personal(value: Any, key: str = "") -> Iterator[str]:
    """Every e-mail, phone number, name of a person, address and IP of an event."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from personal(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from personal(member, key)
    elif isinstance(value, str) and (PERSONAL_KEYS.fullmatch(key) or "@" in value):
        yield from (part for part in value.strip().split(", ") if len(part) >= SHORTEST)


class Thief:
    """Looks for values as they were sent, in any spelling of the letters, in files and in what can be unpacked."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.values = {value for event in events for value in personal(event)}
        self._needles = {value: value.lower().encode() for value in self.values}
        self._codec = Codec(load_dictionaries())

    def found_in(self, text: bytes) -> set[str]:
        """The values that stand in a text, escaped as JSON may escape them or not."""
        low = text.lower()
        return {value for value, needle in self._needles.items() if needle in low}

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
