"""Writes, for one mapping and schema, the Python function that a patient person would write by hand.

Closures cost a call for each of ninety fields; straight lines cost a look-up. Nothing of an event and no text of a
mapping ever becomes code: keys appear as literals (``repr`` of a str), everything else as names bound in a namespace.
The function answers None when the plain way has to be gone (see ``gather``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from relay.core.mapping.javascript.numbers import SAFE
from relay.core.mapping.paths import Steps
from relay.core.mapping.plan import Paths, Plan, Shaped, Source
from relay.core.mapping.schema.coercion import Findings, scalar
from relay.core.mapping.schema.field import Field, Kind
from relay.core.mapping.schema.schema import Fill, Schema
from relay.core.mapping.values import UNDEFINED, JsonObject

Quick = Callable[[JsonObject, Findings], JsonObject | None]

_FEW = 4  # keys that are cheaper to look up one by one than to rule out together


def written(plan: Plan, schema: Schema) -> Quick:
    """The function of a plan."""
    writer = _Writer(schema)
    body: list[str] = []
    for name, source in plan.fields.items():
        body += writer.field(name, source)
    body += writer.boxes(plan.boxes)
    fixed, complete = writer.bind(plan.fixed), writer.bind(schema.is_complete)
    surely = schema.is_surely_complete(plan.fixed, {*plan.fields, *plan.boxes})
    lines = [
        *writer.functions,
        "def quick(event, findings):",
        *_indented(
            [
                *writer.parents,
                f"payload = {fixed}.copy()",
                *body,
                "return payload"
                if surely
                else f"return payload if not findings.problems and {complete}(payload) else None",
            ]
        ),
    ]
    exec(compile("\n".join(lines), "<mapping>", "exec"), writer.names)  # noqa: S102 - see the module's docstring
    return cast("Quick", writer.names["quick"])


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _is_kept(kind: Kind, name: str) -> str:
    """An expression that is true for values which need no coercion, checked without a call."""
    if kind is Kind.STRING:
        return f"type({name}) is str"
    if kind is Kind.NUMBER:  # a fraction is finite, and Python prints it as JavaScript does
        return f"type({name}) is int and -{SAFE} <= {name} <= {SAFE} or type({name}) is float and {name} % 1 > 0"
    return f"type({name}) is bool" if kind is Kind.BOOLEAN else "False"


class _Writer:
    """Lines under construction. ``parents`` look up the objects on the way to values, ``functions`` stand before."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._nodes: dict[Steps, str] = {(): "event"}
        self.names: dict[str, Any] = {"EMPTY": {}, "UNDEFINED": UNDEFINED}
        self.parents: list[str] = []
        self.functions: list[str] = []

    def bind(self, value: object) -> str:
        """A name for a value of ours."""
        name = f"bound{len(self.names)}"
        self.names[name] = value
        return name

    def field(self, name: str, source: Source) -> list[str]:
        """Lines that fill one field of the payload."""
        field = self._schema.field(name)
        fill = self._schema.filler(name)
        if isinstance(source, Paths):
            return [*self._value(source), *_when_there(self._put(name, field, fill))] if field else []
        if isinstance(source, Shaped):
            if field and field.many and field.members:
                return self._shaped(field, source, fill)
            source = source.resolve
        return self._computed(source, fill)

    def boxes(self, boxes: Mapping[str, Mapping[str, Source]]) -> list[str]:
        """Lines that fill object fields. Those that look into the same object are ruled out at once."""
        lines: list[str] = []
        rare: dict[str, tuple[set[str], list[str]]] = {}
        for name, members in boxes.items():
            keys, found, computed = self._box(name, members)
            lines += computed
            if sum(map(len, keys.values())) < _FEW:
                lines += found
            elif len(keys) > 1:
                lines += self._guarded(keys, found)
            else:
                node, names = next(iter(keys.items()))
                together = rare.setdefault(node, (set(), []))
                together[0].update(names)
                together[1].extend(self._guarded(keys, found))
        for node, (names, found) in rare.items():
            lines += self._guarded({node: names}, found)
        return lines

    def _guarded(self, keys: Mapping[str, set[str]], lines: list[str]) -> list[str]:
        """Only when one of the keys is in its object."""
        present = (f"not {self.bind(frozenset(names))}.isdisjoint({node})" for node, names in keys.items())
        return [f"if {' or '.join(present)}:", *_indented(lines)]

    def _box(self, name: str, members: Mapping[str, Source]) -> tuple[dict[str, set[str]], list[str], list[str]]:
        """Of one object field: the keys it reads by object, lines for members found by path, lines for the others."""
        lines: list[str] = []
        keys: dict[str, set[str]] = {}
        computed: list[str] = []
        for member, source in members.items():
            fill = self._schema.member_filler(name, member)
            if not isinstance(source, Paths):
                computed += self._computed(source.resolve if isinstance(source, Shaped) else source, fill)
            elif self._schema.has_member(name, member):
                for steps in filter(None, (source.first, source.otherwise)):
                    keys.setdefault(self._node(steps[:-1]), set()).add(steps[-1])
                lines += [*self._value(source), *_when_there([f"{self.bind(fill)}(value, payload, findings)"])]
        return keys, lines, computed

    def _node(self, steps: Steps) -> str:
        """The variable of an object on the way; nothing there counts as an empty one, anything else is odd."""
        if steps not in self._nodes:
            parent = self._node(steps[:-1])
            node = self._nodes[steps] = f"node{len(self._nodes)}"
            self.parents += [
                f"{node} = {parent}.get({steps[-1]!r})",
                f"if {node} is None:",
                f"    {node} = EMPTY",
                f"elif type({node}) is not dict:",
                "    return None",
            ]
        return self._nodes[steps]

    def _at(self, steps: Steps) -> str:
        return f"{self._node(steps[:-1])}.get({steps[-1]!r})"

    def _value(self, paths: Paths) -> list[str]:
        lines = [f"value = {self._at(paths.first)}"]
        if paths.otherwise:
            lines += ["if value is None:", f"    value = {self._at(paths.otherwise)}"]
        return lines

    def _put(self, name: str, field: Field, fill: Fill) -> list[str]:
        call = f"{self.bind(fill)}(value, payload, findings)"
        if field.choices or field.kind in {Kind.OBJECT, Kind.INTEGER}:
            return [call]
        kept = "[value]" if field.many else "value"
        put = [f"    payload[{name!r}] = {kept}"]
        if field.kind is Kind.STRING:
            put = ["    if value:", *_indented(put)]
        return [f"if {_is_kept(field.kind, 'value')}:", *put, "else:", f"    {call}"]

    def _computed(self, resolve: Callable[[Any], Any], fill: Fill) -> list[str]:
        """A closure is called even for a field that the schema drops: it may fail."""
        return [
            f"value = {self.bind(resolve)}(event)",
            "if value is not None and value is not UNDEFINED:",
            f"    {self.bind(fill)}(value, payload, findings)",
        ]

    def _shaped(self, field: Field, shaped: Shaped, fill: Fill) -> list[str]:
        function = self._list_function(field, dict(shaped.members))
        return [
            f"value = {self._at(shaped.root)}",
            *_when_there(
                [
                    "if type(value) is dict:",
                    "    value = [value]",
                    f"found = {function}(value, findings) if type(value) is list else None",
                    "if found is not None:",
                    f"    payload[{field.name!r}] = found",
                    "else:",
                    *_indented(self._computed(shaped.resolve, fill)),
                ]
            ),
        ]

    def _list_function(self, field: Field, keys: Mapping[str, str]) -> str:
        """A function from a list to its items; None when one of them is no object."""
        known = {member.name: member for member in field.members}
        names = [name for name in (keys if field.as_written else known) if name in keys and name in known]
        function = f"items{len(self.functions)}"
        lines: list[str] = []
        for name in names:
            check = self.bind(scalar(known[name]))
            lines += [
                f"member = value.get({keys[name]!r}, UNDEFINED)",
                "if member is not UNDEFINED:",
                f"    item[{name!r}] = member if {_is_kept(known[name].kind, 'member')} else {check}(member, findings)",
            ]
        self.functions += [
            f"def {function}(values, findings):",
            "    found = []",
            "    for value in values:",
            "        if type(value) is not dict:",
            "            return None",
            "        item = {}",
            *_indented(_indented(lines)),
            "        found.append(item)",
            "    return found",
        ]
        return function


def _when_there(lines: list[str]) -> list[str]:
    return ["if value is not None:", *_indented(lines)]
