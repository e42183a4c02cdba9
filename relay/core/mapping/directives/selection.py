"""Directives that pick a part of the payload: @path, @literal, @arrayPath."""

from __future__ import annotations

from typing import Any

from relay.core.mapping.budget import ITEM
from relay.core.mapping.directives.resolver import Compile, Resolver, failing
from relay.core.mapping.errors import MappingError
from relay.core.mapping.paths import Steps, parse_path, walk
from relay.core.mapping.values import kind_of


def path(argument: Any, compiler: Compile) -> Resolver:
    """The value at a path; the path itself may be computed."""
    if type(argument) is str:
        return at(parse_path(argument))
    resolve = compiler.value(argument)

    def computed(payload: Any) -> Any:
        text = resolve(payload)
        if type(text) is not str:
            raise MappingError([f"@path: expected string, got {kind_of(text)}"])
        return walk(payload, parse_path(text))

    return computed


def at(steps: Steps) -> Resolver:
    """The value at these steps."""
    return lambda payload: walk(payload, steps)


def literal(argument: Any, compiler: Compile) -> Resolver:
    """Directives inside a literal are executed; only placeholders in its strings are not."""
    return compiler.value(argument)


def array_path(argument: Any, compiler: Compile) -> Resolver:
    """A list of shaped items from a list or a single object; anything else unchanged."""
    if type(argument) is not list:
        return failing(f"@arrayPath expected array, got {kind_of(argument)}")
    first, shape = (*argument, None, None)[:2]
    # A missing first element resolves to undefined; so does null to null, which ends the same way.
    root = at(parse_path(first)) if type(first) is str else compiler.value(first)
    if type(shape) is not dict or not shape:
        return root
    shaped, budget, computed = compiler.value(shape), compiler.budget, type(first) is not str

    def items(payload: Any) -> Any:
        value = root(payload)
        if computed:  # items made of items made of items may repeat one event more often than can be walked through
            budget.spend_on(value)
        if type(value) is list:
            budget.spend(ITEM * len(value))
            return [shaped(item) for item in value]
        return [shaped(value)] if type(value) is dict else value

    return items
