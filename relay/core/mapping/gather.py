"""Mapping and schema of one subscription in one pass.

Presets are mostly paths and "this path, else that one": those become straight lines of Python (see ``generate``);
other members keep their closures. Whatever is odd in an event (a text where an object belongs, a missing or refused
value) is done again the plain way: resolve all, then check in order. So the quick way must be right only where
nothing is odd.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relay.core.mapping.compiler import Compiler, compile_root
from relay.core.mapping.directives.resolver import Receipt
from relay.core.mapping.generate import written
from relay.core.mapping.plan import plan_of
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import Schema
from relay.core.mapping.syntax import root_of
from relay.core.mapping.values import JsonObject

# From an event to the payload as the destination takes it. Raises MappingError when a directive fails on the event.
Gather = Callable[[JsonObject, Findings], JsonObject]


def compile_gather(mapping: Any, schema: Schema, receipt: Receipt) -> Gather:
    """The quick way where the mapping allows it. Raises MappingError with every problem of the mapping."""
    plainly = compile_plain_gather(mapping, schema, receipt)
    plan = plan_of(root_of(mapping), schema, Compiler(receipt))
    if plan is None:
        return plainly
    quick = written(plan, schema)

    def gather(event: JsonObject, findings: Findings) -> JsonObject:
        payload = quick(event, findings)
        if payload is not None and not findings.problems:
            return payload
        findings.problems.clear()
        findings.infinite.clear()
        return plainly(event, findings)

    return gather


def compile_plain_gather(mapping: Any, schema: Schema, receipt: Receipt) -> Gather:
    """Resolve everything, then check it in order."""
    resolve, admit = compile_root(mapping, receipt), schema.admit
    return lambda event, findings: admit(resolve(event), findings)
