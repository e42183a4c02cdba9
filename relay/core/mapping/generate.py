"""Writes, for one mapping and schema, the Python function that a patient person would write by hand.

Closures cost a call for each of ninety fields; straight lines cost a look-up. Nothing of an event and no text of a
mapping ever becomes code: keys appear as literals (``repr`` of a str), everything else as names bound in a namespace.
Where it cannot tell what the plain way would say (see ``gather``), the function goes that way, all over again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, groupby
from typing import Any, cast

from relay.core.javascript.numbers import SAFE
from relay.core.mapping.budget import Budget
from relay.core.mapping.directives.resolver import Resolver
from relay.core.mapping.errors import MappingError
from relay.core.mapping.paths import Steps, is_builtin, stand_in
from relay.core.mapping.plan import Paths, Plan, Shaped, Source, may_list_nothing
from relay.core.mapping.schema.coercion import Findings, scalar
from relay.core.mapping.schema.schema import Fill, Schema
from relay.core.mapping.values import UNDEFINED, JsonObject
from relay.core.tiktok.fields.field import Field, Kind

# From an event to the payload as the destination takes it. Raises MappingError when a directive fails on the event.
Gather = Callable[[JsonObject, Findings], JsonObject]

_FEW = 4  # keys that are cheaper to look up one by one than to rule out together
_PLAINLY = "return plainly(event, findings)"


def written(plan: Plan, schema: Schema, plainly: Gather) -> Gather:
    """The function of a plan. ``plainly`` is the other way to the same payload.

    Fields come in the schema's order, so that problems do.
    """
    writer = _Writer(schema, plainly, plan.budget)
    body: list[str] = []
    for are_boxes, names in groupby((field.name for field in schema.fields), plan.boxes.__contains__):
        if are_boxes:
            body += writer.boxes({name: plan.boxes[name] for name in names})
        else:
            body += writer.fields(plan.fields, names)
    body += writer.fields(plan.fields, [name for name in plan.fields if not schema.field(name)])
    lines = [
        "def quick(event, findings):",
        *_indented(
            [
                *writer.parents,
                *(["renew()"] if plan.has_closures else []),
                f"payload = {writer.bind(plan.fixed)}.copy()",
                # Of several directives that fail, the plain way names the one that comes first in the mapping.
                "try:",
                *_indented([*body, "pass"]),
                "except MappingError:",
                f"    {_PLAINLY}",
                *writer.completion(plan),
                "return payload",
            ]
        ),
    ]
    writer.bind_stand_ins()
    text = "\n".join([*writer.functions, *lines])
    exec(compile(text, "<mapping>", "exec"), writer.names)  # noqa: S102 - see the module's docstring
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

    def __init__(self, schema: Schema, plainly: Gather, budget: Budget) -> None:
        self._schema = schema
        self._nodes: dict[Steps, str] = {(): "event"}
        self._keys: dict[Steps, set[str]] = {}  # that are looked up in each node
        self.names: dict[str, Any] = {
            "EMPTY": {},
            "UNDEFINED": UNDEFINED,
            "MappingError": MappingError,
            "plainly": plainly,
            "renew": budget.renew,
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

    def fields(self, sources: Mapping[str, Source], names: Iterable[str]) -> list[str]:
        """Lines that fill fields of the payload, in the order of the names."""
        return [line for name in names if name in sources for line in self._field(name, sources[name])]

    def _field(self, name: str, source: Source) -> list[str]:
        field = self._schema.field(name)
        fill = self._schema.filler(name)
        if isinstance(source, Paths):
            return self._found(source, self._put(name, field, fill)) if field else []
        if isinstance(source, Shaped) and field and field.many and field.members:
            return self._shaped(field, source, fill)
        return self._computed(source, [f"{self.bind(fill)}(value, payload, findings)"])

    def completion(self, plan: Plan) -> list[str]:
        """Lines that say what is missing, unless no event can leave anything out."""
        mapped = {*plan.fields, *plan.boxes}
        if self._schema.is_surely_complete(plan.fixed, mapped):
            return []
        incomplete = f"if not {self.bind(self._schema.is_complete)}(payload)"
        # Demands ask for values as they were written, and what was refused for being nothing is not missing.
        if self._schema.demands_by(mapped) or any(may_list_nothing(plan.fields.get(n)) for n in self._schema.needed()):
            return [f"{incomplete}: {_PLAINLY}"]
        return [f"{incomplete}: findings.problems[:0] = {self.bind(self._schema.missing)}(payload, payload)"]

    def boxes(self, boxes: Mapping[str, Mapping[str, Source]]) -> list[str]:
        """Lines that fill object fields. Neighbours that look into the same object are ruled out at once."""
        found = [(self._needs(name, members), self._box(name, members)) for name, members in boxes.items()]
        lines: list[str] = []
        for node, neighbours in groupby(found, lambda box: next(iter(box[0])) if len(box[0]) == 1 else ""):
            group = list(neighbours)
            inner = [line for keys, box in group for line in self._guarded(keys, box)]
            every = {node: set().union(*(keys[node] for keys, _ in group))} if node and len(group) > 1 else {}
            lines += self._guarded(every, inner)
        return lines

    def _needs(self, name: str, members: Mapping[str, Source]) -> dict[str, set[str]]:
        """By object, the keys without which a box stays empty; none when it cannot be told by keys alone."""
        keys: dict[str, set[str]] = {}
        for member, source in members.items():
            if not isinstance(source, Paths):
                return {}
            if self._schema.member(name, member):
                for steps in filter(None, (source.first, source.otherwise)):
                    keys.setdefault(self._node(steps[:-1]), set()).add(steps[-1])
        return {} if self._schema.required_members(name) else keys

    def _guarded(self, keys: Mapping[str, set[str]], lines: list[str]) -> list[str]:
        """Only when one of the keys is in its object; without keys, always."""
        present = (
            [f"{name!r} in {node}" for name in sorted(names)]
            if len(names) < _FEW
            else [f"{node} and not {self.bind(frozenset(names))}.isdisjoint({node})"]
            for node, names in keys.items()
        )
        return [f"if {' or '.join(chain.from_iterable(present))}:", *_indented(lines)] if keys else lines

    def _box(self, name: str, members: Mapping[str, Source]) -> list[str]:
        """Lines that fill one object field, in the schema's order; members that it does not know come last."""
        lines: list[str] = []
        for member in self._schema.members(name):
            if member.name in members:
                source, put = members[member.name], self._put_in_box(name, member)
                lines += self._found(source, put) if isinstance(source, Paths) else self._computed(source, put)
        for member_name, source in members.items():
            if not isinstance(source, Paths) and not self._schema.member(name, member_name):
                lines += self._computed(source, ["pass"])
        if required := self._schema.required_members(name):
            lines = ["before = len(findings.problems)", *lines]
            for key, message in reversed(required.items()):
                told = f"findings.problems.insert(before, {message!r})"
                lines += [f"if {key!r} not in box: {_PLAINLY if may_list_nothing(members.get(key)) else told}"]
        return ["box = {}", *lines, "if box:", f"    payload[{name!r}] = box"]

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

    def _computed(self, source: Shaped | Resolver, lines: list[str]) -> list[str]:
        """The lines, for a value of a closure, which is called even if nobody wants the value: it may fail."""
        resolve = source.resolve if isinstance(source, Shaped) else source
        return [
            f"value = {self.bind(resolve)}(event)",
            "if value is not None and value is not UNDEFINED:",
            *_indented(lines),
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
                "    renew()",
                *_indented(self._computed(shaped, [f"{self.bind(fill)}(value, payload, findings)"])),
            ],
        )

    def _list_function(self, field: Field, keys: Mapping[str, str]) -> str:
        """A function from a list to its items. Nulls and texts, of which a list may hold thousands, share theirs."""
        known = {member.name: member for member in field.members if member.name in keys}
        function = f"items{len(self.functions)}"
        lines: list[str] = []
        for name, member in known.items():
            check = self.bind(scalar(member))
            lines += [
                f"if {keys[name]!r} in value:",
                f"    member = value[{keys[name]!r}]",
                f"    item[{name!r}] = member if {_is_kept(member.kind, 'member')} else {check}(member, findings)",
            ]
        order = [name for name in (keys if field.as_written else known) if name in known]
        made = "item" if order == list(known) else f"{{name: item[name] for name in {order!r} if name in item}}"
        self.functions += [
            f"def {function}(values, findings):",
            "    found = []",
            "    for value in values:",
            "        if type(value) is not dict:",
            *_indented(_indented(_indented(self._odd_element(keys, known, order)))),
            "        item = {}",
            *_indented(_indented(lines)),
            f"        found.append({made})",
            "    return found",
        ]
        return function

    def _odd_element(self, keys: Mapping[str, str], known: Mapping[str, Field], order: list[str]) -> list[str]:
        findings = Findings()
        null = {name: scalar(known[name])(None, findings) for name in order}
        lines: list[str] = []
        if not findings.problems:
            lines += ["if value is None:", f"    found.append({self.bind(null)})", "    continue"]
        if not any(map(is_builtin, keys.values())):
            lines += ["if value and type(value) is str:", f"    found.append({self.bind({})})", "    continue"]
        return [*lines, f"value = {self.bind(stand_in(keys[name] for name in order))}(value)"]


def _when_there(lines: list[str]) -> list[str]:
    return ["if value is not None:", *_indented(lines)]
