from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.core.archive import FILTERED
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, Event, JsonObject, StreamKey, Worth
from relay.core.notices import ArchiveMissed, EventsReceived, Notice, Outcome, StoreLost, Why, WorthIgnored
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
        self.room = True
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
        order("silent", timestamp=format_time(START_MS - 2 * hour_ms)),
        order("timeless"),
        MISFIT,
    ]
    receipt = await desk.intake.backfill(events, "shop")
    assert receipt == Receipt(accepted=4, dead=1)
    assert [entry.received_ms - START_MS for entry in desk.inbox.entries] == [-hour_ms, 0, -2 * hour_ms, 0]
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


@pytest.fixture
def archiving(desk: Desk) -> Desk:
    desk.intake = Intake(
        desk.appender, lambda _source: desk.routes, desk.clock, desk.told.append, archives=lambda: desk.room
    )
    return desk


async def test_what_no_subscription_wants_is_archived_and_still_filtered(archiving: Desk) -> None:
    desk = archiving
    cart = order("1", event="Cart Viewed")
    assert await desk.intake.receive([cart], "shop", sdk=False) == Receipt(filtered=1)
    both = [order("2"), order("3", event="Cart Viewed"), cart]
    assert await desk.intake.receive(both, "shop", sdk=False) == Receipt(accepted=1, filtered=2)
    assert [(entry.event_id, entry.stream) for entry in desk.inbox.entries] == [
        ("1", FILTERED),
        ("2", StreamKey("web", EntryClass.CONVERSION)),
        ("3", FILTERED),
    ]
    assert (desk.inbox.entries[0].raw, desk.inbox.entries[0].received_ms) == (cart.raw, START_MS)


async def test_what_somebody_refused_is_never_archived(archiving: Desk) -> None:
    """Also where no subscription wants it today: a mapping of tomorrow must not find it."""
    desk = archiving
    refused = {"consent": {"categoryPreferences": {"Advertising": False}}}
    events = [
        order("1", event="Cart Viewed", context=refused),
        order("2", event="Cart Viewed", integrations={"TikTok Conversions": False}),
        order("3", context=refused),
        order("4", type="delete"),
        order("segment-test-message-5", event="Cart Viewed"),
    ]
    for event in events:
        await desk.intake.receive([event], "shop", sdk=False)
    await desk.intake.receive([order("6", event="Cart Viewed", integrations={"All": False})], "shop", sdk=True)
    assert await desk.intake.receive(events, "shop", sdk=False) == Receipt(filtered=5)
    assert not desk.inbox.calls
    await desk.intake.receive([order("7", event="Cart Viewed", integrations={"All": False})], "shop", sdk=False)
    assert [entry.event_id for entry in desk.inbox.entries] == ["7"], "Segment Replay writes this into everything"


async def test_a_store_without_room_for_the_archive_is_not_asked(archiving: Desk) -> None:
    archiving.room = False
    await archiving.intake.receive([order(event="Cart Viewed")], "shop", sdk=False)
    await archiving.intake.receive([order(event="Cart Viewed"), order("2")], "shop", sdk=False)
    assert archiving.inbox.calls == [1]


async def test_an_archive_that_cannot_be_written_is_no_concern_of_the_sender(archiving: Desk) -> None:
    desk = archiving
    desk.inbox.trouble = StoreUnavailable(StoreTrouble.AWAY)
    assert await desk.intake.receive([order(event="Cart Viewed")], "shop", sdk=False) == Receipt(filtered=1)
    desk.inbox.trouble = None
    poisoned = order(POISON.decode(), event="Cart Viewed")
    assert await desk.intake.receive([poisoned, order("2")], "shop", sdk=False) == Receipt(accepted=1, filtered=1)
    assert [notice for notice in desk.told if isinstance(notice, ArchiveMissed)] == [ArchiveMissed(1)] * 2
