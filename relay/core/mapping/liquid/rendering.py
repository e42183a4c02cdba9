"""The state of one rendering, and the bound on its work."""

from __future__ import annotations

from typing import Any

from relay.core.mapping.liquid.errors import Fault
from relay.core.mapping.liquid.values import Word, own, plain, text_of
from relay.core.mapping.values import UNDEFINED, is_number

# Characters that one rendering may read and produce, all values on the way counted: ``append`` to oneself doubles a
# text, and a date can be padded to any width. Segment takes events of 32 KB, so this is eight times the largest one;
# liquidjs counts much the same and stops at 100 million, which costs it seconds.
BUDGET = 262_144
ELEMENT = 16  # what an element of a list counts for: about the work of so many characters
EXCEEDED = "memory alloc limit exceeded"


class Rendering:
    """``names`` are assigned variables; ``counters`` those of increment and decrement, which shadow the payload."""

    __slots__ = ("blocks", "counters", "cycles", "left", "names", "now_ms", "out", "payload", "stopped")

    def __init__(self, payload: Any, now_ms: int | None) -> None:
        self.payload = payload
        self.now_ms = now_ms
        self.names: dict[str, Any] = {}
        self.counters: dict[str, float] = {}
        self.cycles: dict[str, int] = {}
        self.out: list[str] = []
        self.left: float = BUDGET
        self.stopped = False  # by break or continue: nothing more is written
        self.blocks = 0  # block tags around this place

    def use(self, count: float) -> None:
        """Charge for so many characters, before making them."""
        if count > 0:
            self.left -= count
            if self.left < 0:
                raise Fault(EXCEEDED)

    def weigh(self, items: list[Any]) -> None:
        """Charge for a list and the lists in it, whatever is then done with them."""
        self.use(ELEMENT * len(items))
        for item in items:
            if type(item) is list:
                self.weigh(item)

    def text(self, value: Any) -> str:
        """A value as output text, charged for."""
        if type(value) is str:
            self.use(len(value))
            return value
        if type(value) is list:
            self.use(ELEMENT * len(value))
            return "".join([self.text(item) for item in value])
        value = plain(value)
        if value is None or value is UNDEFINED:
            return ""
        text = text_of(value)
        self.use(len(text))
        return text

    def write(self, value: Any) -> None:
        """Append to the output."""
        self.out.append(self.text(value))

    def root(self, key: Any) -> Any:
        """What a name stands for: a variable, a counter, or a member of the payload."""
        name = key if type(key) is str else text_of(plain(key))
        if self.blocks and name == "block":
            return Word.BLOCK
        if name in self.names:
            return self.names[name]
        if name in self.counters:
            return self.counters[name]
        payload = self.payload
        found = payload.get(name, UNDEFINED) if type(payload) is dict else own(payload, name)
        # liquidjs looks an unknown name up in an empty object of globals, whose size is 0.
        return 0 if found is UNDEFINED and name == "size" else found

    def count(self, name: str, step: int) -> float:
        """Move a counter and return what it was. A number of that name in the payload is where it starts."""
        found = self.counters.get(name, own(self.payload, name))
        before: float = found if is_number(found) else 0
        self.counters[name] = before + step
        return before

    def of(self, item: Any) -> Rendering:
        """The same rendering on an item of a list, without variables."""
        inner = Rendering(item, self.now_ms)
        inner.left = self.left
        return inner
