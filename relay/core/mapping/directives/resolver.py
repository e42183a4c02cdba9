"""The shape that every directive compiles to, and what it may ask of the compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from relay.core.mapping.budget import Budget
from relay.core.mapping.errors import MappingError

# From the payload (the event, or an item of a list) to a value or UNDEFINED. Results are shared with the payload and
# with the mapping: nobody may change them.
Resolver = Callable[[Any], Any]


class Receipt:
    """When the event that is being mapped was received: what templates call "now". None: nobody said.

    One per compiled mapping, set before each of its runs. Resolvers take nothing but the payload, which inside lists
    is an item; the time of a run is not part of that, and hardly any mapping asks for it.
    """

    __slots__ = ("at_ms",)

    def __init__(self) -> None:
        self.at_ms: int | None = None


class Compile(Protocol):
    """The compiler, as directives see it."""

    def value(self, mapping: Any) -> Resolver:
        """Compile a mapping."""
        ...

    def keeping(self) -> Compile:
        """A compiler whose objects keep undefined members, because to @merge and @flatten they matter."""
        ...

    @property
    def budget(self) -> Budget:
        """What directives that multiply must ask before they do."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether this compiler's objects keep undefined members."""
        ...

    @property
    def receipt(self) -> Receipt:
        """Where the time of receipt will stand while an event is mapped."""
        ...

    def root(self, mapping: Any) -> Resolver:
        """Compile a mapping as if it stood alone: root key, validation, clean-up. Fails when called, not before."""
        ...


def failing(message: str) -> Resolver:
    """What a directive with a hopeless argument does on every event."""

    def fail(_payload: Any) -> NoReturn:
        raise MappingError([message])

    return fail


def constant(value: Any) -> Resolver:
    """The same value for every event."""
    return lambda _payload: value
