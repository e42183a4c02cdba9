"""What can go wrong with a template. Nothing else leaves this package."""

from __future__ import annotations

from relay.core.javascript.text import length
from relay.core.mapping.errors import MappingError


class Fault(Exception):
    """A filter or value failed; whoever knows the tag it stands in turns it into a TemplateError."""


def demand(holds: bool, message: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Fail in the words of liquidjs."""
    if not holds:
        raise Fault(message)


class TemplateError(MappingError):
    """The template cannot be read, or failed on a payload. The message ends with the place, as liquidjs says it."""

    def __init__(self, message: str, text: str, at: int) -> None:
        before = text[:at]
        column = length(before[before.rfind("\n") + 1 :]) + 1
        super().__init__([f"{message}, line:{before.count(chr(10)) + 1}, col:{column}"])
