"""The written function against the plain way, on events that are as odd as JSON allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mapping import MappingError, load_presets
from relay.core.mapping.directives.resolver import Receipt
from relay.core.mapping.gather import compile_gather, compile_plain_gather
from relay.core.mapping.presets import SLUGS
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.subscription import KITS
from tests.core.mapping.events import events

PRESETS = [(slug, preset) for slug in SLUGS for preset in load_presets(slug)]
GATHERS = [
    tuple(way(preset["mapping"], KITS[slug].schema, Receipt()) for way in (compile_gather, compile_plain_gather))
    for slug, preset in PRESETS
]


def shown(payload: dict[str, Any]) -> str:
    """Tells 1 from True and 1.0; the order of fields, and of members of objects, is the builders' business."""
    fields = {name: sorted(value.items()) if type(value) is dict else value for name, value in payload.items()}
    return repr(sorted(fields.items()))


@given(event=events, which=st.integers(0, len(GATHERS) - 1))
@settings(max_examples=400, deadline=None)
def test_quick_and_plain_agree(event: dict[str, Any], which: int) -> None:
    quick, plain = GATHERS[which]
    of_quick, of_plain = Findings(), Findings()
    quick_payload, plain_payload = quick(event, of_quick), plain(event, of_plain)
    assert of_quick.problems == of_plain.problems
    if not of_plain.problems:
        assert shown(quick_payload) == shown(plain_payload)
        assert sorted(set(of_quick.infinite)) == sorted(set(of_plain.infinite))


MAPPINGS: list[Any] = [
    {"event": "X", "address": {"city": {"@template": "{{properties.a}}"}, "state": {"@path": "$.properties.b"}}},
    {"event": {"@path": "$.event"}, "address": {"@path": "$.properties"}, "unknown": {"@path": "$.properties.a.b.c"}},
    {
        "event": "X",
        "contents": {"@arrayPath": ["$.properties.a", {"content_id": {"@path": "$.b"}, "no": {"@path": "$.c"}}]},
    },
    {
        "event": "X",
        "contents": {"@arrayPath": ["$.properties.a", {"brand": {"@path": "$.b"}, "price": {"@path": "$.c"}}]},
    },
    {"event": "X", "email": {"@path": "$"}, "value": {"@path": "$.properties.a"}, "limited_data_use": True},
    {
        "event": "X",
        "event_source": {"@path": "$.properties.a"},
        "lead_fields": {"lead_id": {"@path": "$.properties.b"}},
    },
    {"event": "X", "event_source": "crm", "num_items": {"@path": "$.properties.b"}},
    {"event": "X", "currency": 5, "value": "12"},
    {"event": "X", "value": "twelve", "query": {"@path": "$.properties.a"}},
    {
        "__segment_internal_directive": {
            "@merge": {"direction": "left", "objects": [{"event": "Y"}, {"@path": "$.properties"}]}
        }
    },
    {"event": ["one"], "content_ids": [{"@path": "$.properties.a"}, 5, None]},
    {},
]
APP_MAPPINGS: list[Any] = [
    {"event_source": "app", "event": "Login", "att_status": "AUTO", "app": {"@path": "$.properties.a"}},
    {"event_source": "app", "event": {"@path": "$.properties.a"}, "att_status": "AUTO", "app": {"app_id": "x"}},
    {"event_source": "app", "event": "Login", "att_status": "AUTO", "app": {"app_id": {"@path": "$.properties.b"}}},
    {"event_source": "app", "event": "Purchase", "att_status": "AUTO", "app": {"app_id": "x"}, "value": 1},
]
CASES = [("tiktok-conversions", mapping) for mapping in MAPPINGS]
CASES += [("tiktok-app-events", mapping) for mapping in APP_MAPPINGS]


@pytest.mark.parametrize(("slug", "mapping"), CASES, ids=range(len(CASES)))
@given(
    values=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            "abc",
            st.from_regex(r"[ab0-9.]{0,3}", fullmatch=True)
            | st.sampled_from(
                [
                    0,
                    1,
                    2.5,
                    1e400,
                    None,
                    True,
                    [],
                    {},
                    ["x"],
                    [None, {"b": "x", "c": "7"}],
                    {"b": {"c": 1}, "c": "1e999"},
                ]
            ),
        ),
    )
)
@settings(max_examples=40, deadline=None)
def test_quick_and_plain_agree_on_custom_mappings(slug: str, mapping: Any, values: dict[str, Any]) -> None:
    schema, event = KITS[slug].schema, {"event": "E", "properties": values}
    of_quick, of_plain = Findings(), Findings()
    quick_payload = compile_gather(mapping, schema, Receipt())(event, of_quick)
    plain_payload = compile_plain_gather(mapping, schema, Receipt())(event, of_plain)
    assert of_quick.problems == of_plain.problems
    if not of_plain.problems:
        assert shown(quick_payload) == shown(plain_payload)


def test_events_never_share_what_the_function_fills() -> None:
    mapping = {"event": "X", "address": {"city": {"@path": "$.city"}}}
    gather = compile_gather(mapping, KITS["tiktok-conversions"].schema, Receipt())
    first, second = gather({"city": "Ulm"}, Findings()), gather({}, Findings())
    assert first["address"] == {"city": "Ulm"}
    assert second["address"] == {}


def test_of_two_directives_that_fail_the_first_one_written_is_named() -> None:
    mapping = {
        "event": "X",
        "address": {"city": {"@case": {"operator": "upside down", "value": {"@path": "$.a"}}}},
        "query": {"@template": {"@path": "$.b"}},
    }
    with pytest.raises(MappingError, match="operator key"):
        compile_gather(mapping, KITS["tiktok-conversions"].schema, Receipt())({"a": "x", "b": 5}, Findings())
