"""A relay that forgets what it has seen: the negative control of the drill. Started as ``relay serve`` would be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from relay.adapters.redis.inbox import RedisInbox
from relay.cli import main
from relay.core.event import NewEntry, Reject

append = RedisInbox.append
number = itertools.count()


async def forgetful(self: RedisInbox, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
    """Every arrival looks like a new event to the store; the event itself stays as it is."""
    return await append(
        self, [entry._replace(event_id=f"{entry.event_id}#{next(number)}") for entry in entries], rejects
    )


if __name__ == "__main__":
    RedisInbox.append = forgetful  # type: ignore[method-assign]
    main(["serve"])
