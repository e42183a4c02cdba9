"""The other way to run a mapping: walk it anew for every event, as Segment does. What compiling is measured against.

Knows the directives that Segment's own presets are made of and no others; schema, builder and writer are the relay's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from relay.core.mapping import UNDEFINED, load_presets
from relay.core.mapping.json_text import compact
from relay.core.mapping.paths import parse_path, walk
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.subscription import KITS
from relay.core.mapping.trigger import compile_trigger
from relay.core.mapping.values import exists

_steps = lru_cache(parse_path)  # a walk need not be foolish: paths are read once


class Walker:
    """The presets of one destination."""

    def __init__(self, slug: str) -> None:
        self._kit = KITS[slug]
        self._presets = [(compile_trigger(preset["subscribe"]), preset["mapping"]) for preset in load_presets(slug)]

    def items(self, event: Any, received_s: int) -> list[bytes]:
        """Bodies of the items of one event; those that Segment rejects are left out."""
        bodies = []
        for trigger, mapping in self._presets:
            if trigger(event):
                findings = Findings()
                payload = self._kit.schema.admit(resolved(mapping, event), findings)
                if not findings.problems:
                    built = self._kit.build(payload, received_s)
                    bodies.append(compact(built.item) if hasattr(built, "item") else b"")
        return bodies


def resolved(mapping: Any, payload: Any) -> Any:
    """The value of a mapping."""
    if type(mapping) is list:
        return [resolved(element, payload) for element in mapping]
    if type(mapping) is not dict:
        return mapping
    name = next(iter(mapping), "")
    if name.startswith("@"):
        return directive(name, mapping[name], payload)
    members = {key: resolved(member, payload) for key, member in mapping.items()}
    return {key: value for key, value in members.items() if value is not UNDEFINED}


def directive(name: str, argument: Any, payload: Any) -> Any:
    """The value of a directive."""
    match name:
        case "@path":
            return walk(payload, _steps(argument))
        case "@if":
            found = exists(resolved(argument["exists"], payload))
            return resolved(argument["then"] if found else argument.get("else", UNDEFINED), payload)
        case "@arrayPath":
            root, shape = resolved({"@path": argument[0]}, payload), argument[1]
            if type(root) is list:
                return [resolved(shape, item) for item in root]
            return [resolved(shape, root)] if type(root) is dict else root
    raise NotImplementedError(name)
