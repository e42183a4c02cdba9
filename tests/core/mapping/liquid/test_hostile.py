"""Templates that want to loop, grow or nest: little work, and an error or a short text. Work is counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mapping import MappingError, compile_mapping
from relay.core.mapping.liquid.filters import DISABLED, FILTERS
from relay.core.mapping.liquid.rendering import BUDGET

LONGEST = 1000
PAYLOAD: dict[str, Any] = {
    "s": "x" * 30_000,
    "u": "é日\U0001f600" * 8000,
    "l": list(range(8000)),
    "deep": [[[1]]] * 3000,
    "objects": [{"k": 1}] * 5000,
    "html": "<script" * 4000 + "<!--" * 2000 + "<" * 4000,
    "round": "(" * 30_000,
    "marks": "&<>\"'" * 6000,
    "spaces": " \n" * 15_000,
    "percent": "%41" * 10_000,
    "layout": "%a%N" * 7000,
    "digits": "9" * 30_000,
}
HOSTILE = {
    "doubling": "{% assign a = s %}" + "{% assign a = a | append: a %}" * 30 + "{{ a }}",
    "captured": "{% capture a %}x{% endcapture %}" + "{% capture a %}{{a}}{{a}}{% endcapture %}" * 23 + "{{ a }}",
    "replaced": "{{ s | replace: 'x', s }}",
    "replaced between units": "{{ s | replace: '', s }}",
    "removed": "{{ u | remove: '' | remove: '' }}",
    "split": "{{ s | split: '' | join: s }}",
    "joined": "{{ l | join: s }}",
    "deep": "{{ deep | json: 10 }}{{ deep | join }}",
    "padded": "{{ 0 | date: '%99999999d' }}",
    "padded absurdly": "{{ 0 | date: '%" + "9" * 900 + "d' }}",
    "fraction": "{{ 0 | date: '%99999999N' }}",
    "many directives": "{{ 0 | date: layout }}" * 20,
    "flags": "{{ 0 | date: '%" + "0" * 900 + "' }}",
    "dates": "{{ round | date }}{{ digits | date }}" * 15,
    "range": "{{ (1..99999999) }}",
    "ranges": "{{ (1..9999) | json }}" * 30,
    "endless range": "{{ (1..digits) }}{{ (digits..1) }}",
    "markup": "{{ html | strip_html }}" * 20,
    "escaped": "{{ marks | escape | escape | escape | escape | escape | escape }}",
    "encoded": "{{ percent" + " | url_encode" * 50 + " }}",
    "json": "{{ s" + " | json" * 100 + " }}",
    "objects": "{{ objects | json }}{{ objects | where: 'k', 1 | size }}" * 15,
    "sums": "{{ objects | sum: 'a.b.c.d.e.f.g.h.i.j.k' }}" * 18,
    "slugs": "{{ u | slugify }}" * 50,
    "words": "{{ spaces | number_of_words }}{{ spaces | truncatewords }}" * 15,
    "stripped": "{{ s | strip: u }}{{ s | lstrip: 'x' }}" * 20,
    "compared": "{% if l > l %}{% endif %}{% if l == l %}{% endif %}{% if l contains 5.5 %}{% endif %}" * 11,
    "numbers": "{{ l | plus: l | times: l }}" * 30,
    "rounded": "{{ 1 | round: 1000000000 }}{{ 1 | round: digits }}",
    "truncated": "{{ s | truncate: 1000000000, s }}{{ s | slice: 0, 99999999 }}",
    "conditions": "{% if s %}" * 58 + "{% endif %}" * 38,
    "nested": "{%if s%}" * 58 + "{%endif%}" * 58,
    "nested lines": "{% liquid\n" + "if s\n" * 85 + "endif\n" * 85 + "%}",
    "liquid in liquid": "{% " + "liquid " * 140 + "%}",
    "brackets": "{{ " + "a[" * 490 + " }}",
    "parentheses": "{{ " + "(" * 990 + " }}",
    "negations": "{{ " + "not " * 240 + "a }}",
    "operators": "{{ " + "=" * 990 + " }}",
    "bars": "{{ s" + "|abs" * 240 + " }}",
    "raw": "{% raw %}" + "{%endraw{%endraw" * 60,
    "comments": "{% #" + "\n " * 480 + "%}",
    "quotes": "{{ " + "'" * 990,
    "braces": "{" * 1000,
}
MOST_CALLS = 400_000  # of functions, Python's and the interpreter's: some tens of milliseconds at the very worst


def calls_of(work: Callable[[], object]) -> int:
    count = 0

    def counting(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def outcome(template: str, payload: Any) -> str:
    try:
        return str(compile_mapping({"f": {"@liquid": template}})(payload, 0)["f"])
    except MappingError as problem:
        return str(problem)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    template = HOSTILE[name]
    assert len(template) <= LONGEST
    assert len(outcome(template, PAYLOAD)) <= BUDGET
    assert calls_of(lambda: outcome(template, PAYLOAD)) < MOST_CALLS


def test_the_limit_has_liquidjs_words() -> None:
    assert outcome(HOSTILE["doubling"], PAYLOAD).startswith("memory alloc limit exceeded, line:1, col:")


def test_every_event_that_segment_takes_fits() -> None:
    """32 KB of text through several filters."""
    text = outcome("{{ s | strip | upcase | replace: 'X', 'y' | escape | sha256 }}", {"s": "x" * 32_000})
    assert len(text) == 64


def test_a_payload_too_deep_to_walk_is_an_error() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert outcome("{{ d }}", {"d": deep}) == "the event nests too deeply for this mapping"
    while deep:  # taken apart by hand: freeing it at once would recurse as well
        deep = deep.pop()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "k", "size", "toString"]), inner),
    max_leaves=8,
)
GRAMMAR = (
    "{{~}}~{%~%}~{%-~-}}~ if ~ unless ~ endif ~ endunless ~ else ~ elsif ~ assign ~ = ~ capture ~ endcapture ~ comment "
    "~ endcomment ~ raw ~ endraw ~ cycle ~ increment ~ liquid ~\n~ echo ~ block ~ endblock ~ # ~a~k~l~.~[~]~(~)~..~,~:"
    "~'~\"~\\~1~-~2.5~nil~empty~blank~true~ and ~ or ~ not ~ == ~<~>=~ contains ~é~\U0001f600~\ud83d~|~{{ a | ~{{ l | "
    "~ date ~ json ~ slice ~ split ~ join ~ replace ~ round ~ default ~ where ~ sum ~ size ~ first ~ truncate ~ append "
    "~ url_decode ~ slugify ~ base64_decode ~ sample ~ strip_html ~%Y%-e%N%1000d"
)
PIECES = st.sampled_from(GRAMMAR.split("~"))


@given(template=st.lists(PIECES, max_size=25).map("".join), payload=st.dictionaries(st.sampled_from("akl"), JSON))
@settings(max_examples=500, deadline=None)
def test_whatever_is_written_the_outcome_is_a_text_or_an_error(template: str, payload: dict[str, Any]) -> None:
    assert type(outcome(template, payload)) is str


FILTER_NAMES = st.sampled_from([name for name in FILTERS if name not in DISABLED])
ARGUMENTS = st.sampled_from(["a", "k", "l", "1", "-2", "0.5", "'x'", "''", "nil", "empty", "(1..3)", "x: k", "'%s'"])
STEPS = st.tuples(FILTER_NAMES, st.lists(ARGUMENTS, max_size=3)).map(lambda step: f" | {step[0]}: {', '.join(step[1])}")


@given(steps=st.lists(STEPS, min_size=1, max_size=4), payload=st.dictionaries(st.sampled_from("akl"), JSON))
@settings(max_examples=500, deadline=None)
def test_any_filters_on_any_values(steps: list[str], payload: dict[str, Any]) -> None:
    assert type(outcome("{{ a" + "".join(steps) + " }}", payload)) is str
