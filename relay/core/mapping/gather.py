"""Mapping and schema of one subscription in one pass.

Presets are mostly paths and "this path, else that one": those become straight lines of Python (see ``generate``);
other members keep their closures. A mapping that is a directive as a whole, and an event on which a directive fails, go
the plain way: resolve all, then check in order. The plain way is also what the quick one is tested against.
"""

from __future__ import annotations

from typing import Any

from relay.core.mapping.budget import Budget
from relay.core.mapping.compiler import compile_root
from relay.core.mapping.directives.resolver import Receipt
from relay.core.mapping.generate import Gather, written
from relay.core.mapping.plan import plan_of
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import Schema
from relay.core.mapping.syntax import root_of
from relay.core.mapping.values import JsonObject


def compile_gather(mapping: Any, schema: Schema, receipt: Receipt) -> Gather:
    """The quick way where the mapping allows it. Raises MappingError with every problem of the mapping."""
    plainly = compile_plain_gather(mapping, schema, receipt)
    plan = plan_of(root_of(mapping), schema, receipt)
    if plan is None:
        return plainly

    def again(event: JsonObject, findings: Findings) -> JsonObject:
        findings.problems.clear()
        findings.infinite.clear()
        return plainly(event, findings)

    return written(plan, schema, again)


def compile_plain_gather(mapping: Any, schema: Schema, receipt: Receipt) -> Gather:
    """Resolve everything, then check it in order."""
    budget, admit = Budget(), schema.admit
    resolve = compile_root(mapping, receipt, budget)

    def gather(event: JsonObject, findings: Findings) -> JsonObject:
        budget.renew()
        return admit(resolve(event), findings)

    return gather
