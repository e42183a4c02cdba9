"""A world of three destinations: one, two or all of them want an event, and each has its own mode, rules and ills.

The law: what one suffers is nobody else's. While two of them are ill, the third comes to its end, and what arrives
meanwhile is sent within the bound of live conversions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from relay.core.event import EntryClass, NewEntry, StreamKey
from tests.conservation.drain import LIVE_BOUND_S
from tests.conservation.standby import NAME, StandbyWorld

ILLS = ("revoked", "hangs", "slow", "throttled", "maintenance")
RULES: dict[str, dict[str, Any]] = {"a": {}, NAME: {}, "c": {"also_sent_by": "pixel", "max_age_s": 2 * 86_400}}
FRESH_S = 15


@dataclass
class SeveralWorld(StandbyWorld):
    """``a`` is active; ``b`` stands by behind Segment; ``c`` is shared with a pixel and wants nothing old."""

    names = tuple(RULES)
    storm = StandbyWorld.storm | {"wanted by several", "wanted anew", "sent while others were ill"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.happened = Counter[str]()

    def settings(self, name: str) -> dict[str, Any]:
        return super().settings(name) | RULES[name]

    def seen(self) -> Counter[str]:
        return super().seen() + self.happened

    def arrivals(self) -> list[NewEntry]:
        """Who sends an event again may find that another destination wants it by now."""
        again = [entry for _ in range(self.dice.randrange(3)) for entry in self.again()]
        return [one for entry in (*super().arrivals(), *again) for one in self._wanted(entry)]

    def _wanted(self, entry: NewEntry) -> list[NewEntry]:
        first = entry.stream.destination
        others = self.dice.sample([name for name in self.names if name != first], self.dice.choice((0, 0, 1, 2)))
        wanted = [entry, *(entry._replace(stream=StreamKey(name, entry.stream.klass)) for name in others)]
        known = sum((one.stream, one.event_id) in self.received for one in wanted)
        self.happened["wanted by several"] += len(wanted) > 1
        self.happened["wanted anew"] += 0 < known < len(wanted)
        return wanted

    async def heal(self) -> None:
        await self.heal_one()
        await super().heal()

    async def heal_one(self) -> None:
        """One gets well, the others fall ill for good: nothing of that one may wait for them."""
        well = self.dice.choice([name for name in self.names if name != NAME])
        others = [name for name in self.names if name != well]
        for name, ill in zip(others, self.dice.sample(ILLS, len(others)), strict=True):
            self.tiktoks[name].mood = ill
        await self.clear_up([well])
        await self.run_dry([well])
        sent = [await self._send_fresh() for _ in range(FRESH_S)]
        await self.clock.advance(LIVE_BOUND_S)
        await self.check()
        for id_, at in sent:
            arrived = self.tiktoks[well].first.get(f"Purchase/{id_}")
            assert arrived is not None, f"{well} is well, and {id_} waits for those that are not"
            assert arrived - at <= LIVE_BOUND_S * 1000, f"{well} is well, and {id_} took {arrived - at} ms"
        self.happened["sent while others were ill"] += len(sent)

    async def _send_fresh(self) -> tuple[str, int]:
        """One event that all want, a second apart."""
        klass, now = self.dice.choice(list(EntryClass)), self.clock.now_ms()
        self.count += 1
        event = {"id": f"fresh{self.count}", "at": now}
        streams = [StreamKey(name, klass) for name in self.names]
        await self.receive([NewEntry(one, f"fresh{self.count}", orjson.dumps(event), now, "s") for one in streams])
        await self.clock.advance(1)
        return f"fresh{self.count}", now
