"""The list of suppressed people on a plain list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.ports import NOW, Changes, Listed

PAGE = 3
DAY_MS = 86_400_000


class MemorySuppressions:
    def __init__(self, now_ms: Callable[[], int] = lambda: 0, most: int = 1_000_000) -> None:
        self.lines: list[tuple[bytes, bool]] = []
        self.away = False
        self.asked = 0
        self._now_ms, self._most = now_ms, most
        self._who: dict[bytes, int] = {}
        self._lifted: dict[bytes, int] = {}

    def mark(self, identity: str) -> bytes:
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()[:8]

    async def write(self, identities: Sequence[str], *, on: bool, asked_ms: Mapping[str, int] = NOW) -> Listed:
        self._check()
        now = self._now_ms()
        told = {self.mark(one): asked_ms.get(one, 0) for one in identities}
        asked = {mark: min(at or now, now) for mark, at in told.items()}
        if not on:
            for mark in asked:
                self._who.pop(mark, None)
                self._lifted[mark] = now
                self.lines.append((mark, False))
            return Listed(len(asked), len(self._who))
        valid = {mark: at for mark, at in asked.items() if not 0 < told[mark] <= self._lifted.get(mark, -1)}
        fresh = valid.keys() - self._who.keys()
        if len(self._who) + len(fresh) > self._most:
            raise StoreUnavailable(StoreTrouble.SUPPRESSED_FULL, f"{len(self._who)} of {self._most}")
        for mark, at in valid.items():
            if mark in fresh or at - self._who[mark] >= DAY_MS:
                self._who[mark] = now
                self._lifted.pop(mark, None)
                self.lines.append((mark, True))
        return Listed(len(fresh), len(self._who))

    async def since(self, after: str) -> Changes:
        self._check()
        self.asked += 1
        start = int(after or 0)
        page = self.lines[start : start + PAGE]
        return Changes(str(start + len(page)), page, len(page) == PAGE)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
