"""All subscriptions of one destination: which of them want an event (asked at intake), and what they make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from relay.core.mapping.compiler import Compiler
from relay.core.mapping.errors import MappingError, TriggerError
from relay.core.mapping.javascript.json import compact
from relay.core.mapping.subscription import KITS, Kit, Mapped, Rejected, compile_item
from relay.core.mapping.trigger import Trigger, compile_trigger
from relay.core.mapping.values import JsonObject


class Item(NamedTuple):
    """What one subscription makes of one event. ``body`` is the compact JSON of ``data``; both are empty on error.

    ``event`` is TikTok's name of it ('' when a failed mapping never said it); ``event_time`` is in seconds.
    """

    subscription: str
    event: str
    event_source: str
    test_event_code: str
    data: JsonObject | None
    error: str | None
    repairs: tuple[str, ...] = ()
    body: bytes = b""
    event_time: int | None = None


@dataclass(frozen=True, slots=True)
class _Subscription:
    """One compiled subscription. ``event_of`` gives TikTok's name of the event without mapping all of it."""

    name: str
    trigger: Trigger
    run: Callable[[JsonObject, int], Mapped | Rejected]
    event_of: Callable[[JsonObject], str]


class DestinationMapping:
    """The subscriptions of one destination, compiled."""

    def __init__(self, kit: Kit, event_source_id: str, subscriptions: Sequence[_Subscription], *, repair: bool) -> None:
        self.event_source_id = event_source_id
        self.repair = repair
        self._default_source = kit.source
        # Nearly every trigger is `event = "…"` or `type = "…"`: those are looked up, the others are asked in turn.
        self._by_event: dict[str, list[tuple[int, _Subscription]]] = {}
        self._by_type: dict[str, list[tuple[int, _Subscription]]] = {}
        self._others: list[tuple[int, _Subscription]] = []
        for place in enumerate(subscriptions):
            literal = place[1].trigger.literal
            if literal is None:
                self._others.append(place)
            else:
                table = self._by_event if literal[0] == "event" else self._by_type
                table.setdefault(literal[1], []).append(place)

    def matches(self, event: Any) -> tuple[str, ...]:
        """TikTok's names of the events that the matching subscriptions would send; empty when nobody wants it."""
        return tuple(subscription.event_of(event) for subscription in self._wanted(event))

    def items(self, event: Any, received_s: int) -> list[Item]:
        """One item per matching subscription, in their order; none when nothing matches (any more).

        ``received_s`` stands in for a missing timestamp. Never raises for what an event holds.
        """
        return [self._item(subscription, event, received_s) for subscription in self._wanted(event)]

    def _wanted(self, event: Any) -> list[_Subscription]:
        if type(event) is not dict:
            return []
        name, kind = event.get("event"), event.get("type")
        found = list(self._by_event.get(name, ())) if type(name) is str else []
        if type(kind) is str:
            found += self._by_type.get(kind, ())
        found += [place for place in self._others if _may_match(place[1].trigger, event)]
        if len(found) > 1:
            found.sort(key=lambda place: place[0])
        return [subscription for _, subscription in found]

    def _item(self, subscription: _Subscription, event: JsonObject, received_s: int) -> Item:
        result = _mapped(subscription, event, received_s)
        if isinstance(result, Rejected):
            return self._failed(subscription, event, result.message)
        if result.doubts:
            return self._failed(subscription, event, "; ".join(result.doubts))
        built = result.built
        data = built.item
        return Item(
            subscription=subscription.name,
            event=data["event"],
            event_source=built.event_source,
            test_event_code=built.test_event_code,
            data=data,
            error=None,
            body=compact(data),
            event_time=data["event_time"],
        )

    def _failed(self, subscription: _Subscription, event: JsonObject, message: str) -> Item:
        return Item(
            subscription=subscription.name,
            event=subscription.event_of(event),
            event_source=self._default_source,
            test_event_code="",
            data=None,
            error=message,
        )


def _may_match(trigger: Trigger, event: JsonObject) -> bool:
    """A trigger that fails on an event wants it: the failure is then told, as a dead letter."""
    try:
        return trigger(event)
    except TriggerError:
        return True


def _mapped(subscription: _Subscription, event: JsonObject, received_s: int) -> Mapped | Rejected:
    if subscription.trigger.literal is None:
        try:
            subscription.trigger(event)
        except TriggerError as failure:
            return Rejected(str(failure))
    return subscription.run(event, received_s)


def compile_destination(
    slug: str, event_source_id: str, subscriptions: Sequence[Mapping[str, Any]], *, repair: bool = True
) -> DestinationMapping:
    """Subscriptions as in presets, or as Segment's Public API returns them ("trigger" and "settings").

    ``repair`` allows changes to an event that Segment would reject; no repair rule exists yet, so nothing is changed.
    Raises MappingError with every problem of every enabled subscription; KeyError for an unknown slug.
    """
    kit = KITS[slug]
    problems: list[str] = []
    compiled: list[_Subscription] = []
    names: set[str] = set()
    for number, subscription in enumerate(subscriptions, 1):
        if subscription.get("enabled", True) is not False:
            name = _unique(subscription.get("name") or f"subscription {number}", names)
            found = _compiled(kit, name, subscription, problems)
            compiled += [found] if found else []
    if problems:
        raise MappingError(problems)
    return DestinationMapping(kit, event_source_id, compiled, repair=repair)


def _unique(name: Any, taken: set[str]) -> str:
    """Names tell items of one event apart, so the second "Purchase" becomes "Purchase (2)"."""
    text, number = str(name), 2
    while text in taken:
        text, number = f"{name} ({number})", number + 1
    taken.add(text)
    return text


def _compiled(kit: Kit, name: str, subscription: Mapping[str, Any], problems: list[str]) -> _Subscription | None:
    mapping = subscription.get("mapping", subscription.get("settings"))
    trigger = run = None
    try:
        trigger = compile_trigger(subscription.get("subscribe", subscription.get("trigger", "")))
    except TriggerError as problem:
        problems.append(f"{name}: trigger: {problem}")
    try:
        run = compile_item(kit, mapping)
    except MappingError as problem:
        problems += [f"{name}: {text}" for text in problem.errors]
    if trigger is None or run is None:
        return None
    return _Subscription(name, trigger, run, _event_of(mapping))


def _event_of(mapping: Any) -> Callable[[JsonObject], str]:
    """TikTok's event name as the mapping says it; '' when it depends on more than this one field."""
    named = mapping.get("event", "") if type(mapping) is dict else ""
    if type(named) is str:
        return lambda _event: named
    resolve = Compiler().value(named)

    def resolved(event: JsonObject) -> str:
        try:
            found = resolve(event)
        except (MappingError, RecursionError):
            return ""
        return found if type(found) is str else ""

    return resolved
