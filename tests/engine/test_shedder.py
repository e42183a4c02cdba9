"""Making room: in bounded turns, told, and quiet when the store is away."""

from __future__ import annotations

import asyncio

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, Shed, StreamKey
from relay.core.notices import EntriesShed, Notice
from relay.engine.shedder import EVERY_S, PIECES, Shedder
from tests.twins.clock import FakeClock

VIEWS = StreamKey("shop", EntryClass.ENGAGEMENT)


class Heap:
    """``ports.Overflow`` with so many pieces to give."""

    def __init__(self, pieces: int) -> None:
        self.pieces, self.pressed, self.away = pieces, True, False

    async def shed(self) -> Shed | None:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
        self.pieces -= 1
        return Shed(VIEWS, 7) if self.pieces >= 0 else None


async def test_a_turn_is_bounded_and_each_piece_is_told() -> None:
    told: list[Notice] = []
    heap = Heap(PIECES + 3)
    shedder = Shedder(heap, FakeClock(), told.append)
    await shedder.relieve()
    assert told == [EntriesShed(VIEWS, 7)] * PIECES
    await shedder.relieve()
    assert len(told) == PIECES + 3


async def test_without_pressure_nothing_is_asked_for() -> None:
    heap = Heap(5)
    heap.pressed = False
    await Shedder(heap, FakeClock(), lambda _: None).relieve()
    assert heap.pieces == 5


async def test_a_store_that_goes_away_is_waited_for() -> None:
    clock, heap, stopping = FakeClock(), Heap(1), asyncio.Event()
    heap.away = True
    told: list[Notice] = []
    task = asyncio.get_running_loop().create_task(Shedder(heap, clock, told.append).run(stopping))
    await clock.advance(3 * EVERY_S)
    assert told == []
    heap.away = False
    await clock.advance(2 * EVERY_S)
    assert told == [EntriesShed(VIEWS, 7)]
    stopping.set()
    await clock.advance(2 * EVERY_S)
    assert task.done()
    task.result()
