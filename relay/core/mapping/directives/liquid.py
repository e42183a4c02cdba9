"""The directive @liquid."""

from __future__ import annotations

from typing import Any

from relay.core.javascript.text import length
from relay.core.mapping.directives.resolver import Compile, Resolver, constant, failing
from relay.core.mapping.errors import MappingError
from relay.core.mapping.liquid import compile_template

_LONGEST = 1000  # UTF-16 units of a template


def liquid(argument: Any, compiler: Compile) -> Resolver:
    """The rendered template: always text. One that cannot be read fails on every event, as at Segment."""
    if type(argument) is not str:
        return failing("liquid template value must be a string")
    if length(argument) > _LONGEST:
        return failing(f"liquid template values are limited to {_LONGEST} characters")
    if "{" not in argument:
        return constant(argument)
    try:
        template = compile_template(argument)
    except MappingError as problem:
        return failing(str(problem))
    receipt = compiler.receipt
    return lambda payload: template(payload, receipt.at_ms)
