from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, Event, JsonObject, StreamKey, Worth
from relay.core.notices import EventsReceived, Notice, Outcome, StoreLost, Why, WorthIgnored
from relay.core.segment.decode import Decoded, Misfit, webhook_event
from relay.core.segment.select import Route
from relay.core.segment.timing import format_time
from relay.engine.append import Appender
from relay.engine.intake import Intake, Receipt
from tests.engine.listbox import POISON, ListInbox
from tests.twins.clock import START_MS, FakeClock

TRIGGERS = {"Order Completed": ("CompletePayment",), "Product Viewed": ("ViewContent",)}


def matches(event: JsonObject) -> tuple[str, ...]:
    return TRIGGERS.get(event.get("event") or "", ())


WEB = Route("web", frozenset({"TikTok Conversions"}), matches, frozenset({"CompletePayment"}))
CRM = Route("crm", frozenset({"CRM"}), matches, frozenset())


def order(name: str = "1", **changes: Any) -> Event:
    return made({"type": "track", "event": "Order Completed", "messageId": name, **changes})


def made(item: Any) -> Event:
    found = webhook_event(item, None, 64)
    assert isinstance(found, Event)
    return found


MISFIT = Misfit(Why.NOT_AN_EVENT, b"{}")


class Desk:
    """An intake with its parts in reach."""

    def __init__(self) -> None:
        self.inbox = ListInbox()
        self.clock = FakeClock()
        self.told: list[Notice] = []
        self.routes = [WEB]
        self.appender = Appender(self.inbox, 10**9)
        self.intake = Intake(self.appender, lambda _source: self.routes, self.clock, self.told.append)

    def counted(self) -> Counter[tuple[Outcome, Why]]:
        found: Counter[tuple[Outcome, Why]] = Counter()
        for notice in self.told:
            if isinstance(notice, EventsReceived):
                assert notice.source == "shop"
                found[notice.outcome, notice.why] += notice.events
        return found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found, stopping = Desk(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(found.appender.run(stopping))
        yield found
        stopping.set()


async def test_an_event_becomes_an_entry(desk: Desk) -> None:
    event = order(properties={"revenue": 337, "currency": "usd"})
    assert await desk.intake.receive([event], "shop", sdk=False) == Receipt(accepted=1)
    [entry] = desk.inbox.entries
    assert entry.stream == StreamKey("web", EntryClass.CONVERSION)
    assert (entry.event_id, entry.raw, entry.source) == ("1", event.raw, "shop")
    assert (entry.received_ms, entry.worth) == (START_MS, Worth(337_000_000, "USD"))


async def test_a_repetition_is_a_duplicate(desk: Desk) -> None:
    await desk.intake.receive([order()], "shop", sdk=False)
    assert await desk.intake.receive([order()], "shop", sdk=False) == Receipt(duplicate=1)
    assert await desk.intake.receive([order(), order("2")], "shop", sdk=False) == Receipt(accepted=1, duplicate=1)
    assert desk.counted() == {(Outcome.ACCEPTED, Why.NONE): 2, (Outcome.DUPLICATE, Why.NONE): 2}


async def test_two_destinations_are_two_entries_of_one_event(desk: Desk) -> None:
    await desk.intake.receive([order("1")], "shop", sdk=False)
    desk.routes = [WEB, CRM]
    assert await desk.intake.receive([order("1"), order("2")], "shop", sdk=False) == Receipt(accepted=2)
    assert [(entry.event_id, *entry.stream) for entry in desk.inbox.entries] == [
        ("1", "web", EntryClass.CONVERSION),
        ("1", "crm", EntryClass.ENGAGEMENT),
        ("2", "web", EntryClass.CONVERSION),
        ("2", "crm", EntryClass.ENGAGEMENT),
    ]


async def test_what_nobody_wants_is_counted_and_not_stored(desk: Desk) -> None:
    one = await desk.intake.receive([order(event="Cart Viewed")], "shop", sdk=False)
    two = await desk.intake.receive([order(event="Cart Viewed"), order(type="delete")], "shop", sdk=False)
    assert (one, two) == (Receipt(filtered=1), Receipt(filtered=2))
    assert desk.counted() == {(Outcome.FILTERED, Why.NO_SUBSCRIPTION): 2, (Outcome.FILTERED, Why.DELETE_CALL): 1}
    assert not desk.inbox.calls
    met = desk.intake.passed_over.find(order().id)
    assert met is not None
    assert met[0] is Why.DELETE_CALL, "the last word about this id"


async def test_the_doors_read_integrations_differently(desk: Desk) -> None:
    event = order(integrations={"All": False})
    assert (await desk.intake.receive([event], "shop", sdk=True)).filtered == 1
    assert (await desk.intake.receive([event], "shop", sdk=False)).accepted == 1


async def test_one_bad_event_in_a_good_batch_is_put_aside(desk: Desk) -> None:
    receipt = await desk.intake.receive([MISFIT, order("1"), order("2")], "shop", sdk=False)
    assert receipt == Receipt(accepted=2, dead=1)
    [reject] = desk.inbox.rejects
    assert (reject.source, reject.reason, reject.raw, reject.received_ms) == ("shop", "not_an_event", b"{}", START_MS)


async def test_a_bad_event_beside_a_filtered_one_is_put_aside_too(desk: Desk) -> None:
    receipt = await desk.intake.receive([order(event="Cart Viewed"), MISFIT], "shop", sdk=False)
    assert receipt == Receipt(filtered=1, dead=1)
    assert len(desk.inbox.rejects) == 1


@pytest.mark.parametrize("count", [1, 2, 600])
async def test_a_request_without_any_event_is_refused_and_put_aside(desk: Desk, count: int) -> None:
    receipt = await desk.intake.receive([MISFIT] * count, "shop", sdk=False)
    assert receipt == Receipt(refused=Why.NOT_AN_EVENT)
    assert desk.counted() == {(Outcome.REFUSED, Why.NOT_AN_EVENT): count}
    assert len(desk.inbox.rejects) == count
    assert not desk.inbox.entries


async def test_a_huge_batch_goes_in_part_by_part(desk: Desk) -> None:
    items = [{"type": "track", "event": "Order Completed", "messageId": str(number)} for number in range(2_000)]
    decoded = Decoded([*[None] * 600, *items], lambda item: webhook_event(item, None, 64))
    assert await desk.intake.receive(decoded, "shop", sdk=False) == Receipt(accepted=2_000, dead=600)
    assert len(desk.inbox.entries) == 2_000
    assert len(desk.inbox.rejects) == 600


async def test_what_comes_out_of_an_archive_was_received_when_segment_received_it(desk: Desk) -> None:
    hour_ms = 3_600_000
    events: list[Event | Misfit] = [
        order("then", receivedAt=format_time(START_MS - hour_ms)),
        order("ahead", receivedAt=format_time(START_MS + hour_ms)),
        order("silent", timestamp=format_time(START_MS - hour_ms)),
        MISFIT,
    ]
    receipt = await desk.intake.backfill(events, "shop")
    assert receipt == Receipt(accepted=3, dead=1)
    assert [entry.received_ms - START_MS for entry in desk.inbox.entries] == [-hour_ms, 0, 0]
    receipt = await desk.intake.backfill([order("one", receivedAt=format_time(START_MS - 5))], "shop")
    assert desk.inbox.entries[-1].received_ms == START_MS - 5, "a single one as well"
    await desk.intake.receive([order("fresh", receivedAt=format_time(START_MS - hour_ms))], "shop", sdk=False)
    assert desk.inbox.entries[-1].received_ms == START_MS, "a webhook's time of receipt is ours"


async def test_the_time_of_a_request_is_told_once(desk: Desk) -> None:
    started = desk.clock.monotonic()
    desk.clock.jump(0.25)
    await desk.intake.receive([order("1"), order(event="Cart Viewed"), MISFIT], "shop", sdk=False, started=started)
    await desk.intake.receive([order("2")], "shop", sdk=False, started=started)
    seconds = [notice.seconds for notice in desk.told if isinstance(notice, EventsReceived)]
    assert seconds == [0.25, None, None, 0.25]


async def test_an_odd_value_is_told_and_the_event_kept(desk: Desk) -> None:
    await desk.intake.receive([order(properties={"revenue": "$19.90"})], "shop", sdk=False)
    assert WorthIgnored("shop") in desk.told
    assert desk.inbox.entries[0].worth == Worth()


async def test_a_full_queue_is_no_lost_store(desk: Desk) -> None:
    desk.inbox.trouble = StoreUnavailable(StoreTrouble.OVERLOADED)
    with pytest.raises(StoreUnavailable):
        await desk.intake.receive([order()], "shop", sdk=False)
    assert desk.counted() == {(Outcome.DEFERRED, Why.OVERLOADED): 1}
    assert not [notice for notice in desk.told if isinstance(notice, StoreLost)]


async def test_a_mistake_of_ours_leaves_the_event_with_the_sender(desk: Desk) -> None:
    with pytest.raises(StoreMisused):
        await desk.intake.receive([order(POISON.decode())], "shop", sdk=False)
    assert desk.counted() == {(Outcome.DEFERRED, Why.STORE): 1}


async def test_a_source_is_asked_for_by_its_own_destinations_only(desk: Desk) -> None:
    fed = {"shop": [CRM]}
    intake = Intake(desk.appender, lambda source: fed.get(source, []), desk.clock, desk.told.append)
    assert await intake.receive([order("1")], "shop", sdk=False) == Receipt(accepted=1)
    assert [entry.stream.destination for entry in desk.inbox.entries] == ["crm"]
