"""Directives that decide whether a value is there: @if, @excludeWhenNull."""

from __future__ import annotations

from typing import Any

from relay.core.mapping.budget import Budget
from relay.core.mapping.directives.resolver import Compile, Resolver, constant, failing
from relay.core.mapping.syntax import is_same
from relay.core.mapping.values import UNDEFINED, exists, is_falsy, kind_of, text_of_value, without_undefined


def condition(argument: Any, compiler: Compile) -> Resolver:
    """``then`` or ``else``, by whether ``exists`` exists or, without that key, whether ``blank`` is not blank."""
    if type(argument) is not dict:
        return failing('@if requires an object with an "exists" key')
    # As written, not as resolved: `exists: ""` asks nothing.
    if is_falsy(argument.get("exists")) and is_falsy(argument.get("blank")):
        return failing('@if requires an "exists" key or a "blank" key')
    then = compiler.value(argument["then"]) if "then" in argument else constant(UNDEFINED)
    otherwise = constant(UNDEFINED) if is_falsy(argument.get("else")) else compiler.value(argument["else"])
    if "exists" not in argument:
        return _unless_blank(compiler.value(argument["blank"]), then, otherwise, compiler.budget)
    if is_same(argument["exists"], argument.get("then")):
        return _first_existing(then, otherwise)
    return _if_exists(compiler.value(argument["exists"]), then, otherwise)


def _first_existing(first: Resolver, otherwise: Resolver) -> Resolver:
    """What presets say with ``exists`` and ``then`` alike: this, else that; looked up once."""

    def resolve(payload: Any) -> Any:
        value = first(payload)
        return value if exists(value) else otherwise(payload)

    return resolve


def _if_exists(subject: Resolver, then: Resolver, otherwise: Resolver) -> Resolver:
    return lambda payload: then(payload) if exists(subject(payload)) else otherwise(payload)


def _unless_blank(subject: Resolver, then: Resolver, otherwise: Resolver, budget: Budget) -> Resolver:
    def resolve(payload: Any) -> Any:
        value = subject(payload)
        budget.spend_on(value)
        return otherwise(payload) if _is_blank(value) else then(payload)

    return resolve


def _is_blank(value: Any) -> bool:
    """Missing, or loosely equal to the empty text: 0, false and lists whose text is empty are."""
    kind = kind_of(value)
    if kind in {"array", "object"}:
        return text_of_value(value) == ""
    return not exists(value) or (kind in {"string", "number", "boolean"} and value in {"", 0})


def exclude_when_null(argument: Any, compiler: Compile) -> Resolver:
    """Nulls removed from the value and from its objects, not from lists."""
    resolve, budget = compiler.value(argument), compiler.budget

    def resolved(payload: Any) -> Any:
        found = resolve(payload)
        budget.spend_on(found)
        value = _null_as_undefined(found)
        return value if compiler.keeps else without_undefined(value)

    return resolved


def _null_as_undefined(value: Any) -> Any:
    """Undefined rather than gone: @merge lets such a member win."""
    if type(value) is dict:
        return {key: _null_as_undefined(member) for key, member in value.items()}
    return UNDEFINED if value is None else value
