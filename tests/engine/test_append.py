"""Group commit: few calls, bounds, and everybody gets an answer (design section 4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import pytest

from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, NewEntry, Reject, StreamKey
from relay.engine.append import MAX_BYTES, MAX_ENTRIES, Appender
from tests.engine.listbox import POISON, ListInbox

STREAM = StreamKey("web", EntryClass.CONVERSION)
QUEUE = 64 * MAX_BYTES


def entry(name: str, raw: bytes = b"{}") -> NewEntry:
    return NewEntry(STREAM, name, raw, 0, "segment")


def reject(raw: bytes = b"{}") -> Reject:
    return Reject("segment", "not_an_event", raw, 0)


@asynccontextmanager
async def appending(inbox: ListInbox, max_queue: int = QUEUE) -> AsyncIterator[Appender]:
    appender, stopping = Appender(inbox, max_queue), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(appender.run(stopping))
        try:
            yield appender
        finally:
            stopping.set()


async def test_one_request_one_call() -> None:
    inbox = ListInbox()
    async with appending(inbox) as appender:
        assert await appender.submit([entry("1")]) == [True]
        assert await appender.submit([entry("1"), entry("2")], [reject()]) == [False, True]
        assert await appender.submit([]) == []
        assert await appender.submit([], [reject()]) == []
        assert appender.queued_bytes == 0
    assert inbox.calls == [1, 3, 1]
    assert len(inbox.rejects) == 2


async def test_whoever_delivers_is_told_after_each_call() -> None:
    inbox, stopping, told = ListInbox(), asyncio.Event(), list[int]()
    appender = Appender(inbox, QUEUE, appended=lambda: told.append(len(inbox.entries)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(appender.run(stopping))
        await appender.submit([entry("1")])
        await appender.submit([entry("2")])
        stopping.set()
    assert told == [1, 2]


async def test_what_gathers_during_a_call_goes_with_the_next() -> None:
    inbox = ListInbox()
    inbox.gate = asyncio.Event()
    async with appending(inbox) as appender:
        first = appender.submit([entry("first")])
        while not inbox.calls:
            await asyncio.sleep(0)
        others = [appender.submit([entry(str(number))]) for number in range(1_000)]
        await asyncio.sleep(0)
        inbox.gate.set()
    assert first.result() == [True]
    assert all(other.result() == [True] for other in others)
    assert inbox.calls == [1, MAX_ENTRIES, 1_000 - MAX_ENTRIES]


async def test_a_large_request_is_several_calls_and_answered_after_the_last() -> None:
    inbox = ListInbox()
    entries = [entry(str(number)) for number in range(1_200)]
    async with appending(inbox) as appender:
        assert await appender.submit([*entries, entries[0]], [reject()] * 600) == [True] * 1_200 + [False]
    assert inbox.calls == [512, 512, 512, 265]
    assert len(inbox.rejects) == 600


async def test_bytes_bound_a_call_but_the_first_item_always_fits() -> None:
    inbox = ListInbox()
    huge, half = b"x" * (3 * MAX_BYTES), b"x" * (MAX_BYTES // 2)
    async with appending(inbox) as appender:
        assert (
            await appender.submit([entry("a", half), entry("b", huge), entry("c", half), entry("d", half)])
            == [True] * 4
        )
        await appender.submit([entry("e", half)], [reject(half), reject(huge), reject(half)])
    assert inbox.calls == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize("seed", range(20))
async def test_any_mix_keeps_the_bounds_the_order_and_every_answer(seed: int) -> None:
    dice, inbox = Random(seed), ListInbox()
    sizes = [2, 50, 3_000, MAX_BYTES // 3, MAX_BYTES + 1]

    async def request(appender: Appender, name: int) -> None:
        for _ in range(dice.randrange(3)):
            await asyncio.sleep(0)
        count = dice.choice([0, 1, 1, 1, 5, 700])
        size = 2 if count == 700 else dice.choice(sizes)
        entries = [entry(f"{name}-{number}", b"x" * size) for number in range(count)]
        rejects = [reject(b"x" * dice.choice(sizes)) for _ in range(dice.choice([0, 0, 2]))]
        assert await appender.submit(entries, rejects) == [True] * count
        owed = [one.event_id for one in inbox.entries if one.event_id.startswith(f"{name}-")]
        assert owed == [one.event_id for one in entries]

    async with appending(inbox, 10**12) as appender, asyncio.TaskGroup() as clients:
        for name in range(30):
            clients.create_task(request(appender, name))
    assert appender.queued_bytes == 0


async def test_a_full_queue_refuses_at_once_and_recovers() -> None:
    inbox = ListInbox()
    inbox.gate = asyncio.Event()
    async with appending(inbox, max_queue=100) as appender:
        large = appender.submit([entry("large", b"x" * 1_000)])  # an empty queue takes any size
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable) as refusal:
            await appender.submit([entry("late")])
        assert refusal.value.trouble is StoreTrouble.OVERLOADED
        assert refusal.value.retry_after == 1
        inbox.gate.set()
        assert await large == [True]
        assert await appender.submit([entry("late")]) == [True]


async def test_trouble_fails_everybody_who_waits_and_is_over_when_it_is_over() -> None:
    inbox = ListInbox()
    inbox.gate = asyncio.Event()
    inbox.trouble = StoreUnavailable(StoreTrouble.LOADING, "40 %", retry_after=7)
    async with appending(inbox) as appender, asyncio.TaskGroup() as clients:
        waiting = [clients.create_task(refused(appender, [entry(str(number))] * 600)) for number in range(3)]
        while not inbox.calls:
            await asyncio.sleep(0)
        inbox.gate.set()
        troubles = [await one for one in waiting]
        assert [(one.trouble, one.detail, one.retry_after) for one in troubles] == [
            (StoreTrouble.LOADING, "40 %", 7)
        ] * 3
        assert len({id(one) for one in troubles}) == 3
        assert inbox.calls == [512]
        assert appender.queued_bytes == 0
        inbox.trouble = None
        assert await appender.submit([entry("1")]) == [True]


async def refused(appender: Appender, entries: list[NewEntry]) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as refusal:
        await appender.submit(entries)
    return refusal.value


async def test_only_the_guilty_request_of_a_group_fails() -> None:
    inbox = ListInbox()
    async with appending(inbox) as appender:
        good = [appender.submit([entry(str(number))]) for number in range(3)]
        bad = appender.submit([entry("bad", POISON)] + [entry(f"bad{number}") for number in range(600)])
        last = appender.submit([entry("last")])
    assert [one.result() for one in good] == [[True]] * 3
    assert isinstance(bad.exception(), StoreMisused)
    assert last.result() == [True]
    assert [one.event_id for one in inbox.entries] == ["0", "1", "2", "last"]  # and no rest of the guilty one
    assert inbox.calls == [512, 1, 1, 1, 509, 1]
    assert appender.queued_bytes == 0


class SoonGone(ListInbox):
    """Is lost at the third call."""

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        if len(self.calls) == 2:
            self.trouble = StoreUnavailable(StoreTrouble.AWAY)
        return await super().append(entries, rejects)


async def test_trouble_while_looking_for_the_guilty_fails_the_rest() -> None:
    inbox = SoonGone()
    async with appending(inbox) as appender:
        first, *others = [
            appender.submit([entry(name, raw)]) for name, raw in (("1", b"{}"), ("2", POISON), ("3", b"{}"))
        ]
    assert first.result() == [True]
    for other in others:
        trouble = other.exception()
        assert isinstance(trouble, StoreUnavailable)
        assert trouble.trouble is StoreTrouble.AWAY
    assert inbox.calls == [3, 1, 1]


async def test_stopping_finishes_what_was_accepted_and_takes_no_more() -> None:
    inbox, stopping = ListInbox(), asyncio.Event()
    inbox.gate = asyncio.Event()
    appender = Appender(inbox, QUEUE)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(appender.run(stopping))
        accepted = [appender.submit([entry(str(number))] * 400) for number in range(3)]
        while not inbox.calls:
            await asyncio.sleep(0)
        stopping.set()
        inbox.gate.set()
        await run
        assert (await refused(appender, [entry("late")])).trouble is StoreTrouble.STOPPING
    assert all(len(one.result()) == 400 for one in accepted)


async def test_a_crash_leaves_nobody_waiting() -> None:
    inbox = ListInbox()
    inbox.trouble = RuntimeError("a bug")
    appender = Appender(inbox, QUEUE)
    async with asyncio.TaskGroup() as clients:
        waiting = [clients.create_task(refused(appender, [entry(str(number))])) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ExceptionGroup):
            await appender.run(asyncio.Event())
    assert {one.result().trouble for one in waiting} == {StoreTrouble.STOPPING}


async def test_a_client_that_went_away_disturbs_nobody() -> None:
    inbox = ListInbox()
    inbox.gate = asyncio.Event()
    async with appending(inbox) as appender:
        gone = appender.submit([entry("gone")])
        stays = appender.submit([entry("stays")])
        while not inbox.calls:
            await asyncio.sleep(0)
        gone.cancel()
        inbox.gate.set()
    assert stays.result() == [True]
    assert len(inbox.entries) == 2  # it was under way already, and a receipt nobody reads does no harm
    assert appender.queued_bytes == 0
