"""From the text of a template to a function of the payload: tokens in order, open blocks on a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from relay.core.mapping.liquid.blocks import Block
from relay.core.mapping.liquid.body import Act, Body
from relay.core.mapping.liquid.errors import Fault, TemplateError, demand
from relay.core.mapping.liquid.expressions import read_filtered
from relay.core.mapping.liquid.rendering import Rendering
from relay.core.mapping.liquid.tags import DISABLED, TAGS, writing
from relay.core.mapping.liquid.tokens import Kind, Token, lines_of, tokens_of
from relay.core.mapping.liquid.values import whole

# The payload and the time that "now" means, in milliseconds (None: unknown, and "now" is no date).
Template = Callable[[Any, int | None], str]


def compile_template(text: str) -> Template:
    """A template as a function. Raises TemplateError now for one that cannot be read, later for one that fails."""
    body = _body_of(text, tokens_of(text))

    def render(payload: Any, now_ms: int | None) -> str:
        run = Rendering(payload, now_ms)
        body.render(run)
        return whole("".join(run.out))

    return render


def _body_of(text: str, tokens: Iterable[Token]) -> Body:
    root = Body(text)
    open_blocks: list[Block] = []
    for token in tokens:
        block = open_blocks[-1] if open_blocks else None
        if block and _takes(block, token):
            if block.closed:
                open_blocks.pop()
            continue
        (block.body if block else root).add(_act_of(token, open_blocks), token.start)
    if open_blocks:
        unclosed = open_blocks[-1].token
        raise TemplateError(f"tag {unclosed.source} not closed", text, unclosed.start)
    return root


def _takes(block: Block, token: Token) -> bool:
    try:
        return block.takes(token)
    except Fault as fault:
        raise TemplateError(str(fault), token.cursor.text, block.token.start) from None


def _act_of(token: Token, open_blocks: list[Block]) -> Act:
    if token.kind is Kind.TEXT:
        return writing_text(token.source)
    if token.kind is Kind.OUTPUT:
        return writing(read_filtered(token.cursor))
    try:
        return _tag(token, open_blocks)
    except Fault as fault:
        raise TemplateError(str(fault), token.cursor.text, token.start) from None


def _tag(token: Token, open_blocks: list[Block]) -> Act:
    name = token.name
    if name == "liquid":
        return _body_of(token.cursor.text, lines_of(token.cursor)).render
    demand(name not in DISABLED, f'tag "{name}" is disabled')
    demand(name in TAGS, f'tag "{name}" not found')
    made = TAGS[name](token)
    if callable(made):
        return made
    open_blocks.append(made)
    return made.act


def writing_text(text: str) -> Act:
    """Write what stands in the template itself."""

    def act(run: Rendering) -> None:
        run.out.append(text)

    return act
