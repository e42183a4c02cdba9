"""What nobody sends and everybody may: JSON at every place that presets read, mappings of every shape, trigger soup."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from relay.core.mapping.paths import parse_path
from relay.core.mapping.presets import SLUGS, load_presets
from tests.core.mapping.events import LEAVES

Tree = dict[str, Any]
TEXT = st.text(st.characters(codec=None), max_size=12)
NUMBERS = st.sampled_from(
    [0, -0.0, 5e-324, 1.7976931348623157e308, 1e21, 1e20, 2**53 + 1, -(2**63) - 1, 2**64, 10**400, math.inf, math.nan]
)
LONG = st.builds(
    lambda piece, count, tail: piece * count + tail,
    st.sampled_from(
        [" ", "1", "a", "é", "\ud83d", "%41", "&", "(", "+", "1.", "0 ", "\u3000", "[", "{{", "a=1&", "é\0"]
    ),
    st.sampled_from([50, 200, 3_000]),
    st.sampled_from(["", "x", "1", " 2024", "?ttclid=1"]),
)
KEYS = TEXT | st.sampled_from(
    ["", "length", "0", "10", "__proto__", "constructor", "toString", "trim", "a.b", "@path", "$.x", "[0]", "\ud83d"]
)


def nested(depth: int, value: Any) -> Any:
    """The value inside so many lists and objects."""
    for level in range(depth):
        value = [value] if level % 3 else {"a": value}
    return value


DEEP = st.builds(nested, st.sampled_from([5, 64, 65, 300, 2_000]), LEAVES)
SCALARS = LEAVES | TEXT | NUMBERS | LONG
JSON = (
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=8,
    )
    | DEEP
)


def paths(mapping: Any, under: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every path that a mapping reads; those inside an @arrayPath start from its list."""
    if isinstance(mapping, list):
        return {found for element in mapping for found in paths(element, under)}
    if not isinstance(mapping, dict):
        return set()
    if "@path" in mapping:
        return {(*under, *parse_path(mapping["@path"]))}
    if "@arrayPath" in mapping:
        root = (*under, *parse_path(mapping["@arrayPath"][0]))
        return {root} | paths(mapping["@arrayPath"][1:], (*root, "[]"))
    return {found for member in mapping.values() for found in paths(member, under)}


def tree(found: set[tuple[str, ...]]) -> Tree:
    """Paths as nested objects."""
    root: Tree = {}
    for steps in found:
        node = root
        for step in steps:
            node = node.setdefault(step, {})
    return root


def anything_at(node: Tree) -> st.SearchStrategy[Any]:
    """Any JSON here, and often an object with any JSON at the places that are read."""
    if not node:
        return JSON
    places = {name: anything_at(inner) for name, inner in node.items() if name != "[]"}
    proper: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=places)
    if "[]" in node:
        item = anything_at(node["[]"])
        proper = proper | item | st.lists(item, max_size=4)
    return proper | proper | JSON


PRESETS = [preset for slug in SLUGS for preset in load_presets(slug)]
NAMES = sorted({str(preset["subscribe"]).rpartition('"')[0].rpartition('"')[2] for preset in PRESETS})
READ = tree({found for preset in PRESETS for found in paths(preset["mapping"])})
events: st.SearchStrategy[Any] = (
    st.builds(
        lambda event, name, kind: {**event, "event": name, "type": kind},
        st.fixed_dictionaries({}, optional={name: anything_at(node) for name, node in READ.items()}),
        st.sampled_from(NAMES) | JSON,
        st.sampled_from(["track", "page", "identify"]) | JSON,
    )
    | JSON
)

PATHS = st.sampled_from(
    ["$", "$.", "", "$.properties", "$.properties.a[0].b", "properties['x y']", "$.a..b", "$.a.length"]
)
DIRECTIVES = (
    "@path", "@template", "@literal", "@arrayPath", "@excludeWhenNull", "@if", "@case", "@replace", "@flatten", "@json",
    "@merge", "@transform", "@liquid", "@nothing",
)  # fmt: skip
OPTIONS = (
    "exists", "blank", "then", "else", "operator", "value", "pattern", "pattern2", "replacement", "replacement2",
    "ignorecase", "global", "separator", "omitArrays", "mode", "objects", "direction", "apply", "mapping",
)  # fmt: skip
FIELDS = (
    "event",
    "email",
    "contents",
    "address",
    "timestamp",
    "value",
    "event_source",
    "app",
    "lead_fields",
    "no_field",
)
WORDS = st.sampled_from(
    ["lower", "upper", "encode", "decode", "left", "right", ".", "a", "$&$&", "{{properties.a}}", "{{{.}}}", "Lead"]
)


def _directives(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arguments = inner | st.dictionaries(st.sampled_from(OPTIONS), inner, max_size=5) | st.lists(inner, max_size=3)
    return st.dictionaries(st.sampled_from(DIRECTIVES), arguments, min_size=1, max_size=2)


MAPPED = st.recursive(
    PATHS | WORDS | SCALARS,
    lambda inner: (
        _directives(inner)
        | _directives(inner)
        | st.builds(lambda text: {"@path": text}, PATHS)
        | st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | KEYS, inner, max_size=3)
    ),
    max_leaves=14,
)
mappings: st.SearchStrategy[Any] = (
    st.dictionaries(st.sampled_from(FIELDS) | KEYS, MAPPED, max_size=5)
    | st.builds(lambda directive: {"__segment_internal_directive": directive}, MAPPED)
    | MAPPED
    | st.builds(nested, st.sampled_from([95, 101, 3_000]), MAPPED)
)

TOKENS = st.sampled_from(
    ["event", "type", "properties.a", "context.b.c", "traits", "userId", "=", "!=", "<", ">=", "and", "or", "(", ")",
     "!", "contains(", "match(", '"x"', "'y'", '"z*"', "5", "-1.5", "null", "true", ",", ".", "[0]", "\\", "a\\.b"]
)  # fmt: skip
triggers: st.SearchStrategy[str] = st.lists(TOKENS, max_size=14).map(" ".join) | st.lists(TOKENS).map("".join) | TEXT
