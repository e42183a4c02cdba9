"""Tags that enclose others: if, unless, capture, block, comment, raw.

A block is open until it takes its end; meanwhile it says where what is read goes to, and takes its own inner tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from relay.core.mapping.json_text import encoded
from relay.core.mapping.liquid.body import Body
from relay.core.mapping.liquid.errors import demand
from relay.core.mapping.liquid.expressions import read_filtered
from relay.core.mapping.liquid.operands import Evaluate
from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.tokens import Token
from relay.core.mapping.liquid.values import is_true, whole


class Block(Protocol):
    """``body`` is where enclosed outputs and tags go; ``closed`` is set by the tag that ends the block."""

    token: Token
    body: Body
    closed: bool

    def takes(self, token: Token) -> bool:
        """Whether this token is the block's own affair. Raises Fault for one that is out of place."""
        ...

    def act(self, run: Rendering) -> None:
        """Render."""
        ...


def demand_nothing(token: Token) -> None:
    """Such a tag stands alone."""
    demand(not token.rest, f"unexpected {encoded(token.rest)}")


class Condition:
    """if, elsif, else."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self._branches: list[tuple[Evaluate, Body]] = []
        self._otherwise: Body | None = None
        self.body = self._branch(token)

    def _branch(self, token: Token) -> Body:
        self._branches.append((read_filtered(token.cursor), Body(token.cursor.text)))
        return self._branches[-1][1]

    def takes(self, token: Token) -> bool:
        """Its inner tags."""
        if token.name == "elsif":
            demand(self._otherwise is None, "unexpected elsif after else")
            self.body = self._branch(token)
        elif token.name == "else":
            demand_nothing(token)
            demand(self._otherwise is None, "duplicated else")
            self.body = self._otherwise = Body(token.cursor.text)
        elif token.name == "endif":
            demand_nothing(token)
            self.closed = True
        else:
            return False
        return True

    def act(self, run: Rendering) -> None:
        """The first branch whose condition is true."""
        _render_first(run, self._branches, self._otherwise)


class Exclusion:
    """unless, elsif, else. More tolerant than if: what follows a second else or comes too late is dropped."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self._unless = read_filtered(token.cursor)
        self._main = self.body = Body(token.cursor.text)
        self._branches: list[tuple[Evaluate, Body]] = []
        self._otherwise: Body | None = None

    def takes(self, token: Token) -> bool:
        """Its inner tags."""
        if token.name not in {"elsif", "else", "endunless"}:
            return False
        self.closed = token.name == "endunless"
        self.body = Body(token.cursor.text)
        if self._otherwise is None:
            if token.name == "elsif":
                self._branches.append((read_filtered(token.cursor), self.body))
            elif token.name == "else":
                self._otherwise = self.body
        return True

    def act(self, run: Rendering) -> None:
        """The main part unless its condition is true; then as if."""
        if not is_true(self._unless(run)):
            self._main.render(run)
        else:
            _render_first(run, self._branches, self._otherwise)


def _render_first(run: Rendering, branches: Sequence[tuple[Evaluate, Body]], otherwise: Body | None) -> None:
    """The first of ``branches`` whose condition is true, else ``otherwise``."""
    for holds, body in branches:
        if is_true(holds(run)):
            body.render(run)
            return
    if otherwise:
        otherwise.render(run)


class Capture:
    """Keeps what it encloses in a variable."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self.body = Body(token.cursor.text)
        name = token.cursor.name() or token.cursor.quoted()
        if name is None:
            token.cursor.fail("invalid capture name")
        self._name = name

    def takes(self, token: Token) -> bool:
        """Its end."""
        self.closed = token.name == "endcapture"
        return self.closed

    def act(self, run: Rendering) -> None:
        """A break inside ends the whole output, but only after the variable is set."""
        outside, run.out = run.out, []
        self.body.render(run)
        captured, run.out = "".join(run.out), outside
        run.names[self._name] = whole(captured)


class Section:
    """The block tag. Without layouts, which are disabled, it renders what it encloses."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self.body = Body(token.cursor.text)

    def takes(self, token: Token) -> bool:
        """Its end."""
        self.closed = token.name == "endblock"
        return self.closed

    def act(self, run: Rendering) -> None:
        """With the name ``block`` for what would be the layout's."""
        run.blocks += 1
        self.body.render(run)
        run.blocks -= 1


class Comment:
    """Takes everything up to its end, unread."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self.body = Body(token.cursor.text)

    def takes(self, token: Token) -> bool:
        """All tokens."""
        self.closed = token.name == "endcomment"
        return True

    def act(self, run: Rendering) -> None:
        """Nothing."""


class Raw:
    """Everything up to its end as written."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.closed = False
        self.body = Body(token.cursor.text)
        self._text = ""

    def takes(self, token: Token) -> bool:
        """All tokens."""
        self.closed = token.name == "endraw"
        if not self.closed:
            self._text += token.source
        return True

    def act(self, run: Rendering) -> None:
        """The text."""
        run.write(self._text)
