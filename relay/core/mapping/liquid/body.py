"""A sequence of things to do, each with its place in the template."""

from __future__ import annotations

from collections.abc import Callable

from relay.core.mapping.liquid.errors import Fault, TemplateError
from relay.core.mapping.liquid.rendering import Rendering

Act = Callable[[Rendering], None]


class Body:
    """What stands between two tags, or the whole template."""

    __slots__ = ("_steps", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._steps: list[tuple[Act, int]] = []

    def add(self, act: Act, at: int) -> None:
        """``at`` is where the tag begins."""
        self._steps.append((act, at))

    def render(self, run: Rendering) -> None:
        """In order, until a break. Raises TemplateError with the place of what failed."""
        for act, at in self._steps:
            try:
                act(run)
            except Fault as fault:
                raise TemplateError(str(fault), self._text, at) from None
            if run.stopped:
                return
