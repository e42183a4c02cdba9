"""What TikTok must count for an event: the presets' own answer, asked without a relay in between."""

from __future__ import annotations

import time
from functools import cache

from relay.cli.drilling.ledger import Counted
from relay.core.event import JsonObject
from relay.core.mapping import compile_destination, load_presets
from relay.core.mapping.destination import DestinationMapping, Item

PRESET = "tiktok-conversions"


@cache
def presets() -> DestinationMapping:
    """Compiled once."""
    return compile_destination(PRESET, "any", load_presets(PRESET))


def mapped(event: JsonObject) -> list[Item]:
    """An item, or why there is none, for each subscription that matches."""
    return presets().items(event, time.time_ns() // 1_000_000_000)


def wanted_by_presets(event: JsonObject) -> list[Counted]:
    """TikTok's event name and event_id for each subscription that matches and can be mapped."""
    return [Counted(item.event, str(item.data["event_id"])) for item in mapped(event) if item.data is not None]
