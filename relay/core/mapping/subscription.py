"""One subscription of one destination: trigger, mapping, schema, builder; from an event to Segment's own request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay.core.mapping.directives.resolver import Receipt
from relay.core.mapping.errors import MappingError, TriggerError
from relay.core.mapping.gather import compile_gather
from relay.core.mapping.repair import Stage
from relay.core.mapping.schema.coercion import Findings
from relay.core.mapping.schema.schema import MISSING, Schema
from relay.core.mapping.schema.settings import admitted_settings
from relay.core.mapping.trigger import compile_trigger
from relay.core.mapping.values import UNDEFINED, JsonObject, is_number
from relay.core.tiktok.app_items import app_item
from relay.core.tiktok.fields import app, offline, web
from relay.core.tiktok.fields.field import Field, text
from relay.core.tiktok.items import Builder, Built, offline_item, web_item


@dataclass(frozen=True, slots=True)
class Kit:
    """What makes one of Segment's TikTok destinations: where its source id stands, its fields, its builder."""

    slug: str
    source: str  # TikTok's event source, unless the mapping says otherwise
    source_setting: Field
    schema: Schema
    build: Builder


KITS = {
    kit.slug: kit
    for kit in (
        Kit("tiktok-conversions", "web", text("pixelCode", "Pixel Code"), Schema(web.FIELDS, web.DEMANDS), web_item),
        Kit("tiktok-app-events", "app", text("appID", "App ID"), Schema(app.FIELDS, app.DEMANDS), app_item),
        Kit(
            "tiktok-offline-conversions",
            "offline",
            text("eventSetID", "Event Set ID"),
            Schema(offline.FIELDS, offline.DEMANDS),
            offline_item,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Request:
    """The body of Segment's request, without its partner name."""

    body: JsonObject


@dataclass(frozen=True, slots=True)
class Rejected:
    """Segment refuses to send this event; ``message`` is Segment's.

    ``stage``: where it failed. ``build``: every field was right, and still no item can be made of them; ``audience`` is
    a look at the context after everything else; ``hopeless``: something is missing, or more is wrong
    than anybody meant well.
    """

    message: str
    stage: Stage = field(default="mapping", compare=False)


@dataclass(frozen=True, slots=True)
class Unsendable:
    """An item that Segment builds and sends, and that TikTok cannot take. ``doubts`` say why."""

    built: Built
    doubts: tuple[str, ...]


MOST_PROBLEMS = 200  # beyond them an event is not read once more: looking costs more than the event is worth
# Segment looks for audience metadata after validation, and fails on nulls. The words are those of its engine.
_AUDIENCE_FAILURE = "Cannot read properties of null (reading 'personas')"


def compile_item(kit: Kit, mapping: Any) -> Callable[[JsonObject, int], Built | Unsendable | Rejected]:
    """From a matching event to its item. Raises MappingError with every problem of the mapping."""
    receipt = Receipt()
    gather = compile_gather({} if mapping is None else mapping, kit.schema, receipt)
    build = kit.build

    def run(event: JsonObject, now: int) -> Built | Unsendable | Rejected:
        findings = Findings()
        receipt.at_ms = now * 1000
        try:
            payload = gather(event, findings)
        except MappingError as problem:
            return Rejected(str(problem))
        except RecursionError:
            # Only an event that nests some hundred levels deep gets here; the stack is intact again.
            return Rejected("the event nests too deeply for this mapping")
        if findings.problems:
            return Rejected(" ".join(findings.problems), _stage(findings.problems))
        context = event.get("context", UNDEFINED)
        if context is None or (type(context) is dict and context.get("personas", UNDEFINED) is None):
            return Rejected(_AUDIENCE_FAILURE, "audience")
        built = build(payload, now)
        if not isinstance(built, Built):
            return Rejected(built.message, "build")
        if findings.infinite or built.item["event_time"] is None:
            return Unsendable(built, _doubts(built, findings))
        return built

    return run


def _stage(problems: Sequence[str]) -> Stage:
    """Whether reading values once more may help: a field that is not there stays away."""
    hopeless = len(problems) > MOST_PROBLEMS or any(MISSING in problem for problem in problems)
    return "hopeless" if hopeless else "mapping"


def _doubts(built: Built, findings: Findings) -> tuple[str, ...]:
    doubts = tuple(f"{title} is infinite, which TikTok cannot take" for title in dict.fromkeys(findings.infinite))
    if built.item["event_time"] is None:
        doubts += ("Event Timestamp is no date that Segment understands, so event_time is null",)
    return doubts


def compile_subscription(
    slug: str, settings: Mapping[str, Any], subscription: Mapping[str, Any]
) -> Callable[[Any, int], Request | Rejected | None]:
    """One subscription exactly as Segment runs it, faults and all: nothing is raised for what Segment lets pass.

    An invalid trigger matches nothing; an invalid mapping rejects every event that matches. ``now`` is in seconds.
    Raises KeyError for an unknown slug.
    """
    kit = KITS[slug]
    source_id, refusal = admitted_settings(settings, kit.source_setting)
    if refusal:
        return lambda _event, _now: Rejected(refusal)
    try:
        trigger = compile_trigger(subscription.get("subscribe", ""))
    except TriggerError:
        return lambda _event, _now: None
    run = _compiled_or_rejecting(kit, subscription.get("mapping"))

    def requested(event: Any, now: int) -> Request | Rejected | None:
        try:
            if type(event) is not dict or not trigger(event):
                return None
        except TriggerError as failure:
            return Rejected(str(failure))
        result = run(event, now)
        return result if isinstance(result, Rejected) else Request(_body(source_id, result))

    return requested


def _compiled_or_rejecting(kit: Kit, mapping: Any) -> Callable[[JsonObject, int], Built | Unsendable | Rejected]:
    try:
        return compile_item(kit, mapping)
    except MappingError as problem:
        message = str(problem)
        return lambda _event, _now: Rejected(message)


def _body(source_id: str, result: Built | Unsendable) -> JsonObject:
    built = result.built if isinstance(result, Unsendable) else result
    body: JsonObject = {"event_source": built.event_source, "event_source_id": source_id}
    if built.test_event_code:
        body["test_event_code"] = built.test_event_code
    body["data"] = [_finite(built.item) if isinstance(result, Unsendable) else built.item]
    return body


def _finite(value: Any) -> Any:
    """Infinite numbers as null, which is what JSON makes of them."""
    if type(value) is dict:
        return {key: _finite(member) for key, member in value.items()}
    if type(value) is list:
        return [_finite(item) for item in value]
    return None if is_number(value) and value in _INFINITE else value


_INFINITE = frozenset({float("inf"), float("-inf")})
