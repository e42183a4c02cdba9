"""Arguments that only a list can hide from validation: they fail on the event, in Segment's words."""

from __future__ import annotations

from typing import Any

import pytest

from relay.core.mapping import UNDEFINED, MappingError, compile_mapping

EVENT = {"name": "Ada", "n": 5, "list": [1, 2], "none": None, "deep": {"a": {"b": 1}}}
FAULTS: list[tuple[Any, str]] = [
    ({"@path": 5}, "@path: expected string, got number"),
    ({"@template": []}, "@template: expected string, got array"),
    ({"@if": "x"}, '@if requires an object with an "exists" key'),
    ({"@if": {"then": 1}}, '@if requires an "exists" key or a "blank" key'),
    ({"@case": 5}, '@case requires an object with a "operator" key'),
    ({"@case": {"value": "x"}}, '@case requires a "operator" key'),
    ({"@case": {"operator": "LOWER", "value": "x"}}, 'operator key should have a value of "lower" or "upper"'),
    ({"@replace": 5}, '@replace requires an object with a "pattern" key'),
    ({"@replace": {"value": "x"}}, '@replace requires a "pattern" key'),
    ({"@replace": {"pattern": "a" * 11, "value": "x"}}, '@replace requires a "pattern" less than 10 characters'),
    ({"@arrayPath": "x"}, "@arrayPath expected array, got string"),
    ({"@flatten": 5}, '@flatten requires an object with a "separator" key'),
    ({"@flatten": {"value": 1}}, '@flatten requires a "separator" key'),
    ({"@flatten": {"separator": 5, "value": 1}}, "@flatten requires a string separator"),
    ({"@json": 5}, '@json requires an object with a "value" key'),
    ({"@json": {"value": 1}}, '@json requires a "mode" key'),
    ({"@json": {"mode": "encode"}}, '@json requires a "value" key'),
    ({"@merge": 5}, '@merge requires an object with an "objects" key and a "direction" key'),
    ({"@merge": {"objects": [1]}}, '@merge requires a "direction" key'),
    ({"@merge": {"direction": "left"}}, '@merge requires a "objects" key'),
    ({"@merge": {"direction": "left", "objects": {"a": 1}}}, "@merge: expected opts.array, got object"),
    ({"@transform": 5}, '@transform requires an object with an "apply" key and a "mapping" key'),
    ({"@transform": {"apply": {"a": 1}}}, '@transform requires a "mapping" key'),
    ({"@transform": {"mapping": {"a": 1}}}, '@transform requires a "apply" key'),
    ({"@transform": {"apply": [1], "mapping": {"a": 1}}}, '@transform "apply" key should be an object'),
    ({"@transform": {"apply": {"a": {"@no": 1}}, "mapping": {"a": 1}}}, "/a has an invalid directive: @no."),
    ({"@nothing": 5}, "@nothing is not a valid directive, got undefined"),
]
FINE: list[tuple[Any, Any]] = [
    ({"@path": {"@template": "$.n{{none}}"}}, 5),
    ({"@path": {"@path": "$.missing"}}, MappingError),
    ({"@json": {"mode": "other", "value": 1}}, UNDEFINED),
    ({"@case": {"operator": "upper"}}, UNDEFINED),
    ({"@replace": {"pattern": "a", "value": ""}}, UNDEFINED),
    ({"@replace": {"pattern": "a", "value": {"@path": "$.list"}}}, ""),
    ({"@replace": {"pattern": "a", "replacement": [None], "value": "x"}}, ""),
    ({"@replace": {"pattern": "a", "replacement": None, "value": "cat"}}, "ct"),
    ({"@replace": {"pattern": 5, "value": "x5"}}, ""),
    ({"@replace": {"pattern": "a", "ignorecase": "yes", "value": "x"}}, ""),
    ({"@replace": {"pattern": "a", "global": 0, "value": "x"}}, ""),
    ({"@json": {"mode": "other", "value": {"@path": 5}}}, MappingError),
    ({"@flatten": {"separator": ".", "value": {"@path": "$.deep"}}}, {"a.b": 1}),
    ({"@merge": {"direction": "right", "objects": [{"a": 1}, {"a": {"@path": "$.missing"}}]}}, {}),
    ({"@merge": {"direction": "left", "objects": [{"a": 1}, {"a": 2, "b": 3}]}}, {"a": 1, "b": 3}),
]


@pytest.mark.parametrize(("mapping", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults_inside_lists(mapping: Any, message: str) -> None:
    run = compile_mapping({"f": [mapping]})
    with pytest.raises(MappingError) as caught:
        run(EVENT)
    assert caught.value.errors == [message]


@pytest.mark.parametrize(("mapping", "value"), FINE, ids=range(len(FINE)))
def test_values_inside_lists(mapping: Any, value: Any) -> None:
    run = compile_mapping({"f": [mapping]})
    if value is MappingError:
        with pytest.raises(MappingError):
            run(EVENT)
    else:
        assert run(EVENT) == {"f": [value]}


def test_an_object_that_names_its_own_text_cannot_become_text() -> None:
    with pytest.raises(MappingError):
        compile_mapping({"f": {"@template": "{{o}}"}})({"o": {"toString": 1}})


def test_directives_without_a_first_key_are_plain_data() -> None:
    assert compile_mapping({"f": [{"_metadata": {}, "a": 1}]})({}) == {"f": [{"_metadata": {}, "a": 1}]}
    assert repr(UNDEFINED) == "UNDEFINED"
    assert not UNDEFINED


def test_what_a_root_directive_stores_on_a_list_shows_nowhere() -> None:
    root = {"__segment_internal_directive": {"@literal": [{"a": {"@path": "$.n"}}]}, "y": 1}
    assert compile_mapping(root)(EVENT) == [{"a": 5}]


def test_a_half_character_is_escaped_in_messages() -> None:
    with pytest.raises(MappingError, match=r'but it is "decode\\ud83d"\.'):
        compile_mapping({"f": {"@json": {"mode": "decode\ud83d", "value": 1}}})
