"""The document itself, for scripts."""

from __future__ import annotations

import orjson

from relay.core.event import JsonObject


def json(document: JsonObject) -> str:
    """Indented JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
