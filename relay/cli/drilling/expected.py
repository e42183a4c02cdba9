"""What TikTok must count for an event: the presets' own answer, asked without a relay in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from relay.cli.drilling.ledger import Counted
from relay.core.event import JsonObject
from relay.core.mapping import compile_destination, load_presets

PRESET = "tiktok-conversions"


def wanted_by_presets() -> Callable[[JsonObject], list[Counted]]:
    """Event → (TikTok's event name, event_id) for each subscription that matches it and can be mapped."""
    mapping = compile_destination(PRESET, "any", load_presets(PRESET))

    def wanted(event: JsonObject) -> list[Counted]:
        items = mapping.items(event, time.time_ns() // 1_000_000_000)
        return [Counted(item.event, str(item.data["event_id"])) for item in items if item.data is not None]

    return wanted
