from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from relay.core.errors import StoreUnavailable
from relay.core.event import Claimed, Event
from relay.core.notices import EntriesForgotten, EventsReceived, Notice, Outcome, PeopleSuppressed, StoreWarned, Why
from relay.core.segment.decode import Misfit
from relay.engine.append import Appender
from relay.engine.intake import Intake, Receipt
from relay.engine.suppression import REFRESH_S, REREAD_S, Suppression
from tests.engine.listbox import ListInbox
from tests.engine.test_intake import MISFIT, WEB, order
from tests.twins.clock import FakeClock
from tests.twins.people import MemorySuppressions
from tests.twins.rig import Rig
from tests.twins.tiktok import BAD_GATEWAY, OK


class Door:
    """An intake that knows a list, and the list."""

    def __init__(self) -> None:
        self.archives = False
        self.clock, self.told = FakeClock(), list[Notice]()
        self.store = MemorySuppressions(self.clock.now_ms)
        self.suppression = Suppression(self.store, self.clock, self.told.append)
        self.inbox = ListInbox()
        self.appender = Appender(self.inbox, 10**9)
        self.intake = Intake(
            self.appender,
            lambda _source: [WEB],
            self.clock,
            self.told.append,
            archives=lambda: self.archives,
            suppression=self.suppression,
        )

    def receive(self, *events: Any, sdk: bool = False) -> Awaitable[Receipt]:
        return self.intake.receive(events, "shop", sdk=sdk)

    def reasons(self) -> list[Why]:
        return [one.why for one in self.told if isinstance(one, EventsReceived)]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    found, stopping = Door(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(found.appender.run(stopping))
        yield found
        stopping.set()


def deletion(user: str = "u1") -> Event:
    return order("delete-1", type="delete", userId=user, context=None, integrations=None)


@pytest.mark.parametrize("single", [True, False])
async def test_a_deletion_is_written_before_it_is_answered_and_refuses_the_person(door: Door, *, single: bool) -> None:
    await door.receive(deletion(), *([] if single else [deletion("u2")]))
    assert door.suppression.listed == (1 if single else 2)
    assert await door.receive(order("2", userId="u1")) == Receipt(filtered=1)
    assert await door.receive(order("3", userId="u3"), order("4", userId="u1")) == Receipt(accepted=1, filtered=1)
    assert Why.SUPPRESSED in door.reasons()
    assert [entry.event_id for entry in door.inbox.entries] == ["3"]


@pytest.mark.parametrize("single", [True, False])
async def test_a_deletion_that_cannot_be_written_is_deferred(door: Door, *, single: bool) -> None:
    door.store.away = True
    with pytest.raises(StoreUnavailable):
        await door.receive(deletion(), *([] if single else [order("2")]))
    assert [(one.outcome, one.events) for one in door.told if isinstance(one, EventsReceived)] == [
        (Outcome.DEFERRED, 1 if single else 2)
    ]
    assert not door.inbox.entries


async def test_a_deletion_from_a_web_page_s_write_key_suppresses_nobody(door: Door) -> None:
    await door.receive(deletion(), sdk=True)
    await door.receive(deletion(), order("2"), sdk=True)
    assert door.suppression.listed == 0
    assert door.reasons().count(Why.DELETE_CALL) == 2


async def test_what_is_refused_or_unreadable_meets_the_usual_end_and_no_archive(door: Door) -> None:
    door.archives = True
    await door.suppression.add(["user:u1"])
    await door.receive(order("2", userId="u1", event="Nobody Wants This"))
    await door.receive(order("3", userId="u2", event="Nobody Wants This"), MISFIT)
    assert [entry.event_id for entry in door.inbox.entries] == ["3"]
    assert door.intake.passed_over.find("2") is not None


async def test_what_is_no_event_of_a_suppressed_person_is_filtered_and_not_kept(door: Door) -> None:
    theirs = Misfit(Why.NOT_AN_EVENT, b'{"userId":"u1","quantity":1}')
    other, shapeless = Misfit(Why.NOT_AN_EVENT, b'{"userId":"u2"}'), Misfit(Why.BAD_SHAPE, b'["u1", 1]')
    assert await door.receive(theirs) == Receipt(refused=Why.NOT_AN_EVENT), "nobody is listed yet"
    await door.suppression.add(["user:u1"])
    assert await door.receive(theirs) == Receipt(filtered=1)
    assert await door.receive(theirs, order("2", userId="u2"), other) == Receipt(accepted=1, filtered=1, dead=1)
    assert await door.receive(shapeless) == Receipt(filtered=1)
    assert [reject.raw for reject in door.inbox.rejects] == [theirs.raw, other.raw]
    assert door.reasons().count(Why.SUPPRESSED) == 3


@pytest.mark.parametrize(
    ("raw", "theirs"),
    [
        (b'{"payload":{"userId":"ines","traits":{"age":3}}}', True),
        (b'[["INES@example.com "]]', True),
        (b'{"rows":[{"email":"in\\u0065s@example.com"}]}', True),
        (b'{"data":{"userId":12}}', True),
        (b'{"data":{"quantity":12,"size":"12","name":"ines2"}}', False),
        (b'{"data":{"userId":"ines","cut', True),
        (b'{"d\\"":"x","email":"ines@example.com","cut', True),
        (b"userId: ines, age: 3", True),
        (b'{"userId": 12, "cut', True),
        (b'{"quantity": 12, "cut', False),
        (b'{"rows": "' + b"x" * 70_000 + b'", "a": {"userId": "ines"}}', False),
        (b'{"rows": "' + b"x" * 70_000 + b'", "userId": "ines"}', True),
        (b'{"a": {"userId": "ines"}, "rows": "' + b"x" * 70_000 + b'"}', True),
    ],
)
async def test_whom_what_is_no_event_names_is_looked_for_at_any_depth(raw: bytes, *, theirs: bool) -> None:
    suppression = Suppression(MemorySuppressions(), FakeClock(), lambda _notice: None)
    assert not suppression.refuses_raw(raw, loose=True), "nobody is listed"
    await suppression.add(["user:ines", "email:ines@example.com", "user:12"])
    assert suppression.refuses_raw(raw, loose=True) is theirs


async def test_an_event_names_its_people_where_events_do() -> None:
    suppression = Suppression(MemorySuppressions(), FakeClock(), lambda _notice: None)
    await suppression.add(["user:ines"])
    assert not suppression.refuses_raw(b'{"userId":"mara","properties":{"friend":"ines"}}')
    assert suppression.refuses_raw(b'{"userId":"ines"}')
    assert suppression.refuses_raw(b'["ines"]')


@pytest.mark.parametrize("single", [True, False])
async def test_a_copy_of_a_deletion_is_void_when_its_person_was_let_in_again(door: Door, *, single: bool) -> None:
    call = order("delete-1", type="delete", userId="u1", receivedAt="2020-01-01T00:00:00Z")
    rest = [] if single else [deletion("u2")]
    await door.receive(call, *rest)
    await door.suppression.lift(["user:u1"])
    lines, version = len(door.store.lines), door.suppression.version
    for _ in range(10):
        await door.receive(call, *rest)
    assert not door.suppression.refuses({"userId": "u1"})
    assert (len(door.store.lines), door.suppression.version) == (lines, version)


async def test_a_list_that_is_full_refuses_the_next_and_says_so_once_an_hour(door: Door) -> None:
    door.store._most = 2
    await door.receive(deletion("u1"), deletion("u2"))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await door.receive(deletion("u3"))
    await door.receive(deletion("u1"))
    assert door.suppression.listed == 2
    assert sum("is full" in one.text for one in door.told if isinstance(one, StoreWarned)) == 1
    door.clock.jump(3600)
    with pytest.raises(StoreUnavailable):
        await door.receive(deletion("u3"))
    assert sum("is full" in one.text for one in door.told if isinstance(one, StoreWarned)) == 2


async def test_a_word_that_changes_nothing_leaves_the_version(door: Door) -> None:
    await door.receive(deletion("u1"))
    version, told = door.suppression.version, len(door.told)
    door.store.lines.append((door.store.mark("user:u1"), True))
    await door.suppression.refresh(at_once=True)
    await door.receive(deletion("u1"))
    assert door.suppression.version == version
    assert not [one for one in door.told[told:] if isinstance(one, PeopleSuppressed)]


async def test_another_process_s_word_is_heard_within_a_second_and_asking_costs_one_look() -> None:
    store, clock, told = MemorySuppressions(), FakeClock(), list[Notice]()
    here, there = Suppression(store, clock, told.append), Suppression(store, clock, told.append)
    await there.refresh()
    assert there.listed == 0
    await here.add(["user:1", "email:jo@example.com"])
    assert told == [PeopleSuppressed(2, on=True)]
    await there.refresh()
    assert not there.refuses({"userId": "1"}), "the copy is not a second old"
    clock.jump(REFRESH_S)
    await there.refresh()
    screen = there.screen
    assert screen
    assert screen({"userId": "1"})
    assert screen({"userId": "2", "properties": {"email": "JO@example.com "}})
    assert not screen({"userId": "2"})
    version, asked = there.version, store.asked
    clock.jump(REFRESH_S)
    await there.refresh()
    assert (there.version, store.asked) == (version, asked + 1)
    await here.lift(["user:1"])
    clock.jump(REFRESH_S)
    await there.refresh()
    assert there.version != version
    assert not there.refuses({"userId": "1"})


async def test_what_the_store_let_go_is_let_go_here_within_the_hour() -> None:
    store, clock = MemorySuppressions(), FakeClock()
    suppression = Suppression(store, clock, lambda _notice: None)
    await suppression.add([f"user:{number}" for number in range(10)])
    store.lines = store.lines[8:]
    clock.jump(REFRESH_S)
    await suppression.refresh()
    assert suppression.listed == 10
    version = suppression.version
    clock.jump(REREAD_S)
    await suppression.refresh()
    assert suppression.listed == 2
    version, before = suppression.version, version
    assert version != before
    clock.jump(REREAD_S)
    await suppression.refresh()
    assert suppression.version == version, "read anew, and nothing changed"


async def test_a_list_that_is_nearly_full_is_told() -> None:
    told: list[Notice] = []
    suppression = Suppression(MemorySuppressions(), FakeClock(), told.append, most=10)
    await suppression.add([f"user:{number}" for number in range(7)])
    assert not [one for one in told if isinstance(one, StoreWarned)]
    await suppression.add(["user:8"])
    assert [one.topic for one in told if isinstance(one, StoreWarned)] == ["suppression"]


async def test_the_copy_is_kept_fresh_through_a_store_that_is_away() -> None:
    store, clock, stopping = MemorySuppressions(), FakeClock(), asyncio.Event()
    suppression = Suppression(store, clock, lambda _notice: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(suppression.run(stopping))
        await clock.advance(1)
        store.away = True
        await clock.advance(3)
        store.away = False
        await store.write(["user:1"], on=True)
        await clock.advance(2)
        stopping.set()
        await clock.advance(2)
    assert suppression.listed == 1


async def test_a_request_during_an_outage_is_honoured_when_tiktok_is_back() -> None:
    rig = Rig()
    rig.tiktok.script = lambda _items: BAD_GATEWAY
    await rig.owe(3, userId="u1")
    await rig.owe(4, userId="u2")
    async with rig.running():
        await rig.clock.advance(20)
        assert (await rig.books())["owed"] == 7
        await rig.suppression.add(["user:u1"])
        rig.tiktok.script = lambda _items: OK
        await rig.clock.advance(120)
        assert await rig.books() == {"accepted": 7, "delivered": 4, "forgotten": 3, "owed": 0}
    assert sum(notice.count for notice in rig.heard(EntriesForgotten)) == 3
    assert set(rig.tiktok.stored) == {f"Purchase/{number}" for number in (3, 4, 5, 6)}


async def test_nothing_is_sent_before_the_list_was_read() -> None:
    rig = Rig()
    rig.store.suppressions.away = True
    await rig.owe(2)
    async with rig.running():
        await rig.clock.advance(5)
        assert not rig.tiktok.calls
        rig.store.suppressions.away = False
        await rig.clock.advance(5)
        assert len(rig.tiktok.stored) == 2


async def test_a_stream_of_requests_does_not_keep_a_backlog_from_draining() -> None:
    rig, claims = Rig(), list[Claimed]()
    claim = rig.store.owed.claim

    async def counted(*args: Any, **more: Any) -> Claimed | None:
        claimed = await claim(*args, **more)
        claims.extend([claimed] if claimed else [])
        return claimed

    rig.store.owed.claim = counted  # type: ignore[method-assign]
    await rig.owe(3000)
    await rig.owe(250, userId="u300")
    await rig.owe(250)
    async with rig.running(rig.destination(calls_per_s=1.0)):
        for number in range(1000):
            await rig.suppression.add([f"user:u{number}"])
            await rig.clock.advance(0.01)
        books = await rig.books()
    assert books == {"accepted": 3500, "delivered": 3250, "forgotten": 250, "owed": 0}
    assert len(claims) < 15, f"{len(claims)} leases for 7 calls: they were given back"


async def test_what_was_mapped_before_a_request_is_asked_about_again() -> None:
    """A lease that waits for its turn on the wire goes out without who was listed meanwhile."""
    rig = Rig()
    await rig.owe(1200, userId="u1")
    destination = rig.destination(calls_per_s=0.5)
    async with rig.running(destination):
        await rig.clock.advance(0.3)
        sent = len(rig.tiktok.stored)
        assert 0 < sent < 1200
        await rig.suppression.add(["user:u1"])
        await rig.clock.advance(60)
        books = await rig.books()
    assert books["owed"] == 0
    assert books["forgotten"] >= 1200 - sent - 500
    assert books["delivered"] + books["forgotten"] == 1200
