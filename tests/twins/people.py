"""The list of suppressed people on a plain list."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.ports import Changes

PAGE = 3


class MemorySuppressions:
    def __init__(self) -> None:
        self.lines: list[tuple[bytes, bool]] = []
        self.away = False
        self.asked = 0

    def mark(self, identity: str) -> bytes:
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()[:8]

    async def write(self, identities: Sequence[str], *, on: bool) -> int:
        self._check()
        self.lines += [(self.mark(identity), on) for identity in identities]
        return len(self.lines)

    async def since(self, after: str) -> Changes:
        self._check()
        self.asked += 1
        start = int(after or 0)
        page = self.lines[start : start + PAGE]
        return Changes(str(start + len(page)), page, len(page) == PAGE)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
