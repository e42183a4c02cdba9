from __future__ import annotations

from typing import Any

from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.event import JsonObject
from relay.core.notices import Why
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.select import Route
from relay.core.segment.timing import format_time
from relay.engine.prospects import Prospects
from relay.engine.suppression import Suppression
from tests.twins.clock import START_MS, FakeClock
from tests.twins.people import MemorySuppressions
from tests.twins.tiktok import PlainMapping

DAY_MS = 86_400_000


def matches(event: JsonObject) -> tuple[str, ...]:
    return ("CompletePayment",) if event.get("event") == "Order Completed" else ()


def order(number: int, **more: object) -> JsonObject:
    properties = {"value": 2.5, "currency": "eur"}
    event: JsonObject = {"type": "track", "event": "Order Completed", "messageId": f"m{number}", "id": str(number)}
    return event | {"properties": properties, **more}


async def test_events_are_selected_appraised_and_judged_by_the_clocks_of_each_destination() -> None:
    names = {"web": Clocks(shared=True), "crm": Clocks(shared=False)}
    routes = [Route(name, frozenset({name}), matches, frozenset()) for name in names]
    clock = FakeClock(START_MS)
    suppression = Suppression(MemorySuppressions(), clock, lambda _notice: None)
    await suppression.add(["user:forgotten"])
    prospects = Prospects(
        lambda source: routes if source == "shop" else [],
        lambda name: Rules(PlainMapping(), names[name], "", Limits()),
        clock,
        suppression,
    )
    long_ago = format_time(START_MS - 3 * DAY_MS)
    items: list[Any] = [order(number, receivedAt=long_ago) for number in range(25)] + [
        order(90),
        order(91, receivedAt="?"),
    ]
    items += [
        order(92, integrations={"crm": False}),
        {"type": "track", "event": "Unheard Of"},
        order(93, userId="forgotten"),
        {"no": "event"},
        7,
    ]
    items.append({"userId": "forgotten", "no": "event"})
    foreseen = await prospects.foresee(Decoded(items, lambda item: webhook_event(item, None, 64)), "shop")
    assert foreseen.events == 33
    assert foreseen.misfits == {Why.NOT_AN_EVENT: 1, Why.BAD_SHAPE: 1}
    assert foreseen.filtered == {Why.NO_SUBSCRIPTION: 1, Why.SUPPRESSED: 2}
    seen = {
        (name, outcome): (share.entries, dict(share.value_micros))
        for name, prospect in foreseen.wanted.items()
        for outcome, share in prospect.shares.items()
    }
    assert seen == {
        ("web", "overlap"): (25, {"EUR": 62_500_000}),
        ("web", "sendable"): (3, {"EUR": 7_500_000}),
        ("crm", "sendable"): (27, {"EUR": 67_500_000}),
    }
