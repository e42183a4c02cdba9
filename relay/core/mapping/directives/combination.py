"""Directives that build or take apart whole values: @flatten, @json, @merge, @transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from relay.core.mapping.budget import ITEM
from relay.core.mapping.directives.resolver import Compile, Resolver, failing
from relay.core.mapping.errors import MappingError
from relay.core.mapping.json_text import decoded, encoded
from relay.core.mapping.values import (
    UNDEFINED,
    JsonObject,
    in_key_order,
    is_falsy,
    kind_of,
    members_of,
    without_undefined,
)


def flatten(argument: Any, compiler: Compile) -> Resolver:
    """Nested members under joined keys."""
    if type(argument) is not dict:
        return failing('@flatten requires an object with a "separator" key')
    if is_falsy(argument.get("separator")):
        return failing('@flatten requires a "separator" key')
    separator = compiler.value(argument["separator"])
    resolve = compiler.keeping().value(argument.get("value", UNDEFINED))
    whole_arrays, budget = not is_falsy(argument.get("omitArrays")), compiler.budget

    def flattened(payload: Any) -> Any:
        joint, value = separator(payload), resolve(payload)
        if type(joint) is not str:
            raise MappingError(["@flatten requires a string separator"])
        budget.spend_on(value)
        found: JsonObject = {}
        for path, member in _leaves(value, "", joint, whole_arrays=whole_arrays):
            budget.spend(len(path))
            found[path] = member
        return found if compiler.keeps else without_undefined(in_key_order(found))

    return flattened


def _leaves(value: Any, prefix: str, joint: str, *, whole_arrays: bool) -> Iterator[tuple[str, Any]]:
    if value is UNDEFINED and not prefix:
        return
    if type(value) is dict or (type(value) is list and not whole_arrays):
        for key, member in members_of(value).items():
            path = f"{prefix}{joint}{key}" if prefix else key
            if type(member) is dict or (type(member) is list and not whole_arrays):
                yield from _leaves(member, path, joint, whole_arrays=whole_arrays)
            else:
                yield path, member
    else:
        yield prefix, value


def json_text(argument: Any, compiler: Compile) -> Resolver:
    """JSON written or read; what is no JSON is returned as it is."""
    if type(argument) is not dict:
        return failing('@json requires an object with a "value" key')
    mode = argument.get("mode")
    if is_falsy(mode):
        return failing('@json requires a "mode" key')
    if is_falsy(argument.get("value")):
        return failing('@json requires a "value" key')
    changes: dict[Any, Callable[[Any], Any]] = {"encode": encoded, "decode": decoded}
    change = changes.get(mode, _nothing) if type(mode) is str else _nothing
    resolve, budget = compiler.value(argument["value"]), compiler.budget

    def changed(payload: Any) -> Any:
        value = resolve(payload)
        budget.spend_on(value)
        return change(value)

    return changed


def _nothing(_value: Any) -> Any:
    """What any other mode makes of a value, which is resolved in any case, and may fail."""
    return UNDEFINED


_TYPEOF = {"directive": "object", "array": "object", "null": "object"}


def merge(argument: Any, compiler: Compile) -> Resolver:
    """Members of several objects in one; the rightmost wins unless the direction is left."""
    if type(argument) is not dict:
        return failing('@merge requires an object with an "objects" key and a "direction" key')
    if is_falsy(argument.get("direction")):
        return failing('@merge requires a "direction" key')
    direction = compiler.value(argument["direction"])
    objects = argument.get("objects")
    if is_falsy(objects):
        return failing('@merge requires a "objects" key')
    if type(objects) is not list:
        kind = kind_of(objects)
        return failing(f"@merge: expected opts.array, got {_TYPEOF.get(kind, kind)}")
    inner, budget = compiler.keeping(), compiler.budget
    resolvers = [inner.value(element) for element in objects]

    def merged(payload: Any) -> Any:
        left_wins = direction(payload) == "left"
        values = [resolve(payload) for resolve in resolvers]
        found: JsonObject = {}
        for value in reversed(values) if left_wins else values:
            if type(value) in {str, list, dict}:
                budget.spend(ITEM * len(value))
            found.update(members_of(value))
        return found if compiler.keeps else without_undefined(in_key_order(found))

    return merged


def transform(argument: Any, compiler: Compile) -> Resolver:
    """A mapping of the result of another mapping."""
    if type(argument) is not dict:
        return failing('@transform requires an object with an "apply" key and a "mapping" key')
    if is_falsy(argument.get("mapping")):
        return failing('@transform requires a "mapping" key')
    if is_falsy(argument.get("apply")):
        return failing('@transform requires a "apply" key')
    if type(argument["apply"]) is not dict:
        return failing('@transform "apply" key should be an object')
    apply = compiler.root(argument["apply"])
    resolve, budget = compiler.value(argument["mapping"]), compiler.budget

    def transformed(payload: Any) -> Any:
        data = apply(payload)
        # What is made here is looked into again: twice the event, and twice that, would soon be without end.
        budget.spend_on(data)
        return resolve(data)

    return transformed
