"""The directives of Segment's mapping language, one registry: how an argument is validated and how it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.core.mapping import validation as rule
from relay.core.mapping.directives import choice, combination, selection, text
from relay.core.mapping.directives.liquid import liquid
from relay.core.mapping.directives.resolver import Compile, Resolver


@dataclass(frozen=True, slots=True)
class Directive:
    """``validate`` finds every problem of an argument as written; ``compile`` turns it into a function of the event."""

    validate: rule.Rule
    compile: Callable[[Any, Compile], Resolver]


_REPLACE_FIELDS = ("pattern", "replacement", "value", "ignorecase", "global")

DIRECTIVES: dict[str, Directive] = {
    "@path": Directive(rule.string_or_directive, selection.path),
    "@template": Directive(rule.string_or_directive, text.template),
    "@literal": Directive(rule.anything, selection.literal),
    "@arrayPath": Directive(rule.array_path, selection.array_path),
    "@liquid": Directive(rule.string, liquid),
    "@excludeWhenNull": Directive(rule.anything, choice.exclude_when_null),
    "@if": Directive(
        rule.fields({}, {"exists": rule.anything, "then": rule.anything, "else": rule.anything}), choice.condition
    ),
    "@case": Directive(rule.fields({}, {"operator": rule.string, "value": rule.string_or_directive}), text.case),
    "@replace": Directive(
        rule.fields(
            {"pattern": rule.string_of_length(1, 10), "value": rule.string_or_directive},
            {"replacement": rule.string_of_length(0, 10), "ignorecase": rule.boolean, "global": rule.boolean},
            order=_REPLACE_FIELDS,
        ),
        text.replace,
    ),
    "@flatten": Directive(
        rule.fields({"value": rule.anything}, {"separator": rule.string}, order=("separator", "value")),
        combination.flatten,
    ),
    "@json": Directive(
        rule.fields({"value": rule.anything, "mode": rule.one_of(("encode", "decode"))}, {}), combination.json_text
    ),
    "@merge": Directive(rule.merge, combination.merge),
    "@transform": Directive(
        rule.fields({"apply": rule.object_or_directive, "mapping": rule.object_or_directive}, {}),
        combination.transform,
    ),
}

RULES = {name: directive.validate for name, directive in DIRECTIVES.items()}
