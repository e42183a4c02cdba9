"""Compiles a mapping to closures, once; nothing of the mapping is looked at again while events pass."""

from __future__ import annotations

from typing import Any, Protocol

from relay.core.javascript.dates import epoch_milliseconds
from relay.core.mapping.budget import Budget
from relay.core.mapping.directives import DIRECTIVES, RULES
from relay.core.mapping.directives.resolver import Receipt, Resolver, constant, failing
from relay.core.mapping.errors import MappingError
from relay.core.mapping.paths import Steps, walk
from relay.core.mapping.syntax import demand_bounded, directive_keys, is_directive, root_of, static_path
from relay.core.mapping.validation import Checker
from relay.core.mapping.values import UNDEFINED, JsonObject, in_key_order, kind_of


class Compiler:
    """Compiles values. With ``keeps``, objects keep undefined members until @merge or @flatten has seen them."""

    def __init__(self, receipt: Receipt, budget: Budget, *, keeps: bool = False) -> None:
        self.receipt = receipt
        self.budget = budget
        self.keeps = keeps

    def keeping(self) -> Compiler:
        """A compiler for the operands of @merge and @flatten."""
        return self if self.keeps else Compiler(self.receipt, self.budget, keeps=True)

    def value(self, mapping: Any) -> Resolver:
        """Any mapping: directive, plain object, list, or a literal value."""
        if type(mapping) is list:
            elements = [self.value(element) for element in mapping]
            return lambda payload: [resolve(payload) for resolve in elements]
        if type(mapping) is not dict:
            return constant(mapping)
        if not is_directive(mapping):
            return self.object(in_key_order(mapping))
        name = directive_keys(mapping)[0]
        if name not in DIRECTIVES:
            return failing(f"{name} is not a valid directive, got undefined")
        return DIRECTIVES[name].compile(mapping[name], self)

    def object(self, mapping: JsonObject) -> Resolver:
        """A plain object; undefined members are left out."""
        members = [(name, self.value(member)) for name, member in mapping.items()]
        if self.keeps:
            return lambda payload: {name: resolve(payload) for name, resolve in members}

        def resolved(payload: Any) -> JsonObject:
            found = {name: resolve(payload) for name, resolve in members}
            return {name: value for name, value in found.items() if value is not UNDEFINED}

        return _siblings(mapping) or resolved

    def root(self, mapping: Any) -> Resolver:
        """A mapping that stands alone, such as the ``apply`` of @transform."""
        try:
            resolve: Resolver = compile_root(mapping, self.receipt, self.budget)
        except MappingError as problem:
            resolve = failing("\n".join(problem.errors))
        return lambda data: resolve(checked_data(data))


def compile_root(mapping: Any, receipt: Receipt, budget: Budget) -> Resolver:
    """Root key, validation, resolution. Raises MappingError with every problem of the mapping."""
    demand_bounded(mapping)
    root = root_of(mapping)
    problems = Checker(RULES).value(root, ())
    if problems:
        raise MappingError(problems)
    return Compiler(receipt, budget).value(root)


def compile_part(mapping: Any) -> Resolver:
    """One member of a valid mapping on its own."""
    budget = Budget()
    return _renewing(Compiler(Receipt(), budget).value(mapping), budget)


def _renewing(resolve: Resolver, budget: Budget) -> Resolver:
    def resolved(event: Any) -> Any:
        budget.renew()
        return resolve(event)

    return resolved


def checked_data(data: Any) -> Any:
    """The data of a mapping must be an object; missing data is an empty one."""
    if data is UNDEFINED:
        return {}
    if type(data) is not dict:
        raise MappingError([f"data must be an object, got {kind_of(data)}"])
    return data


class CompiledMapping(Protocol):
    """A mapping as a function of the event and, for templates that ask for it, of the time of its receipt."""

    def __call__(self, event: Any, now_ms: int | None = None) -> Any:
        """``now_ms`` is in milliseconds; None is the event's own ``receivedAt``, without which "now" is no date."""
        ...


def compile_mapping(mapping: Any) -> CompiledMapping:
    """Segment's mapping as a function of the event, its members without undefined ones.

    Raises MappingError now for an invalid mapping, and later for a directive that fails on an event.
    """
    receipt, budget = Receipt(), Budget()
    resolve = _renewing(compile_root(mapping, receipt, budget), budget)

    def run(event: Any, now_ms: int | None = None) -> Any:
        receipt.at_ms = _received(event) if now_ms is None else now_ms
        try:
            return resolve(checked_data(event))
        except RecursionError:
            # Only an event that nests some hundred levels deep gets here; the stack is intact again.
            raise MappingError(["the event nests too deeply for this mapping"]) from None

    return run


def _received(event: Any) -> int | None:
    found = event.get("receivedAt") if type(event) is dict else None
    return epoch_milliseconds(found) if type(found) is str else None


def _siblings(mapping: JsonObject) -> Resolver | None:
    """An object of paths with one parent, as in presets: the parent is looked up once."""
    paths = {name: static_path(member) for name, member in mapping.items()}
    steps = [path for path in paths.values() if path]
    if not steps or len(steps) != len(paths) or len({path[:-1] for path in steps}) != 1:
        return None
    parent: Steps = steps[0][:-1]
    pairs = [(name, path[-1]) for name, path in zip(paths, steps, strict=True)]

    def resolved(payload: Any) -> Any:
        found = walk(payload, parent) if parent else payload
        if type(found) is dict:
            return {name: found[key] for name, key in pairs if key in found}
        return {name: value for name, key in pairs if (value := walk(found, (key,))) is not UNDEFINED}

    return resolved
