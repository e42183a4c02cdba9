"""Segment's own TikTok destination, as far as a standby needs one: it sends the same events, and can lose some."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from relay.cli.drilling.expected import mapped
from relay.cli.drilling.ledger import Counted
from relay.cli.drilling.stage import PIXEL, TOKENS, Stage
from relay.core.event import JsonObject
from relay.simulator.server import TRACK

CALL_EVERY = 0.1
MOST_ITEMS = 1_000


@dataclass(slots=True)
class Primary:
    """Takes every event that Segment has, and calls TikTok ten times a second with what has gathered.

    While ``losing``, half of the events are never sent, and nobody is told: what an unread error code does there.
    """

    stage: Stage
    losing: bool = False
    lost: set[Counted] = field(default_factory=set)
    _waiting: list[JsonObject] = field(default_factory=list)
    _dice: random.Random = field(default_factory=lambda: random.Random(11))  # noqa: S311 - the same play every time

    def take(self, event: JsonObject) -> None:
        """One event from Segment."""
        items = [item for item in mapped(event) if item.data is not None]
        if self.losing and self._dice.random() < 0.5:
            self.lost |= {Counted(item.event, str(item.data["event_id"])) for item in items if item.data}
        else:
            self._waiting += [item.data for item in items if item.data]

    async def run(self, over: asyncio.Event) -> None:
        """Until it is over and everything was sent."""
        while self._waiting or not over.is_set():
            await asyncio.sleep(CALL_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Send what has gathered."""
        data, self._waiting = self._waiting[:MOST_ITEMS], self._waiting[MOST_ITEMS:]
        if data:
            body = {"event_source": "web", "event_source_id": PIXEL, "data": data}
            token = {"Access-Token": TOKENS[0]}
            async with self.stage.session.post(f"{self.stage.tiktok}{TRACK}", json=body, headers=token) as answer:
                await answer.read()
