"""Mapping and schema of one subscription in one pass.

Presets are mostly paths and "this path, else that one": those become straight lines of Python (see ``generate``);
other members keep their closures. Whatever is odd in an event (a text where an object belongs, a missing or refused
value) is done again the plain way: resolve all, then check in order. So the quick way must be right only where
nothing is odd.
"""

from __future__ import annotations

from typing import Any

from relay.core.mapping.compiler import compile_root
from relay.core.mapping.generate import Quick, written
from relay.core.mapping.plan import plan_of
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import Schema
from relay.core.mapping.syntax import root_of
from relay.core.mapping.values import JsonObject


class Gather:
    """A compiled root mapping and the schema of its destination."""

    def __init__(self, mapping: Any, schema: Schema) -> None:
        """Raises MappingError with every problem of the mapping."""
        self._exact = compile_root(mapping)
        self._schema = schema
        plan = plan_of(root_of(mapping), schema)
        self._quick: Quick | None = written(plan, schema) if plan else None

    def __call__(self, event: JsonObject, findings: Findings) -> JsonObject:
        """The payload as the destination takes it. Raises MappingError when a directive fails on this event."""
        if self._quick is not None:
            payload = self._quick(event, findings)
            if payload is not None and not findings.problems:
                return payload
            findings.problems.clear()
            findings.infinite.clear()
        return self.plainly(event, findings)

    def plainly(self, event: JsonObject, findings: Findings) -> JsonObject:
        """The same without the quick way."""
        return self._schema.admit(self._exact(event), findings)
