"""Resolves the root of a mapping for a schema, driven by what the event holds.

Presets are mostly paths and "this path, else that one". Those go into one tree of keys that is walked beside the
event, so that the eighty fields no event has cost nothing. Other members keep their closures. The payload is that of
``compile_root`` but for nulls and for the order of members, which a schema drops and ignores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relay.core.mapping.compiler import Compiler, compile_root
from relay.core.mapping.directives.resolver import Resolver
from relay.core.mapping.paths import Steps
from relay.core.mapping.syntax import directive_keys, is_same, root_of, static_path
from relay.core.mapping.values import JsonObject, exists

Slot = tuple[int, str]  # number of the object (0 is the payload itself) and name of the member


@dataclass(slots=True)
class _Node:
    """What to do with the value under one key: keep it, keep it unless a better one comes, look inside."""

    first: list[Slot] = field(default_factory=list)
    otherwise: list[Slot] = field(default_factory=list)
    inside: dict[str, _Node] = field(default_factory=dict)


class Gather:
    """A compiled root mapping. Call it with an event (an object) to get the payload, unchecked."""

    def __init__(self, mapping: Any) -> None:
        """Raises MappingError with every problem of the mapping."""
        self._exact = compile_root(mapping)
        self._tree = _Node()
        self._literals: JsonObject = {}
        self._boxes: list[str] = [""]
        self._computed: list[tuple[Slot, Resolver]] = []
        root = root_of(mapping)
        self._is_plain = not directive_keys(root)
        for name, member in root.items() if self._is_plain else ():
            self._plan_member(name, member)

    def __call__(self, event: JsonObject) -> Any:
        """The payload; raises MappingError when a directive fails on this event."""
        if not self._is_plain:
            return self._exact(event)
        payload = dict(self._literals)
        boxes: list[JsonObject] = [payload]
        for name in self._boxes[1:]:
            box: JsonObject = {}
            payload[name] = box
            boxes.append(box)
        spare: dict[Slot, Any] = {}
        if not _collect(event, self._tree.inside, boxes, spare):
            return self._exact(event)
        for (number, name), value in spare.items():
            boxes[number].setdefault(name, value)
        for (number, name), resolve in self._computed:
            value = resolve(event)
            if exists(value):
                boxes[number][name] = value
        return payload

    def _plan_member(self, name: str, member: Any) -> None:
        """A plain object becomes a box of its own; lists and everything inside boxes are plain values."""
        if type(member) is dict and not directive_keys(member):
            self._boxes.append(name)
            for inner, value in member.items():
                self._plan_value((len(self._boxes) - 1, inner), value)
        elif type(member) in {str, int, float, bool}:
            self._literals[name] = member
        else:
            self._plan_value((0, name), member)

    def _plan_value(self, slot: Slot, member: Any) -> None:
        steps = static_path(member)
        if steps:
            self._node(steps).first.append(slot)
            return
        pair = _first_existing(member)
        if pair:
            self._node(pair[0]).first.append(slot)
            self._node(pair[1]).otherwise.append(slot)
            return
        self._computed.append((slot, Compiler().value(member)))

    def _node(self, steps: Steps) -> _Node:
        node = self._tree
        for step in steps:
            node = node.inside.setdefault(step, _Node())
        return node


def _first_existing(member: Any) -> tuple[Steps, Steps] | None:
    """The two paths of ``{"@if": {"exists": A, "then": A, "else": B}}``."""
    if type(member) is not dict or list(member) != ["@if"] or type(member["@if"]) is not dict:
        return None
    options = member["@if"]
    first, otherwise = static_path(options.get("then")), static_path(options.get("else"))
    if first and otherwise and is_same(options.get("exists"), options["then"]):
        return first, otherwise
    return None


def _collect(node: JsonObject, keys: dict[str, _Node], boxes: list[JsonObject], spare: dict[Slot, Any]) -> bool:
    """Walk the smaller of event and mapping. False when a text, list or number stands where an object belongs.

    Nulls are skipped: for a schema they are as absent as missing members, and "else" is asked either way.
    """
    for key in node if len(node) < len(keys) else keys:
        wanted = keys.get(key)
        if wanted is None or (value := node.get(key)) is None:
            continue
        for number, name in wanted.first:
            boxes[number][name] = value
        for slot in wanted.otherwise:
            spare[slot] = value
        if wanted.inside and (type(value) is not dict or not _collect(value, wanted.inside, boxes, spare)):
            return False
    return True
