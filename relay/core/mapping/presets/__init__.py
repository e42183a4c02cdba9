"""Segment's own presets, as data in Segment's mapping language. The files are part of the code, read once."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def load_presets(slug: str) -> list[dict[str, Any]]:
    """Subscriptions ``{"name", "partnerAction", "subscribe", "mapping"}`` in Segment's order; a fresh copy each call.

    Raises KeyError for an unknown slug.
    """
    if slug not in SLUGS:
        raise KeyError(slug)
    presets: list[dict[str, Any]] = json.loads(files(__name__).joinpath(f"{slug}.json").read_text("utf-8"))
    return presets


SLUGS = ("tiktok-conversions", "tiktok-app-events", "tiktok-offline-conversions")
