"""What can be wrong with a mapping or a trigger. Both list every problem they know."""

from __future__ import annotations

from relay.core.errors import RelayError


class MappingError(RelayError):
    """The mapping is invalid (at compile time), or one of its directives failed on an event (at run time)."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class TriggerError(RelayError):
    """The trigger cannot be parsed (at compile time), or cannot be decided for an event (at run time)."""
