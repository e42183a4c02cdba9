"""The whole repair of one event for one subscription: unfold lists, map, mend fields, check and build again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from relay.core.mapping.budget import Budget
from relay.core.mapping.compiler import compile_root
from relay.core.mapping.directives.resolver import Receipt
from relay.core.mapping.errors import MappingError
from relay.core.mapping.repair.fields import compile_fields
from relay.core.mapping.repair.products import list_roots, unfold
from relay.core.mapping.repair.rules import Repair, Rule, Stage
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import Schema
from relay.core.mapping.syntax import root_of
from relay.core.mapping.values import JsonObject
from relay.core.tiktok.fields.field import Kind
from relay.core.tiktok.items import Builder, Built

_UNFOLDED = Repair(Rule.PRODUCTS, "Contents")
_NO_AUDIENCE = Repair(Rule.AUDIENCE, "")
_BEYOND_REPAIR = frozenset({"trigger", "hopeless"})
Admit = Callable[[Any, Findings], JsonObject]


class Mended(NamedTuple):
    """An item that Segment would not have sent, and what was done for it."""

    built: Built
    repairs: tuple[Repair, ...]


# (event, now in whole seconds, where Segment stumbled) → a valid item, or None
Mend = Callable[[JsonObject, int, Stage], Mended | None]


def compile_mend(mapping: Any, schema: Schema, build: Builder) -> Mend:
    """For events that the subscription of this mapping rejects. Raises MappingError for an invalid mapping."""
    receipt, budget = Receipt(), Budget()
    resolve, mend_fields = compile_root(mapping, receipt, budget), compile_fields(schema.fields)
    lists = frozenset(field.name for field in schema.fields if field.many and field.kind is Kind.OBJECT)
    roots = list_roots(root_of(mapping), lists)

    def mend(event: JsonObject, now: int, stage: Stage) -> Mended | None:
        if stage in _BEYOND_REPAIR:
            return None
        receipt.at_ms = now * 1000
        budget.renew()
        unfolded = unfold(event, roots)
        done = [_UNFOLDED] if unfolded is not event else []
        if stage == "build" and not done:
            return None  # no value is wrong, so there is nothing to read once more
        try:
            payload = resolve(unfolded)
        except (MappingError, RecursionError):
            return None
        if type(payload) is dict:
            payload = mend_fields(payload, done)
            done += [_NO_AUDIENCE] if stage == "audience" else []
        return _rebuilt(schema.admit, build, payload, now, done) if done else None

    return mend


def _rebuilt(admit: Admit, build: Builder, payload: Any, now: int, repairs: Sequence[Repair]) -> Mended | None:
    findings = Findings()
    admitted = admit(payload, findings)
    if findings.problems or findings.infinite:
        return None
    built = build(admitted, now)
    if not isinstance(built, Built) or built.item["event_time"] is None:
        return None
    return Mended(built, tuple(dict.fromkeys(repairs)))
