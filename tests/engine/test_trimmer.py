"""The archive is trimmed now and then, in bounded turns, and a store that is away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.core.archive import Archived
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass
from relay.engine.trimmer import EVERY_S, LOOK_S, PIECES, Trimmer
from tests.twins.clock import FakeClock


class Old:
    """An archive with so many pieces that are too old."""

    def __init__(self, pieces: int) -> None:
        self.pieces, self.away = pieces, False

    async def page(self, klass: EntryClass, *, after: str = "", limit: int = 200) -> Sequence[Archived]:
        raise AssertionError

    async def trim(self) -> int:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
        self.pieces -= 1
        return max(0, self.pieces)


async def test_a_turn_is_bounded() -> None:
    old = Old(PIECES + 50)
    await Trimmer(old, FakeClock()).trim()
    assert old.pieces == 50


async def test_it_goes_on_until_stopped_whatever_the_store_does() -> None:
    clock, old, stopping = FakeClock(), Old(10), asyncio.Event()
    old.away = True
    task = asyncio.get_running_loop().create_task(Trimmer(old, clock).run(stopping))
    await clock.advance(EVERY_S)
    old.away = False
    assert old.pieces == 10
    await clock.advance(2 * EVERY_S)
    assert old.pieces <= 0
    stopping.set()
    await clock.advance(2 * LOOK_S)
    task.result()
