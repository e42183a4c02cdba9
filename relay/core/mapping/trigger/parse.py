"""From tokens to one condition. There is no precedence: the last connective of a level rules the whole level."""

from __future__ import annotations

from collections import deque

from relay.core.javascript.numbers import number_of
from relay.core.javascript.text import cut
from relay.core.mapping.errors import TriggerError
from relay.core.mapping.trigger.conditions import (
    Condition,
    Subject,
    Value,
    condition,
    group,
    hole,
    key,
    member,
    text_of_operand,
)
from relay.core.mapping.trigger.tokens import END, END_TEXT, KEYWORD, MARK, NUMBER, STRING, WORD, Token, tokens_of

_KEYS = frozenset({"type", "event", "name", "userId"})
_PARENTS = frozenset({"properties", "traits", "context"})
# JavaScript's inherited names are taken for subjects by the original; their two operands are thrown away.
_INHERITED = frozenset({
    "constructor", "__proto__", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__",
    "__lookupSetter__", "isPrototypeOf", "propertyIsEnumerable", "toString", "valueOf", "toLocaleString",
})  # fmt: skip

Tokens = deque[Token]
Literal = tuple[str, str] | None


def parse(text: str) -> tuple[Condition, Literal]:
    """The condition, and (key, text) when it is nothing but ``event = "text"`` or ``type = "text"``."""
    tokens = deque(tokens_of(text))
    literal = _literal(list(tokens))
    found = _level(tokens)
    if found is None or found is hole:
        raise TriggerError("the trigger holds no condition")
    return found, literal


def _literal(tokens: list[Token]) -> Literal:
    if len(tokens) != 4 or tokens[1] != Token(MARK, "=") or tokens[2].kind not in {STRING, WORD}:
        return None
    first = tokens[0]
    value = _value(tokens[2])
    return (first.text, value) if first in {Token(WORD, "event"), Token(WORD, "type")} and type(value) is str else None


def _take(tokens: Tokens) -> Token:
    if not tokens:
        raise TriggerError("the trigger ends too early")
    return tokens.popleft()


def _level(tokens: Tokens) -> Condition | None:
    """One level up to its end token; None when it holds no condition."""
    found: list[Condition] = []
    every = True
    while tokens:
        token = tokens.popleft()
        if token.kind == END:
            break
        if token.kind == KEYWORD and token.text in {"and", "or"}:
            every = token.text == "and"
        else:
            added = _element(token, tokens)
            found += [added] if added else []
    if len(found) > 1:
        return group(found, every=every)
    return found[0] if found else None


def _element(token: Token, tokens: Tokens) -> Condition | None:
    """A comparison, a function or a group; every other token means nothing."""
    if token.kind == WORD:
        return _word(token.text, tokens)
    if token == Token(MARK, "("):
        return _group(tokens)
    if token == Token(MARK, "!") and tokens and tokens[0] in {Token(WORD, "contains"), Token(WORD, "match")}:
        return _function(tokens.popleft().text, tokens, negated=True)
    return None


def _word(text: str, tokens: Tokens) -> Condition | None:
    if text in {"contains", "match"}:
        return _function(text, tokens, negated=False)
    first, _, rest = text.partition(".")
    if first not in _KEYS and first not in _PARENTS and first not in _INHERITED:
        return None
    operator, operand = _take(tokens), _take(tokens)
    if first in _INHERITED:
        return None
    subject = key(first) if first in _KEYS else member(first, rest or first)
    return _comparison(first, subject, operator, operand)


def _group(tokens: Tokens) -> Condition:
    """Everything up to the first closing parenthesis, wherever it belongs."""
    inner: Tokens = deque()
    while (token := _take(tokens)) != Token(MARK, ")"):
        inner.append(token)
    inner.append(Token(END, END_TEXT))
    return _level(inner) or hole


def _value(token: Token) -> Value:
    """What a value token stands for. Only double quotes are taken off; single ones stay part of the text."""
    if token.kind == STRING:
        return token.text.removeprefix('"').removesuffix('"')
    if token.kind == NUMBER:
        return number_of(token.text) if token.text not in {"+", "-"} else float("nan")
    if token.kind == WORD and token.text in {"true", "false"}:
        return token.text == "true"
    return token.text


def _comparison(first: str, subject: Subject, operator: Token, operand: Token) -> Condition:
    special = _special_operator(first, operator.text, operand)
    value = _value(operand)
    return condition(subject, special or operator.text, value)


def _special_operator(first: str, operator: str, operand: Token) -> str:
    """Comparisons with null, true, false and numbers that mean more than text equality; '' for the others."""
    if operator not in {"=", "!="}:
        return ""
    equal = operator == "="
    if operand.text == "null" and first not in {"type", "event"}:
        return "not_exists" if equal else "exists"
    if equal and operand.text in {"true", "false"} and first not in {"type", "event", "name"}:
        return f"is_{operand.text}"
    if operand.kind == NUMBER and first in _PARENTS:
        return "number_equals" if equal else "number_not_equals"
    return ""


def _function(name: str, tokens: Tokens, *, negated: bool) -> Condition | None:
    """``contains(subject, value)`` and ``match(subject, pattern)``, read by position and unchecked."""
    taken = [tokens.popleft() for _ in range(min(5, len(tokens)))]
    if len(taken) < 4:
        raise TriggerError(f"{name} needs a subject and a value")
    subject = _function_subject(taken[1].text)
    if subject is None:
        return None
    operator, value = ("contains", _value(taken[3])) if name == "contains" else _pattern(taken[3])
    return condition(subject, f"not_{operator}" if negated else operator, value)


def _function_subject(text: str) -> Subject | None:
    if text in {"event", "name", "userId"}:
        return key(text)
    for parent in ("properties", "traits", "context"):
        if text.startswith(parent):
            return member(parent, text.removeprefix(f"{parent}."))
    return None


def _pattern(token: Token) -> tuple[str, Value]:
    """A star before the closing quote means a beginning; everything else an ending, less its first unit."""
    text = text_of_operand(_value(token))
    return ("starts_with", cut(text, 0, -1)) if token.text.endswith('*"') else ("ends_with", cut(text, 1))
