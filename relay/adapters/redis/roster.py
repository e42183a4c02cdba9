"""Which replicas deliver: a sorted set of names by their last word."""

from __future__ import annotations

from relay.adapters.redis import keys
from relay.adapters.redis.connect import Client

GONE_MS = 10_000
"""Ten words missed: a process that hangs for a moment keeps its share, one that was killed does not keep it long."""


class RedisRoster:
    """See ``ports.Roster``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def announce(self, replica: str) -> int:
        """See ``ports.Roster.announce``."""
        return int(await self._client.script("roster", [keys.roster()], [replica, GONE_MS]))

    async def leave(self, replica: str) -> None:
        """See ``ports.Roster.leave``."""
        await self._client.run("ZREM", keys.roster(), replica)
