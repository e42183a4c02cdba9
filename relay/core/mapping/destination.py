"""All subscriptions of one destination: which of them want an event (asked at intake), and what they make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from relay.core.event import NO_WORTH, Worth
from relay.core.mapping.compiler import compile_part
from relay.core.mapping.errors import MappingError, TriggerError
from relay.core.mapping.json_text import compact
from relay.core.mapping.repair import Mend, Mended, Repair, compile_mend
from relay.core.mapping.subscription import KITS, Kit, Rejected, Unsendable, compile_item
from relay.core.mapping.syntax import ROOT_KEY
from relay.core.mapping.trigger import Trigger, compile_trigger
from relay.core.mapping.values import JsonObject
from relay.core.segment.worth import appraise
from relay.core.tiktok.items import Built
from relay.core.tiktok.validity import Caution, cautions, doom


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
    repairs: tuple[Repair, ...] = ()
    body: bytes = b""
    event_time: int | None = None
    received_s: int = 0

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What is odd about an item that can be sent; found when somebody asks."""
        if self.data is None:
            return ()
        return cautions(self.event_source, self.data, self.body, self.received_s)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is counted of it once TikTok has taken it: rules and cautions by name."""
        odd = self.cautions
        if not self.repairs:
            return odd
        return (*dict.fromkeys(repair.rule for repair in self.repairs), *odd)

    @property
    def worth(self) -> Worth:
        """The value TikTok is told, in the books' measure; nothing when it is no value that books can hold."""
        if self.data is None or "value" not in self.data["properties"]:
            return NO_WORTH  # most items, and asked of each
        return appraise(self.data).worth


_Run = Callable[[JsonObject, int], Built | Unsendable | Rejected]


@dataclass(frozen=True, slots=True)
class _Subscription:
    """One compiled subscription. ``event_of`` gives TikTok's name of the event without mapping all of it.

    ``names``: that name alone where the mapping says it word for word, as presets do; else empty.
    """

    name: str
    place: int
    trigger: Trigger
    run: _Run
    event_of: Callable[[JsonObject], str]
    names: tuple[str, ...]
    mend: Mend | None  # None: whatever Segment rejects stays rejected


class DestinationMapping:
    """The subscriptions of one destination, compiled."""

    def __init__(self, kit: Kit, event_source_id: str, subscriptions: Sequence[_Subscription], *, repair: bool) -> None:
        self.event_source_id = event_source_id
        self.repair = repair
        self._default_source = kit.source
        # Nearly every trigger is `event = "…"` or `type = "…"`: those are looked up, the others are asked in turn.
        self._by_event: dict[str, tuple[_Subscription, ...]] = {}
        self._by_type: dict[str, tuple[_Subscription, ...]] = {}
        self._others: tuple[_Subscription, ...] = ()
        for subscription in subscriptions:
            literal = subscription.trigger.literal
            if literal is None:
                self._others += (subscription,)
            else:
                table = self._by_event if literal[0] == "event" else self._by_type
                table[literal[1]] = (*table.get(literal[1], ()), subscription)

    def matches(self, event: Any) -> tuple[str, ...]:
        """TikTok's names of the events that the matching subscriptions would send; empty when nobody wants it."""
        wanted = self._wanted(event)
        if len(wanted) == 1:  # nearly always, and asked for every event that comes in
            only = wanted[0]
            return only.names or (only.event_of(event),)
        return tuple([subscription.event_of(event) for subscription in wanted])

    def items(self, event: Any, received_s: int) -> list[Item]:
        """One item per matching subscription, in their order; none when nothing matches (any more).

        ``received_s`` stands in for a missing timestamp. Never raises for what an event holds.
        """
        wanted = self._wanted(event)
        if len(wanted) == 1:
            return [self._item(wanted[0], event, received_s)]
        return [self._item(subscription, event, received_s) for subscription in wanted]

    def _wanted(self, event: Any) -> Sequence[_Subscription]:
        """Asked for every event that comes in and for every entry that goes out, so the usual answer comes first."""
        if type(event) is not dict:
            return ()
        name, kind = event.get("event"), event.get("type")
        by_event = self._by_event.get(name, ()) if type(name) is str else ()
        by_type = self._by_type.get(kind, ()) if type(kind) is str else ()
        if self._others or (by_event and by_type):
            others = (subscription for subscription in self._others if _may_match(subscription.trigger, event))
            return sorted((*by_event, *by_type, *others), key=_place)
        return by_event or by_type

    def _item(self, subscription: _Subscription, event: JsonObject, received_s: int) -> Item:
        result = subscription.run(event, received_s)
        repairs: tuple[Repair, ...] = ()
        if not isinstance(result, Built):
            mended = self._mended(subscription, event, received_s, result)
            if mended is None:
                return self._failed(subscription, event, result)
            result, repairs = mended
        source, test_event_code, data = result
        if (source != "web" or not data["event"]) and (doomed := doom(source, data)):
            return Item(subscription.name, data["event"], source, test_event_code, None, doomed, repairs)
        body, moment = compact(data), data["event_time"]
        name = data["event"]
        return Item(subscription.name, name, source, test_event_code, data, None, repairs, body, moment, received_s)

    def _mended(
        self, subscription: _Subscription, event: JsonObject, received_s: int, result: Unsendable | Rejected
    ) -> Mended | None:
        if subscription.mend is None:
            return None
        return subscription.mend(event, received_s, result.stage if isinstance(result, Rejected) else "mapping")

    def _failed(self, subscription: _Subscription, event: JsonObject, result: Unsendable | Rejected) -> Item:
        message = result.message if isinstance(result, Rejected) else "; ".join(result.doubts)
        return Item(subscription.name, subscription.event_of(event), self._default_source, "", None, message)


def _place(subscription: _Subscription) -> int:
    return subscription.place


def _may_match(trigger: Trigger, event: JsonObject) -> bool:
    """A trigger that fails on an event wants it: the failure is then told, as a dead letter."""
    try:
        return trigger(event)
    except TriggerError:
        return True


def compile_destination(
    slug: str, event_source_id: str, subscriptions: Sequence[Mapping[str, Any]], *, repair: bool = True
) -> DestinationMapping:
    """Subscriptions as in presets, or as Segment's Public API returns them ("trigger" and "settings").

    ``repair`` allows changes to an event that Segment would reject (see ``repair``).
    Raises MappingError with every problem of every enabled subscription; KeyError for an unknown slug.
    """
    kit = KITS[slug]
    problems: list[str] = []
    compiled: list[_Subscription] = []
    names: set[str] = set()
    for number, subscription in enumerate(subscriptions, 1):
        if subscription.get("enabled", True) is not False:
            name = _unique(subscription.get("name") or f"subscription {number}", names)
            found = _compiled(kit, name, number, subscription, problems, repair=repair)
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


def _compiled(
    kit: Kit, name: str, place: int, subscription: Mapping[str, Any], problems: list[str], *, repair: bool
) -> _Subscription | None:
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
    named = mapping.get("event") if type(mapping) is dict and ROOT_KEY not in mapping else None
    names = (named,) if type(named) is str else ()
    mend = compile_mend({} if mapping is None else mapping, kit.schema, kit.build) if repair else None
    return _Subscription(name, place, trigger, _guarded(trigger, run), _event_of(mapping), names, mend)


def _guarded(trigger: Trigger, run: _Run) -> _Run:
    """A trigger that fails is Segment's reason to reject the event; literal ones cannot."""
    if trigger.literal:
        return run

    def guarded(event: JsonObject, now: int) -> Built | Unsendable | Rejected:
        try:
            trigger(event)
        except TriggerError as failure:
            return Rejected(str(failure), "trigger")
        return run(event, now)

    return guarded


def _event_of(mapping: Any) -> Callable[[JsonObject], str]:
    """TikTok's event name as the mapping says it; '' when it depends on more than this one field."""
    named = mapping.get("event", "") if type(mapping) is dict and ROOT_KEY not in mapping else ""
    if type(named) is str:
        return lambda _event: named
    resolve = compile_part(named)

    def resolved(event: JsonObject) -> str:
        try:
            found = resolve(event)
        except (MappingError, RecursionError):
            return ""
        if type(found) is list and len(found) == 1:  # sent as its element, as Segment coerces it
            found = found[0]
        return found if type(found) is str else ""

    return resolved
