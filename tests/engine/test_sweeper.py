from __future__ import annotations

import asyncio

from relay.core.erasure import Place
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.engine.eraser import Eraser
from relay.engine.suppression import Suppression
from relay.engine.sweeper import EVERY_S, FIRST_S, Sweeper
from tests.engine.test_eraser import ARCHIVE, LETTERS, REJECTS, Bench, event
from tests.twins.clock import FakeClock
from tests.twins.people import MemorySuppressions


def laid_out() -> tuple[Bench, Sweeper]:
    bench = Bench()
    bench.shelves.kept = {
        LETTERS: [event("u1"), event("u2"), event("u3")],
        REJECTS: [b'{"cut": "u1', b'{"payload": {"userId": "u1"}}', b'[["u1"]]', b'{"user": "u1", "cut'],
        ARCHIVE: [event("u1")] * 400,
    }
    return bench, Sweeper(bench.eraser, bench.suppression, bench.clock)


def left(bench: Bench) -> list[int]:
    return [sum(1 for raw in records if raw) for records in bench.shelves.kept.values()]


async def test_it_erases_what_is_kept_of_all_who_are_listed_once_a_day() -> None:
    bench, sweeper = laid_out()
    await bench.suppression.add(["user:u1", "user:u2"])
    await sweeper.look()
    assert left(bench) == [3, 4, 400], "not right after a start"
    bench.clock.jump(FIRST_S)
    await sweeper.look()
    assert left(bench) == [1, 1, 0]
    await bench.suppression.add(["user:u3"])
    bench.clock.jump(EVERY_S / 2)
    await sweeper.look()
    assert left(bench) == [1, 1, 0]
    bench.clock.jump(EVERY_S / 2)
    await sweeper.look()
    assert left(bench) == [0, 1, 0]


async def test_a_long_one_goes_on_where_it_was_and_an_unchanged_list_is_swept_as_well() -> None:
    bench, sweeper = laid_out()
    bench.shelves.page_s = 2.0
    await bench.suppression.add(["user:u1"])
    bench.clock.jump(FIRST_S)
    for _ in range(4):
        await sweeper.look()
    assert left(bench) == [2, 1, 0]
    bench.shelves.kept[LETTERS].append(event("u1"))
    await sweeper.look()
    assert left(bench) == [3, 1, 0], "a day is not over"
    bench.clock.jump(EVERY_S)
    for _ in range(4):
        await sweeper.look()
    assert left(bench) == [2, 1, 0]


async def test_a_store_that_lost_its_data_has_it_begin_again() -> None:
    bench, sweeper = laid_out()
    bench.shelves.page_s = 2.0
    await bench.suppression.add(["user:u1"])
    bench.clock.jump(FIRST_S)
    await sweeper.look()
    bench.shelves.kept = {REJECTS: [], ARCHIVE: [event("u1")]}
    for _ in range(3):
        await sweeper.look()
    assert left(bench) == [0, 0]


async def test_an_empty_list_sweeps_nothing_and_a_stop_is_heard() -> None:
    bench, sweeper = laid_out()
    bench.clock.jump(FIRST_S)
    await sweeper.look()
    assert left(bench) == [3, 4, 400]
    stopping = asyncio.Event()
    stopping.set()
    await sweeper.run(stopping)


async def test_it_outlives_a_store_that_is_away() -> None:
    clock, shelves = FakeClock(), Bench().shelves
    shelves.kept = {LETTERS: [event("u1")]}
    store = MemorySuppressions()
    suppression = Suppression(store, clock, lambda _notice: None)
    await suppression.add(["user:u1"])
    eraser = Eraser(shelves, suppression, clock, lambda _notice: None)
    sweeper, stopping, away = Sweeper(eraser, suppression, clock), asyncio.Event(), shelves.places

    async def gone() -> list[Place]:
        raise StoreUnavailable(StoreTrouble.AWAY)

    shelves.places = gone  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sweeper.run(stopping))
        await clock.advance(FIRST_S + 3)
        assert shelves.kept[LETTERS] == [event("u1")]
        shelves.places = away  # type: ignore[method-assign]
        await clock.advance(3)
        assert shelves.kept[LETTERS] == [b""]
        stopping.set()
        await clock.advance(3)
