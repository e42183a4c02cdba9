"""Segment's mapping language and its TikTok destinations: from an event to Segment's own request. Pure.

The stable names are here; each stage has its file: ``trigger`` (does the subscription want the event), ``compiler``
and ``directives`` (resolve the mapping), ``liquid`` (its templates), ``gather`` (resolving, driven by what the event
holds), ``schema`` (coerce and validate), ``relay.core.tiktok.items`` (build), ``destination`` (all subscriptions of
one destination).
"""

from __future__ import annotations

from relay.core.mapping.compiler import compile_mapping
from relay.core.mapping.destination import DestinationMapping, Item, compile_destination
from relay.core.mapping.errors import MappingError, TriggerError
from relay.core.mapping.presets import load_presets
from relay.core.mapping.subscription import Rejected, Request, compile_subscription
from relay.core.mapping.trigger import compile_trigger
from relay.core.mapping.values import UNDEFINED

__all__ = [
    "UNDEFINED",
    "DestinationMapping",
    "Item",
    "MappingError",
    "Rejected",
    "Request",
    "TriggerError",
    "compile_destination",
    "compile_mapping",
    "compile_subscription",
    "compile_trigger",
    "load_presets",
]
