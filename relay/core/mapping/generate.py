"""Writes, for one mapping and schema, the Python function that a patient person would write by hand.

Closures cost a call for each of ninety fields; straight lines cost a look-up. Nothing of an event and no text of a
mapping ever becomes code: keys appear as literals (``repr`` of a str), everything else as names bound in a namespace.
Where anything is odd the function goes the plain way, all over again (see ``gather``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, cast

from relay.core.mapping.errors import MappingError
from relay.core.mapping.javascript.numbers import SAFE
from relay.core.mapping.paths import Steps, stand_in
from relay.core.mapping.plan import Paths, Plan, Shaped, Source
from relay.core.mapping.schema.coercion import Findings, scalar
from relay.core.mapping.schema.field import Field, Kind
from relay.core.mapping.schema.schema import Fill, Schema
from relay.core.mapping.values import UNDEFINED, JsonObject

# From an event to the payload as the destination takes it. Raises MappingError when a directive fails on the event.
Gather = Callable[[JsonObject, Findings], JsonObject]

_FEW = 4  # keys that are cheaper to look up one by one than to rule out together


def written(plan: Plan, schema: Schema, plainly: Gather) -> Gather:
    """The function of a plan. ``plainly`` is the other way to the same payload."""
    writer = _Writer(schema, plainly)
    body: list[str] = []
    for name, source in plan.fields.items():
        body += writer.field(name, source)
    body += writer.boxes(plan.boxes)
    surely = schema.is_surely_complete(plan.fixed, {*plan.fields, *plan.boxes})
    fine = (
        "not findings.problems" if surely else f"not findings.problems and {writer.bind(schema.is_complete)}(payload)"
    )
    lines = [
        *writer.functions,
        "def quick(event, findings):",
        *_indented(
            [
                *writer.parents,
                f"payload = {writer.bind(plan.fixed)}.copy()",
                # Of several directives that fail, the plain way names the one that comes first in the mapping.
                "try:",
                *_indented([*body, "pass"]),
                "except MappingError:",
                "    return plainly(event, findings)",
                f"return payload if {fine} else plainly(event, findings)",
            ]
        ),
    ]
    writer.bind_stand_ins()
    exec(compile("\n".join(lines), "<mapping>", "exec"), writer.names)  # noqa: S102 - see the module's docstring
    return cast("Gather", writer.names["quick"])


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

    def __init__(self, schema: Schema, plainly: Gather) -> None:
        self._schema = schema
        self._nodes: dict[Steps, str] = {(): "event"}
        self._keys: dict[Steps, set[str]] = {}  # that are looked up in each node
        self.names: dict[str, Any] = {
            "EMPTY": {},
            "UNDEFINED": UNDEFINED,
            "MappingError": MappingError,
            "plainly": plainly,
        }
        self.parents: list[str] = []
        self.functions: list[str] = []

    def bind(self, value: object) -> str:
        """A name for a value of ours."""
        name = f"bound{len(self.names)}"
        self.names[name] = value
        return name

    def bind_stand_ins(self) -> None:
        """For objects on the way that turn out to be something else."""
        self.names |= {f"odd_{self._nodes[steps]}": stand_in(keys) for steps, keys in self._keys.items()}

    def field(self, name: str, source: Source) -> list[str]:
        """Lines that fill one field of the payload."""
        field = self._schema.field(name)
        fill = self._schema.filler(name)
        if isinstance(source, Paths):
            return self._found(source, self._put(name, field, fill)) if field else []
        if isinstance(source, Shaped):
            if field and field.many and field.members:
                return self._shaped(field, source, fill)
            source = source.resolve
        return self._computed(source, fill)

    def boxes(self, boxes: Mapping[str, Mapping[str, Source]]) -> list[str]:
        """Lines that fill object fields. Those that look into the same object are ruled out at once."""
        lines: list[str] = []
        closures: list[str] = []
        alike: dict[str, list[tuple[set[str], list[str]]]] = {}
        for name, members in boxes.items():
            keys, found, computed = self._box(name, members)
            closures += computed
            if len(keys) == 1:
                node, names = next(iter(keys.items()))
                alike.setdefault(node, []).append((names, found))
            elif keys:
                lines += self._guarded(keys, found)
        for node, group in alike.items():
            together = [line for names, found in group for line in self._guarded({node: names}, found)]
            every = set().union(*(names for names, _ in group))
            lines += self._guarded({node: every}, together) if len(group) > 1 else together
        return lines + closures

    def _guarded(self, keys: Mapping[str, set[str]], lines: list[str]) -> list[str]:
        """Only when one of the keys is in its object."""
        present = (
            [f"{name!r} in {node}" for name in sorted(names)]
            if len(names) < _FEW
            else [f"{node} and not {self.bind(frozenset(names))}.isdisjoint({node})"]
            for node, names in keys.items()
        )
        return [f"if {' or '.join(chain.from_iterable(present))}:", *_indented(lines)]

    def _box(self, name: str, members: Mapping[str, Source]) -> tuple[dict[str, set[str]], list[str], list[str]]:
        """Of one object field: the keys it reads by object, lines for members found by path, lines for the others.

        The others come after, because they add to the object that the lines have made, if they have.
        """
        lines = ["box = {}"]
        keys: dict[str, set[str]] = {}
        computed: list[str] = []
        for member, source in members.items():
            known = self._schema.member(name, member)
            if not isinstance(source, Paths):
                resolve = source.resolve if isinstance(source, Shaped) else source
                computed += self._computed(resolve, self._schema.member_filler(name, member))
            elif known:
                for steps in filter(None, (source.first, source.otherwise)):
                    keys.setdefault(self._node(steps[:-1]), set()).add(steps[-1])
                lines += self._found(source, self._put_in_box(name, known))
        return keys, [*lines, "if box:", f"    payload[{name!r}] = box"], computed

    def _put_in_box(self, name: str, member: Field) -> list[str]:
        put = f"box[{member.name!r}] = value"
        checked = [
            f"value = {self.bind(self._schema.member_check(name, member.name))}(value, findings)",
            "if value is not UNDEFINED:",
            f"    {put}",
        ]
        if member.many:
            return checked
        return [f"if {self._is_fine(member)}:", f"    {put}", "else:", *_indented(checked)]

    def _is_fine(self, field: Field) -> str:
        among = f" and value in {self.bind(frozenset(field.choices))}" if field.choices else ""
        return f"{_is_kept(field.kind, 'value')}{among}"

    def _node(self, steps: Steps) -> str:
        """The variable of an object on the way; nothing there counts as an empty one."""
        if steps not in self._nodes:
            self._node(steps[:-1])
            node = self._nodes[steps] = f"node{len(self._nodes)}"
            self.parents += [
                f"{node} = {self._at(steps)}",
                f"if {node} is None:",
                f"    {node} = EMPTY",
                f"elif type({node}) is not dict:",
                f"    {node} = odd_{node}({node})",
            ]
        return self._nodes[steps]

    def _found(self, paths: Paths, lines: list[str]) -> list[str]:
        """The lines, for a value that exists."""
        found = [f"value = {self._at(paths.first)}"]
        if paths.otherwise:
            found += ["if value is None:", f"    value = {self._at(paths.otherwise)}"]
        return [*found, *_when_there(lines)]

    def _at(self, steps: Steps) -> str:
        self._keys.setdefault(steps[:-1], set()).add(steps[-1])
        return f"{self._node(steps[:-1])}.get({steps[-1]!r})"

    def _put(self, name: str, field: Field, fill: Fill) -> list[str]:
        call = f"{self.bind(fill)}(value, payload, findings)"
        if field.kind in {Kind.OBJECT, Kind.INTEGER}:
            return [call]
        if field.choices:
            return [f"if {self._is_fine(field)}:", f"    payload[{name!r}] = value", "else:", f"    {call}"]
        value, number = ("[value]", "[str(value)]") if field.many else ("value", "str(value)")
        put = [f"    payload[{name!r}] = {value}"]
        if field.kind is Kind.STRING:
            put = ["    if value:", *_indented(put)]
            put += [f"elif type(value) is int and -{SAFE} <= value <= {SAFE}:", f"    payload[{name!r}] = {number}"]
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
        return self._found(
            Paths(shaped.root),
            [
                "if type(value) is dict:",
                "    value = [value]",
                "if type(value) is list:",
                f"    payload[{field.name!r}] = {function}(value, findings)",
                "else:",
                *_indented(self._computed(shaped.resolve, fill)),
            ],
        )

    def _list_function(self, field: Field, keys: Mapping[str, str]) -> str:
        """A function from a list to its items. Nulls, of which a list may hold thousands, share one."""
        known = {member.name: member for member in field.members}
        names = [name for name in (keys if field.as_written else known) if name in keys and name in known]
        function = f"items{len(self.functions)}"
        lines: list[str] = []
        for name in names:
            check = self.bind(scalar(known[name]))
            lines += [
                f"if {keys[name]!r} in value:",
                f"    member = value[{keys[name]!r}]",
                f"    item[{name!r}] = member if {_is_kept(known[name].kind, 'member')} else {check}(member, findings)",
            ]
        self.functions += [
            f"def {function}(values, findings):",
            "    found = []",
            "    for value in values:",
            "        if type(value) is not dict:",
            *_indented(_indented(_indented(self._odd_element(keys, known, names)))),
            "        item = {}",
            *_indented(_indented(lines)),
            "        found.append(item)",
            "    return found",
        ]
        return function

    def _odd_element(self, keys: Mapping[str, str], known: Mapping[str, Field], names: list[str]) -> list[str]:
        findings = Findings()
        null = {name: scalar(known[name])(None, findings) for name in names}
        lines = [f"value = {self.bind(stand_in(keys[name] for name in names))}(value)"]
        if findings.problems:
            return lines
        return ["if value is None:", f"    found.append({self.bind(null)})", "    continue", *lines]


def _when_there(lines: list[str]) -> list[str]:
    return ["if value is not None:", *_indented(lines)]
