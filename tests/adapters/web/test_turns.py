"""A thousand that are late together are cut off one by one: everybody else has a turn of the loop between two."""

from __future__ import annotations

import asyncio
from functools import partial

from relay.adapters.web.intake_reading import Bounds, ReadingRoom
from relay.adapters.web.parting import Queue


async def test_one_leaves_the_queue_in_each_turn_of_the_loop() -> None:
    queue, gone = Queue(asyncio.get_running_loop()), list[int]()
    for number in range(3):
        queue.join(partial(gone.append, number))
    for turn in range(1, 4):
        await asyncio.sleep(0)
        assert gone == list(range(turn))
    queue.join(partial(gone.append, 3))
    await asyncio.sleep(0)
    assert gone == [0, 1, 2, 3]


async def test_one_that_fails_keeps_nobody_in_the_queue() -> None:
    loop, gone, faults = asyncio.get_running_loop(), list[int](), list[object]()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    queue = Queue(loop)
    queue.join(partial(gone.remove, 5))
    queue.join(partial(gone.append, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert gone == [1]
    assert [type(fault) for fault in faults] == [ValueError]


async def test_bodies_are_given_up_in_turn_and_large_ones_do_not_wait_for_them() -> None:
    room, given_up = ReadingRoom(Bounds()), list[int]()

    async def give_up(number: int) -> None:
        await room.last_turn()
        given_up.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(give_up(number))
        await asyncio.sleep(0)
        await room.turn()
        assert len(given_up) < 5, "a large body is looked at among the first"
        seen = 0
        while len(given_up) < 50:
            assert len(given_up) - seen <= 1
            seen = len(given_up)
            await asyncio.sleep(0)
    assert given_up == list(range(50))
