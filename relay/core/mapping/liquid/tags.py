"""Tags that stand alone, and the table of all tags."""

from __future__ import annotations

from collections.abc import Callable

from relay.core.javascript.text import trim
from relay.core.mapping.liquid.blocks import Block, Capture, Comment, Condition, Exclusion, Raw, Section
from relay.core.mapping.liquid.body import Act
from relay.core.mapping.liquid.errors import demand
from relay.core.mapping.liquid.expressions import read_filtered
from relay.core.mapping.liquid.operands import Evaluate, Operand, read_value
from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.tokens import Token
from relay.core.mapping.liquid.values import joined_text
from relay.core.mapping.values import UNDEFINED, is_falsy

# Segment registers these anew to fail as soon as they are read.
DISABLED = frozenset({"case", "for", "include", "layout", "render", "tablerow"})


def writing(value: Evaluate) -> Act:
    """Write a value."""

    def act(run: Rendering) -> None:
        run.write(value(run))

    return act


def nothing(_run: Rendering) -> None:
    """What comments and empty echoes do."""


def assign(token: Token) -> Act:
    """``name = value | filter``."""
    cursor = token.cursor
    name = cursor.name()
    if not name:
        cursor.fail("expected variable name")
    cursor.skip_blanks()
    if cursor.peek() != "=":
        cursor.fail('expected "="')
    cursor.at += 1
    value = read_filtered(cursor)

    def act(run: Rendering) -> None:
        run.names[name] = value(run)

    return act


def echo(token: Token) -> Act:
    """An output; nothing when empty."""
    return nothing if token.cursor.done else writing(read_filtered(token.cursor))


def increment(token: Token) -> Act:
    """Writes a counter, then moves it up."""
    name = token.cursor.name()
    return lambda run: run.write(run.count(name, 1))


def decrement(token: Token) -> Act:
    """Moves a counter down, then writes it."""
    name = token.cursor.name()
    return lambda run: run.write(run.count(name, -1) - 1)


def stop(_token: Token) -> Act:
    """``break`` and ``continue`` end the output, as there are no loops."""

    def act(run: Rendering) -> None:
        run.stopped = True

    return act


def inline_comment(token: Token) -> Act:
    """``#``, on every line."""
    lines = map(trim, token.rest.split("\n")[1:])
    fine = all(line.startswith("#") for line in lines if line)
    demand(fine, "every line of an inline comment must start with a '#' character")
    return nothing


def cycle(token: Token) -> Act:
    """The next candidate at each turn. Cycles of one group and as many candidates take turns together."""
    group, candidates = _cycle_parts(token)

    def act(run: Rendering) -> None:
        turn = f"{len(candidates)}:{joined_text(group.evaluate(run) if group else UNDEFINED)}"
        index = run.cycles.get(turn, 0)
        run.cycles[turn] = (index + 1) % len(candidates)
        value = candidates[index].evaluate(run)
        if not is_falsy(value):  # 0 and false are not written here
            run.write(value)

    return act


def _cycle_parts(token: Token) -> tuple[Operand | None, list[Operand]]:
    cursor = token.cursor
    group, candidates = None, []
    first = read_value(cursor)
    cursor.skip_blanks()
    if first and cursor.peek() == ":":
        group = first
        cursor.at += 1
    elif first:
        candidates.append(first)
    while not cursor.done:
        candidate = read_value(cursor)
        candidates += [candidate] if candidate else []
        cursor.past(",")
    if not candidates:
        cursor.fail(f'empty candidates: "{token.source}"')
    return group, candidates


TAGS: dict[str, Callable[[Token], Act | Block]] = {
    "#": inline_comment,
    "assign": assign,
    "block": Section,
    "break": stop,
    "capture": Capture,
    "comment": Comment,
    "continue": stop,
    "cycle": cycle,
    "decrement": decrement,
    "echo": echo,
    "if": Condition,
    "increment": increment,
    "raw": Raw,
    "unless": Exclusion,
}
