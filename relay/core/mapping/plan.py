"""Where each field of a payload comes from: what ``generate`` needs to know of a mapping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relay.core.mapping.budget import Budget
from relay.core.mapping.compiler import Compiler
from relay.core.mapping.directives.resolver import Receipt, Resolver
from relay.core.mapping.paths import Steps, parse_path
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import Schema
from relay.core.mapping.syntax import MAX_DEPTH, directive_keys, is_same, static_path
from relay.core.mapping.values import JsonObject


@dataclass(frozen=True, slots=True)
class Paths:
    """A value at a path or, when that does not exist, at another one."""

    first: Steps
    otherwise: Steps = ()


@dataclass(frozen=True, slots=True)
class Shaped:
    """A list at a path whose objects are renamed member by member: (name in the payload, key in the event)."""

    root: Steps
    members: tuple[tuple[str, str], ...]
    resolve: Resolver  # the same as a closure, for lists that hold anything but objects


Source = Paths | Shaped | Resolver


def may_list_nothing(source: Source | None) -> bool:
    """Whether a value may be ``[undefined]``: only a directive inside a list makes that, no event holds it."""
    return source is not None and not isinstance(source, Paths | Shaped)


@dataclass(slots=True)
class Plan:
    """``fixed`` is the same for every event; ``boxes`` are object fields with members of their own.

    ``budget`` is what all closures of the plan spend of.
    """

    fixed: JsonObject = field(default_factory=dict)
    fields: dict[str, Source] = field(default_factory=dict)
    boxes: dict[str, dict[str, Source]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)

    @property
    def has_closures(self) -> bool:
        """Whether some value is neither at a path nor in a list at one."""
        members = (member for box in self.boxes.values() for member in box.values())
        return not all(isinstance(source, Paths | Shaped) for source in (*self.fields.values(), *members))


def plan_of(root: JsonObject, schema: Schema, receipt: Receipt) -> Plan | None:
    """None for a mapping that is a directive as a whole, or wrong for every event."""
    if directive_keys(root):
        return None
    plan, findings = Plan(), Findings()
    compiler = Compiler(receipt, plan.budget)
    for name, member in root.items():
        if schema.is_record(name) and type(member) is dict and not directive_keys(member):
            plan.fixed[name] = {}  # a plain object is there even when nothing fills it
            plan.boxes[name] = {inner: _source(value, compiler) for inner, value in member.items()}
        elif type(member) in {str, int, float, bool}:
            schema.filler(name)(member, plan.fixed, findings)
        else:
            plan.fields[name] = _source(member, compiler)
    return None if findings.problems or findings.infinite else plan


def _source(member: Any, compiler: Compiler) -> Source:
    steps = _path(member)
    return Paths(steps) if steps else _first_existing(member) or _shaped(member, compiler) or compiler.value(member)


def _path(member: Any) -> Steps | None:
    """Steps of a path that leads to somewhere: no event is accepted that nests as deeply as the others."""
    steps = static_path(member)
    return steps if steps and len(steps) <= MAX_DEPTH else None


def _argument(member: Any, name: str, kind: type) -> Any:
    """The argument of a directive written alone; None for everything else."""
    if type(member) is dict and list(member) == [name] and type(member[name]) is kind:
        return member[name]
    return None


def _first_existing(member: Any) -> Paths | None:
    """``{"@if": {"exists": A, "then": A, "else": B}}`` of two paths."""
    options = _argument(member, "@if", dict)
    if options is None:
        return None
    first, otherwise = _path(options.get("then")), _path(options.get("else"))
    if first and otherwise and is_same(options.get("exists"), options["then"]):
        return Paths(first, otherwise)
    return None


def _shaped(member: Any, compiler: Compiler) -> Shaped | None:
    """``{"@arrayPath": ["$.a.list", {"name": {"@path": "$.key"}, …}]}``."""
    arguments = _argument(member, "@arrayPath", list)
    if arguments is None or len(arguments) != 2 or type(arguments[0]) is not str or type(arguments[1]) is not dict:
        return None
    root, paths = parse_path(arguments[0]), {name: static_path(value) for name, value in arguments[1].items()}
    members = tuple((name, steps[0]) for name, steps in paths.items() if steps and len(steps) == 1)
    if not 1 <= len(root) <= MAX_DEPTH or not members or len(members) != len(paths):
        return None
    return Shaped(root, members, compiler.value(member))
