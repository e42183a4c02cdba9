"""Which archived events a replay sends again, and what stops the others. Pure; a dry run asks here, and the replay.

The three clocks of delivery stop an event here already, so that it stays where it is instead of becoming a dead letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from relay.core.archive import Archived, ReplayAsk, Requeue, Target
from relay.core.delivery.account import POISON, Rules, decode
from relay.core.event import DeadReason, JsonObject, StreamKey
from relay.core.segment.identity import identify
from relay.core.segment.select import Route, select
from relay.core.segment.worth import appraise


class Stop(StrEnum):
    """Why an event that was asked for is not sent again. The first four are those of dead letters."""

    OVERLAP = DeadReason.OVERLAP.value
    AMBIGUOUS = DeadReason.AMBIGUOUS.value
    EXPIRED = DeadReason.EXPIRED.value
    UNMAPPABLE = DeadReason.UNMAPPABLE.value
    LOCKED = "locked"  # sealed with a key that is not here: nobody can tell what it is
    UNWANTED = "unwanted"  # no subscription wants it today
    SUPPRESSED = "suppressed"  # it is about somebody whose events are refused
    STANDING_BY = "standing_by"  # its destination does, so it would only wait to lapse
    GONE = "no_destination"  # the configuration does not know its destination any more


class Shop(NamedTuple):
    """A destination as replays see it. ``sends``: what is owed to it from now on may be claimed."""

    route: Route
    rules: Rules
    sends: bool


@dataclass(frozen=True, slots=True)
class View:
    """What decides about an event today: the destinations by name, and which consent categories must not be refused.

    ``feeds``: the routes that are asked for the events of a source. ``refuses``: whether an event is about somebody on
    the list of the suppressed.
    """

    shops: Mapping[str, Shop]
    categories: frozenset[str]
    feeds: Callable[[str], Sequence[Route]]
    refuses: Callable[[JsonObject], bool]


class Judged(NamedTuple):
    """An event that was asked for: how it goes back, or what stops it."""

    event: Archived
    requeue: Requeue | None = None
    stop: Stop | None = None


def judge(event: Archived, ask: ReplayAsk, view: View, now_ms: int) -> Judged | None:
    """What becomes of an event; None when it was not asked for."""
    if not ask.since_ms <= event.received_ms < ask.until_ms:
        return None
    if ask.destination and event.destination not in ("", ask.destination):
        return None
    if event.locked:
        return Judged(event, stop=Stop.LOCKED)
    try:
        body = decode(event.raw)
    except POISON:
        body = None
    if ask.event and (not isinstance(body, dict) or event_name(body) != ask.event):
        return None
    return _judged(event, body, ask, view, now_ms) if isinstance(body, dict) else Judged(event, stop=Stop.UNMAPPABLE)


def _judged(event: Archived, body: JsonObject, ask: ReplayAsk, view: View, now_ms: int) -> Judged:
    """One that was asked for and can be read."""
    if view.refuses(body):
        return Judged(event, stop=Stop.SUPPRESSED)
    try:
        return _own(event, body, view, now_ms) if event.destination else _anybodys(event, body, ask, view, now_ms)
    except POISON:
        return Judged(event, stop=Stop.UNMAPPABLE)


def event_name(body: JsonObject) -> object:
    """What people call it: the name of a track call, the type of any other."""
    return body.get("event") or body.get("type")


def _own(event: Archived, body: JsonObject, view: View, now_ms: int) -> Judged:
    """It was an entry of a destination, and goes back to that one."""
    shop = view.shops.get(event.destination)
    if shop is None:
        return Judged(event, stop=Stop.GONE)
    if (stop := _stop(event, body, shop, now_ms)) is not None:
        return Judged(event, stop=stop)
    if event.delivered:
        return Judged(event, Requeue(event, (Target(StreamKey(event.destination, event.klass)),)))
    wanted, _ = select(body, (shop.route,), False, view.categories)
    if not wanted:
        return Judged(event, stop=Stop.UNWANTED)
    return Judged(event, Requeue(event, (Target(wanted[0]),)))


def _anybodys(event: Archived, body: JsonObject, ask: ReplayAsk, view: View, now_ms: int) -> Judged:
    """Nobody wanted it when it came: it goes to whoever does now.

    Its door judged its ``integrations`` already, and what they forbid to any destination was never archived.
    """
    wanted, _ = select(body, view.feeds(event.source), False, view.categories)
    chosen = [stream for stream in wanted if ask.destination in ("", stream.destination)]
    if not chosen:
        return Judged(event, stop=Stop.UNWANTED)
    stops = {stream: _stop(event, body, view.shops[stream.destination], now_ms) for stream in chosen}
    event_id = identify(body)
    targets = tuple([Target(stream, event_id) for stream, stop in stops.items() if stop is None])
    if not targets:
        return Judged(event, stop=stops[chosen[0]])
    worth, _ = appraise(body)
    return Judged(event, Requeue(event._replace(worth=worth), targets, keep=len(targets) < len(wanted)))


def _stop(event: Archived, body: JsonObject, shop: Shop, now_ms: int) -> Stop | None:
    """What delivery would find: the mapping of today, then the clocks."""
    if not shop.sends:
        return Stop.STANDING_BY
    items = shop.rules.mapping.items(body, event.received_ms // 1000)
    if not items:
        return Stop.UNWANTED
    late = shop.rules.clocks.ended(
        event_time_s=items[0].event_time, received_ms=event.received_ms, first_ms=event.first_ms, now_ms=now_ms
    )
    if late is not None:
        return Stop(late[0].value)
    return Stop.UNMAPPABLE if all(item.error is not None for item in items) else None


@dataclass(slots=True)
class Weighed:
    """What a replay would come to. ``entries`` and ``micros`` (by currency) of each destination; ``looked``: events."""

    entries: Counter[str] = field(default_factory=Counter)
    micros: dict[str, Counter[str]] = field(default_factory=dict)
    stops: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    looked: int = 0
    complete: bool = True

    def add(self, judged: Judged) -> None:
        """One more event."""
        if judged.requeue is None:
            self.stops[judged.stop or ""] += 1
            return
        worth = judged.requeue.event.worth
        for target in judged.requeue.targets:
            name = target.stream.destination
            self.entries[name] += 1
            if worth.micros:
                self.micros.setdefault(name, Counter())[worth.currency] += worth.micros

    @property
    def total_micros(self) -> Counter[str]:
        """Value by currency, all destinations together."""
        total = Counter[str]()
        for micros in self.micros.values():
            total.update(micros)
        return total
