"""Mappings and triggers that grow: a clear error when they are loaded or on the event, and never a long wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from relay.core.mapping import (
    UNDEFINED,
    MappingError,
    TriggerError,
    compile_destination,
    compile_mapping,
    compile_trigger,
)
from relay.core.mapping.budget import ALLOWANCE, ITEM

Json = dict[str, Any]
WITHIN_S = 5.0  # the worst takes a tenth of a second; without limits most would not end in this century
EVENT: Json = {
    "type": "track",
    "text": "a" * 30_000,
    "list": list(range(2_000)),
    "template": "{{" * 200_000,
    "json": "[" * 30_000,
}


def wrapped(levels: int, wrap: Callable[[Any], Any], core: Any) -> Any:
    for _ in range(levels):
        core = wrap(core)
    return core


def path(text: str) -> Json:
    return {"@path": text}


def replaced(value: Any, replacement: str = "a" * 10) -> Json:
    return {"@replace": {"pattern": "a", "replacement": replacement, "value": value}}


def doubled(mapping: Any) -> Json:
    return {"@transform": {"apply": {"a": path("$."), "b": path("$.")}, "mapping": mapping}}


GROWING: dict[str, Any] = {
    "a letter becomes ten, and each of those": wrapped(45, replaced, path("$.text")),
    "all that stands before": replaced(path("$.text"), "$`$`$`"),
    "one placeholder, often": {"@template": "{{text}}" * 500},
    "a list as text, often": {"@template": "{{list}}" * 500},
    "quotes in quotes": wrapped(40, lambda value: {"@json": {"mode": "encode", "value": value}}, path("$.text")),
    "a constant list in each item": wrapped(
        5, lambda shape: {"@arrayPath": [{"@literal": [1] * 200}, {"x": shape}]}, 1
    ),
    "items made of items": wrapped(
        30, lambda items: {"@arrayPath": [items, {"a": path("$."), "b": path("$.")}]}, path("$.list")
    ),
    "a long separator": {
        "@flatten": {"separator": "." * 1_000, "value": wrapped(40, lambda value: {"a": value}, path("$.list"))}
    },
    "one list, merged often": {"@merge": {"direction": "left", "objects": [path("$.list")] * 500}},
    "one text, merged often": {"@merge": {"direction": "left", "objects": [path("$.text")] * 100}},
    "twice the event, as JSON": wrapped(30, doubled, {"x": {"@json": {"mode": "encode", "value": path("$.")}}}),
    "twice the event, flat": wrapped(30, doubled, {"x": {"@flatten": {"separator": ".", "value": path("$.")}}}),
    "twice the event, without nulls": wrapped(30, doubled, {"x": {"@excludeWhenNull": path("$.")}}),
    "twice the event, blank or not": wrapped(30, doubled, {"x": {"@if": {"blank": path("$."), "then": 1}}}),
}
FINE: dict[str, Any] = {
    "braces that nobody closes": {"@template": path("$.template")},
    "more braces": {"@template": "{{{" * 100_000},
    "JSON that nests": {"@json": {"mode": "decode", "value": path("$.json")}},
    "a path of many steps": path("$." + ".".join("a" * 20_000)),
    "many indexes": path("$.a" + "[0]" * 20_000),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "a hundred levels": (wrapped(50, lambda value: {"@if": {"exists": value, "then": 1}}, 1), "nested more than 100"),
    "a hundred thousand levels": (wrapped(100_000, lambda value: [value], 1), "nested more than 100"),
    "fifty thousand fields": ({f"f{number}": 1 for number in range(50_000)}, "holds more than 20,000 values"),
    "a wide list": ({"x": [1] * 20_000}, "holds more than 20,000 values"),
    "no directive": ({"x": {"@nope": 1}}, "/x has an invalid directive: @nope"),
    "a long pattern": ({"x": {"@replace": {"pattern": "a" * 11, "value": "x"}}}, "length 10 or less"),
    "wrong types": ({"x": {"@case": {"operator": 5, "value": []}}}, "/x/@case/operator should be a string"),
}


@pytest.fixture(autouse=True)
def _in_time() -> Any:
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < WITHIN_S


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_fails_on_the_event(name: str) -> None:
    with pytest.raises(MappingError, match="more than 1,048,576 characters"):
        compile_mapping({"x": GROWING[name]})(EVENT)


@pytest.mark.parametrize("name", GROWING)
def test_and_becomes_a_dead_letter(name: str) -> None:
    mapping = {"event": "Lead", "query": GROWING[name], "address": {"city": path("$.city")}}
    destination = compile_destination("tiktok-conversions", "P", [{"subscribe": 'type = "track"', "mapping": mapping}])
    (item,) = destination.items(EVENT, 0)
    assert str(item.error).startswith("the mapping makes more than")
    named = {"subscribe": 'type = "track"', "mapping": {"event": GROWING[name]}}
    assert compile_destination("tiktok-conversions", "P", [named]).matches(EVENT) == ("",)


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_bad_passes(name: str) -> None:
    compile_mapping({"x": FINE[name]})(EVENT)
    compile_destination("tiktok-conversions", "P", [{"subscribe": 'type = "a"', "mapping": {"query": FINE[name]}}])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_or_too_large_is_refused_when_loaded(name: str) -> None:
    mapping, message = REFUSED[name]
    with pytest.raises(MappingError, match=message):
        compile_mapping(mapping)
    with pytest.raises(MappingError, match=message):
        compile_destination("tiktok-conversions", "P", [{"name": "n", "mapping": mapping, "subscribe": 'type = "a"'}])


def test_the_budget_is_that_of_one_event_not_of_all() -> None:
    run = compile_mapping({"x": {"@template": "{{text}}"}})
    for _ in range(ALLOWANCE // 30_000 + 2):
        assert run(EVENT) == {"x": EVENT["text"]}
    fields = compile_destination(
        "tiktok-conversions",
        "P",
        [{"subscribe": 'type = "track"', "mapping": {"event": "E", "query": GROWING_A_LITTLE}}],
    )
    for _ in range(5):
        assert fields.items(EVENT, 0)[0].error is None


GROWING_A_LITTLE = {"@template": "{{text}}" * (ALLOWANCE // 30_000 // 2)}


def test_as_many_items_as_anybody_sends_are_within_the_budget() -> None:
    items = [{"id": number, "title": "t"} for number in range(ALLOWANCE // ITEM // 2)]
    shape = {"content_id": {"@template": "{{id}}"}, "content_name": path("$.title")}
    found = compile_mapping({"x": {"@arrayPath": ["$.items", shape]}})({"items": items})
    assert len(found["x"]) == len(items) > 30_000
    assert found["x"][-1] == {"content_id": str(len(items) - 1), "content_name": "t"}


def test_placeholders_among_braces_are_found_as_the_original_finds_them() -> None:
    texts = {
        "{{a}}": "1",
        "{{{a}}}": "1",
        "{{ {{ a}}": "",  # all of it is one placeholder, and names nothing
        "{{}}{{a}}": "{{}}1",
        "{{a}{{a}}": "{{a}1",
        "{{{a}}": "",
        "{{{a}}}}": "1}",
        "x{{a": "x{{a",
        "{{b}}": "{{a}}",
        "{{{b}}}": "1",
    }
    for text, filled in texts.items():
        assert compile_mapping({"x": {"@template": text}})({"a": 1, "b": "{{a}}"}) == {"x": filled}, text


LONG_TRIGGERS = {
    "open": "(" * 10_000,
    "open and closed": "(" * 10_000 + 'type = "a"' + ")" * 10_000,
    "words": "a " * 24_000,
    "quotes": '"' * 49_999,
    "signs": "+-" * 25_000,
    "dots": "a." * 25_000,
}


@pytest.mark.parametrize("text", LONG_TRIGGERS.values(), ids=LONG_TRIGGERS)
def test_long_triggers_are_read_or_refused_in_time(text: str) -> None:
    with pytest.raises(TriggerError):
        compile_trigger(text)


def test_a_trigger_of_thousands_of_conditions_works_and_a_longer_one_is_refused() -> None:
    text = 'event = "a" or ' * 3_000 + 'type = "b"'
    assert compile_trigger(text)({"type": "b"})
    with pytest.raises(TriggerError, match="longer than 50,000 characters"):
        compile_trigger("x" * 1_000_000)


def test_undefined_costs_nothing() -> None:
    assert compile_mapping({"x": {"@json": {"mode": "encode", "value": path("$.no")}}})({}) == {}
    assert compile_mapping({"@path": "$.no"})({}) is UNDEFINED
