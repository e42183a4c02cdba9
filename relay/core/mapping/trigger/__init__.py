"""FQL, the language of Segment's subscription triggers, with its quirks: the text decides what Segment would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.core.mapping.errors import TriggerError
from relay.core.mapping.trigger.conditions import Condition
from relay.core.mapping.trigger.parse import parse

LONGEST = 50_000  # characters of a trigger, thousands of conditions


class Trigger:
    """A compiled trigger: call it with an event.

    ``literal`` is (key, text) when the whole trigger is ``event = "text"`` or ``type = "text"``, so that selection
    can look the event up instead of asking every trigger.
    """

    def __init__(self, condition: Condition, literal: tuple[str, str] | None) -> None:
        self._condition = condition
        self.literal = literal

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Whether the event matches. Raises TriggerError where Segment fails to evaluate."""
        return self._condition(event)


def compile_trigger(fql: str) -> Trigger:
    """Raises TriggerError for a text that Segment cannot parse (and for which it sends nothing)."""
    if type(fql) is not str:
        raise TriggerError("a trigger must be a text")
    if len(fql) > LONGEST:
        raise TriggerError(f"the trigger is longer than {LONGEST:,} characters")
    condition, literal = parse(fql)
    return Trigger(condition, literal)
