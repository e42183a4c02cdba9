"""What a mapping may look like: every problem of it at once, each with its path, in Segment's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from relay.core.javascript.text import length
from relay.core.mapping.json_text import encoded
from relay.core.mapping.syntax import METADATA, directive_keys
from relay.core.mapping.values import in_key_order, kind_of

Trail = tuple[str, ...]


class Checker:
    """Validates one mapping; the rules of the directives' arguments come with the registry."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        # Rules look at members again that were looked at with their object: twice, four times, … without this memory.
        self._fine: set[int] = set()

    def value(self, value: Any, trail: Trail) -> list[str]:
        """Lists are accepted without looking inside: what is wrong there fails while resolving."""
        kind = _kind(value)
        if kind == "directive":
            return self.directive(value, trail)
        return self.object(value, trail) if kind == "object" else []

    def object(self, value: Any, trail: Trail) -> list[str]:
        """A plain object, with every member."""
        if _kind(value) != "object":
            return _mismatch("object", value, trail, article="an")
        if id(value) in self._fine:
            return []
        members = in_key_order(value).items()
        problems = [problem for key, member in members for problem in self.value(member, (*trail, key))]
        if not problems:
            self._fine.add(id(value))
        return problems

    def directive(self, value: Any, trail: Trail) -> list[str]:
        """Exactly one @ key, a known one, and an argument that fits its rule."""
        names = directive_keys(value)
        others = [key for key in value if not key.startswith("@") and key != METADATA]
        if len(names) > 1 or others:
            count = len(names) if len(names) > 1 else len(value)
            return [_problem(trail, f"should only have one @-prefixed key but it has {count} keys")]
        name = names[0]
        rule = self._rules.get(name)
        if rule is None:
            return [_problem(trail, f"has an invalid directive: {name}")]
        if id(value) in self._fine:
            return []
        problems = rule(value[name], (*trail, name), self)
        if not problems:
            self._fine.add(id(value))
        return problems


Rule = Callable[[Any, Trail, Checker], list[str]]


def _problem(trail: Trail, text: str) -> str:
    return f"/{'/'.join(trail)} {text}."


def _kind(value: Any) -> str:
    return "directive" if directive_keys(value) else kind_of(value)


def _mismatch(wanted: str, value: Any, trail: Trail, *, article: str = "a") -> list[str]:
    kind = _kind(value)
    return [_problem(trail, f"should be {article} {wanted} but it is {_article(kind)} {kind}")]


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"


def anything(value: Any, trail: Trail, checker: Checker) -> list[str]:
    """A directive is validated; everything else passes unseen."""
    return checker.directive(value, trail) if _kind(value) == "directive" else []


def string(value: Any, trail: Trail, _checker: Checker) -> list[str]:
    """Text as written."""
    return [] if type(value) is str else _mismatch("string", value, trail)


def boolean(value: Any, trail: Trail, _checker: Checker) -> list[str]:
    """True or false as written."""
    return [] if type(value) is bool else _mismatch("boolean", value, trail)


def string_or_directive(value: Any, trail: Trail, checker: Checker) -> list[str]:
    """Text, or a directive that makes one."""
    if _kind(value) == "directive":
        return checker.directive(value, trail)
    return [] if type(value) is str else _mismatch("string or a mapping directive", value, trail)


def object_or_directive(value: Any, trail: Trail, checker: Checker) -> list[str]:
    """A plain object with valid members, or a directive."""
    if _kind(value) == "directive":
        return checker.directive(value, trail)
    if _kind(value) == "object":
        return checker.object(value, trail)
    return _mismatch("object or a mapping directive", value, trail)


def string_of_length(least: int, most: int) -> Rule:
    """Text of so many UTF-16 units."""

    def rule(value: Any, trail: Trail, checker: Checker) -> list[str]:
        problems = string(value, trail, checker)
        if problems:
            return problems
        if length(value) < least:
            return [_problem(trail, f"should be a string of length {least} or greater")]
        if length(value) > most:
            return [_problem(trail, f"should be a string of length {most} or less")]
        return []

    return rule


def one_of(choices: Iterable[str]) -> Rule:
    """One of these words, in any case."""
    words = tuple(choices)

    def rule(value: Any, trail: Trail, checker: Checker) -> list[str]:
        problems = string(value, trail, checker)
        if problems or value.lower() in words:
            return problems
        return [_problem(trail, f"should be one of {', '.join(words)} but it is {encoded(value)}")]

    return rule


def fields(required: Mapping[str, Rule], optional: Mapping[str, Rule], order: Iterable[str] = ()) -> Rule:
    """An object with these members. ``order`` is that of the messages when it is not required, then optional."""
    rules = {**required, **optional}
    names = tuple(order) or tuple(rules)

    def rule(value: Any, trail: Trail, checker: Checker) -> list[str]:
        problems = checker.object(value, trail)
        if problems:
            return problems
        for name in names:
            if name in value:
                problems += rules[name](value[name], (*trail, name), checker)
            elif name in required:
                problems.append(_problem(trail, f'should have field "{name}" but it doesn\'t'))
        return problems

    return rule


def array_path(value: Any, trail: Trail, checker: Checker) -> list[str]:
    """A list of a path and a shape; stops at the first problem, all under the directive's own path."""
    problems = _array(value, trail, checker)
    if problems:
        return problems
    first, shape = (*value, None, None)[:2]
    problems = string_or_directive(first, trail, checker) if value else _missing_element(trail)
    return problems or checker.value(shape, trail)


def _missing_element(trail: Trail) -> list[str]:
    return [_problem(trail, "should be a string or a mapping directive but it is an undefined")]


_MERGE_FIELDS = ("direction", "objects")


def merge(value: Any, trail: Trail, checker: Checker) -> list[str]:
    """Direction and a list; elements are looked at only when that is fine, and reported without a path."""
    problems = _merge_shape(value, trail, checker)
    if problems:
        return problems
    for element in value["objects"]:
        problems = object_or_directive(element, (), checker)
        if problems:
            return problems
    return []


def _array(value: Any, trail: Trail, _checker: Checker) -> list[str]:
    if type(value) is list:
        return []
    kind = kind_of(value)  # here a directive is just an object
    return [_problem(trail, f"should be an array but it is {_article(kind)} {kind}")]


_merge_shape = fields({"objects": _array}, {"direction": one_of(("left", "right"))}, order=_MERGE_FIELDS)
