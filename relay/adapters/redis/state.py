"""Whether the store can take entries right now, kept fresh by a small supervisor, so that intake answers at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from relay.adapters.redis.connect import Client
from relay.adapters.redis.options import StoreOptions
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.notices import StoreLost, StoreRestored
from relay.ports import Clock, Tell

SHARE_OF_SERVER = 0.8
"""What the journal takes of the server's memory at most: buffers, rewrites and scripts need the rest."""
LOADED = re.compile(r"loading (\d{1,3} %)")
EVERY_S = 1.0
EVERY_S_IN_TROUBLE = 0.2


class StoreState:
    """``trouble`` is None when entries are taken; ``detail`` says more, for example ``loading 40 %``."""

    def __init__(self, options: StoreOptions) -> None:
        self._options = options
        self.trouble: StoreTrouble | None = None
        self.detail = ""
        self.watched = False
        self._yields = options.sheds or options.archive  # something is given up before intake stops
        self._over = False  # between the watermarks: above the high one not long ago
        self._bare = False  # over, and shedding has come to its end
        self.nothing_to_shed = False  # to be judged with the next look: what was shed before that shows in it
        self.room_bytes = 0  # what the server may use when it is at the low watermark

    def admit(self) -> None:
        """StoreUnavailable when it is known that the store takes nothing. Unwatched, nothing is known.

        The disk is asked each time: between two looks a fast sender could write right through the floor.
        """
        if low := self._options.disk_low():
            raise StoreUnavailable(StoreTrouble.DISK_LOW, low)
        if self.watched and self.trouble is not None:
            raise StoreUnavailable(self.trouble, self.detail)

    @property
    def reason(self) -> str:
        """``trouble`` for everybody: its name and, while loading, how far that is. ``detail`` may say where it is."""
        if self.trouble is None:
            return ""
        far = LOADED.fullmatch(self.detail) if self.trouble is StoreTrouble.LOADING else None
        return f"{self.trouble.value} {far[1]}" if far else self.trouble.value

    @property
    def archives(self) -> bool:
        """Whether what ends goes to the archive: not while there is no room for what is owed."""
        return self._options.archive and not self._over

    @property
    def over(self) -> bool:
        """Above the high watermark, and not below the low one since."""
        return self._over

    def limit_bytes(self, server_limit: int) -> int:
        """What the journal may take; 0 when nobody set a limit."""
        limits = (self._options.max_bytes or 0, int(server_limit * SHARE_OF_SERVER))
        return min((limit for limit in limits if limit), default=0)

    def read(self, info: dict[str, Any]) -> tuple[StoreTrouble | None, str]:
        """What the server's own figures say, the worst first."""
        if info.get("loading"):
            return StoreTrouble.LOADING, f"loading {float(info.get('loading_loaded_perc', 0)):.0f} %"
        if info.get("role") == "slave":
            return StoreTrouble.READ_ONLY, "this server is a replica"
        if low := self._options.disk_low():
            return StoreTrouble.DISK_LOW, low
        if info.get("aof_last_write_status") == "err":
            return StoreTrouble.DISK_LOW, "the server cannot write its append-only file"
        if self._options.replicas > int(info.get("connected_slaves", 0)):
            return StoreTrouble.REPLICAS, f"{info.get('connected_slaves', 0)} of {self._options.replicas} connected"
        return self._fullness(info)

    def _fullness(self, info: dict[str, Any]) -> tuple[StoreTrouble | None, str]:
        """Two watermarks: a single one would flap at the rate of the look.

        Where the archive or entries are given up instead, intake is stopped only when nothing of it is left or the
        store fills up faster: when it is as far above the high watermark as the low one is below.
        """
        used, server_limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
        limit = self.limit_bytes(server_limit)
        share, low, high = used / limit if limit else 0.0, self._options.low, self._options.high
        was_over = self._over
        self._over, self.room_bytes = share > (low if self._over else high), max(1, int(limit * low))
        self._judge_shedding(share, was_over=was_over)
        if server_limit and used - int(info.get("mem_not_counted_for_evict", 0)) > server_limit:
            return StoreTrouble.FULL, f"{used:,} of {server_limit:,} bytes"
        if not self._over or (self._yields and not self._bare and share <= 2 * high - low):
            return None, ""
        bare = ", and no engagement is left to shed" if self._bare and self._options.sheds else ""
        return StoreTrouble.OVER_LIMIT, f"{share:.0%} of {limit:,} bytes{bare}"

    def _judge_shedding(self, share: float, *, was_over: bool) -> None:
        """Nothing left: below the high watermark all is well, from there on it is as if nothing was ever shed."""
        if self._yields and was_over and self._over and self.nothing_to_shed and not self._bare:
            self._over = self._bare = share > self._options.high
        self._bare = self._bare and self._over
        self.nothing_to_shed = False


class Watch:
    """The supervisor: looks every second, five times as often in trouble, and tells when it begins and ends."""

    def __init__(
        self, client: Client, state: StoreState, clock: Clock, tell: Tell, verify: Callable[[], Awaitable[None]]
    ) -> None:
        self._client, self._state, self._clock, self._tell, self._verify = client, state, clock, tell, verify
        self._since: float | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until stopped. StoreMismatch when the store turns out to be somebody else's."""
        self._state.watched = True
        try:
            while not stopping.is_set():
                await self.look()
                with suppress(TimeoutError):
                    hurried = self._state.trouble or self._state.over
                    await asyncio.wait_for(stopping.wait(), EVERY_S_IN_TROUBLE if hurried else EVERY_S)
        finally:
            self._state.watched = False

    async def look(self) -> None:
        """Ask once and say what changed."""
        try:
            trouble, detail = self._state.read(await self._client.run("INFO"))
            if trouble is not StoreTrouble.LOADING:
                await self._verify()
        except StoreUnavailable as exc:
            trouble, detail = exc.trouble, exc.detail
        except StoreMisused as exc:  # its description is damaged, or a proxy answers in its place
            trouble, detail = StoreTrouble.AWAY, f"it refused: {exc}"
        before, self._state.trouble, self._state.detail = self._state.trouble, trouble, detail
        if trouble is not None and trouble is not before:
            self._since = self._since if self._since is not None else self._clock.monotonic()
            self._tell(StoreLost(trouble.value, detail))
        if trouble is None and self._since is not None:
            self._tell(StoreRestored(self._clock.monotonic() - self._since))
            self._since = None
