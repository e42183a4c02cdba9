"""Whatever an event, a mapping or a trigger holds: a result or a reason, and nothing else ever leaves the mapper.

A slice runs with every test, always the same one; ``make proof`` runs the full numbers, always the same ones too, and
``make fuzz`` new ones each time (it says how to see them again).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from relay.core.mapping import (
    DestinationMapping,
    Item,
    MappingError,
    Rejected,
    Request,
    TriggerError,
    compile_destination,
    compile_mapping,
    compile_subscription,
    compile_trigger,
    load_presets,
)
from relay.core.mapping.presets import SLUGS
from tests.core.mapping.golden import NOW, SETTINGS
from tests.core.mapping.hostile import events, mappings, triggers

NEW_DICE = "RELAY_FUZZ" in os.environ
EVENTS, MAPPINGS = 50_000, 5_000
STALL_S = 5.0  # a hundred times anything met, so that a busy machine passes and a bomb does not

Subscription = Callable[[Any, int], Request | Rejected | None]
DESTINATIONS = [
    compile_destination(slug, "ID", load_presets(slug), repair=repair) for slug in SLUGS for repair in (True, False)
]
SUBSCRIPTIONS: list[Subscription] = [
    compile_subscription(slug, SETTINGS[slug], preset) for slug in SLUGS for preset in load_presets(slug)
]
SLICE = settings(max_examples=400, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


def full(examples: int) -> settings:
    """So many examples, with what is needed to see one again."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=not NEW_DICE,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def sound(item: Item) -> None:
    if item.data is None:
        assert item.error
        assert item.body == b""
        return
    assert item.error is None
    assert type(item.event_time) is int
    # A lone surrogate is sent as Segment sends it, escaped; orjson alone refuses to read that.
    read = json.loads(item.body) if b"\\ud" in item.body else orjson.loads(item.body)
    assert list(read) == list(item.data)


def has_reasons(problem: MappingError | TriggerError) -> None:
    assert str(problem)
    if isinstance(problem, MappingError):
        assert all(type(text) is str for text in problem.errors)


def destinations_hold(event: Any) -> None:
    for destination in DESTINATIONS:
        items = destination.items(event, NOW)
        assert len(items) == len(destination.matches(event))
        for item in items:
            sound(item)


def subscriptions_hold(event: Any) -> None:
    for subscription in SUBSCRIPTIONS:
        answer = subscription(event, NOW)
        if isinstance(answer, Request):
            assert len(answer.body["data"]) == 1
        elif answer is not None:
            assert answer.message


def mapping_holds(mapping: Any, event: Any) -> None:
    started = time.perf_counter()
    try:
        compile_mapping(mapping)(event)
    except MappingError as problem:
        has_reasons(problem)
    for slug in SLUGS:
        subscription = {"subscribe": 'type = "track"', "mapping": mapping}
        compile_subscription(slug, SETTINGS[slug], subscription)(event, NOW)
        destination = compiled(slug, subscription)
        for item in destination.items(event, NOW) if destination else []:
            sound(item)
    assert time.perf_counter() - started < STALL_S


def compiled(slug: str, subscription: dict[str, Any]) -> DestinationMapping | None:
    try:
        return compile_destination(slug, "ID", [subscription])
    except MappingError as problem:
        has_reasons(problem)
        return None


def trigger_holds(text: str, event: Any) -> None:
    try:
        assert type(compile_trigger(text)(event if type(event) is dict else {})) is bool
    except TriggerError as problem:
        has_reasons(problem)


@given(event=events)
@SLICE
def test_any_event(event: Any) -> None:
    destinations_hold(event)
    subscriptions_hold(event)


@given(mapping=mappings, event=events)
@SLICE
def test_any_mapping(mapping: Any, event: Any) -> None:
    mapping_holds(mapping, event)


@given(text=triggers, event=events)
@SLICE
def test_any_trigger(text: str, event: Any) -> None:
    trigger_holds(text, event)


@pytest.mark.proof
@pytest.mark.timeout(7_200)
@given(event=events)
@full(EVENTS)
def test_any_event_in_full(event: Any) -> None:
    destinations_hold(event)
    subscriptions_hold(event)


@pytest.mark.proof
@pytest.mark.timeout(7_200)
@given(mapping=mappings, event=events)
@full(MAPPINGS)
def test_any_mapping_in_full(mapping: Any, event: Any) -> None:
    mapping_holds(mapping, event)


@pytest.mark.proof
@pytest.mark.timeout(7_200)
@given(text=triggers, event=events)
@full(MAPPINGS)
def test_any_trigger_in_full(text: str, event: Any) -> None:
    trigger_holds(text, event)
