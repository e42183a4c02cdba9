"""What is new is looked through before much of it piles up, however little the counts move."""

from __future__ import annotations

import asyncio
import gc

from relay.app.garbage import EVERY_S, THRESHOLDS, settle_in, sweep


async def test_what_comes_while_as_much_goes_does_not_pile_up() -> None:
    before, most, stopping = gc.get_threshold(), 0, asyncio.Event()
    settle_in()
    try:
        crowd: list[list[int]] = [[] for _ in range(50_000)]
        gc.collect()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sweep(stopping))
            for start in range(0, 50_000, 500):
                crowd[start : start + 500] = [[] for _ in range(500)]  # as many come as go
                most = max(most, len(gc.get_objects(generation=0)))
                await asyncio.sleep(EVERY_S / 10)
            stopping.set()
        assert gc.get_count()[0] < THRESHOLDS[0], "the counts alone would not have asked for it"
        assert 0 < most < 25_000
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
