from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import Trimmed
from relay.core.notices import LettersWeighed, Notice, RecordsTrimmed, StoreWarned
from relay.engine.bounds import EVERY_S, Housekeeping
from tests.twins.clock import FakeClock

CALM = Trimmed(0, 0.1)


@dataclass
class Scripted:
    """Limits that say what the test wants."""

    letters: list[Trimmed] = field(default_factory=list)
    reports: list[Trimmed] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    async def trim_letters(self, destination: str) -> Trimmed:
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)
        self.asked.append(destination)
        return self.letters.pop(0) if self.letters else CALM

    async def trim_reports(self, destination: str) -> Trimmed:
        assert destination != "-"
        return self.reports.pop(0) if self.reports else CALM


def keeper(bounds: Scripted) -> tuple[Housekeeping, list[Notice]]:
    told: list[Notice] = []
    return Housekeeping(bounds, ["shop"], FakeClock(), told.append), told


async def test_what_goes_is_told_once_a_turn_with_its_count() -> None:
    bounds = Scripted([Trimmed(250, 1.4, more=True), Trimmed(30, 1.1)], [Trimmed(2, 1.2)])
    housekeeping, told = keeper(bounds)
    await housekeeping.tidy("shop")
    assert [one for one in told if isinstance(one, RecordsTrimmed)] == [
        RecordsTrimmed("shop", "dead_letters", 280),
        RecordsTrimmed("shop", "reports", 2),
    ]
    assert LettersWeighed("shop", 1.4) in told


async def test_a_limit_that_comes_near_is_told_once_until_it_is_far_again() -> None:
    bounds = Scripted([Trimmed(0, share) for share in (0.7, 0.81, 0.9, 0.78, 0.82, 0.5, 0.85)])
    housekeeping, told = keeper(bounds)
    warned = []
    for _ in range(7):
        await housekeeping.tidy("shop")
        warned.append(sum(isinstance(one, StoreWarned) for one in told))
    assert warned == [0, 1, 1, 1, 1, 1, 2]
    assert "81%" in next(one.text for one in told if isinstance(one, StoreWarned))


async def test_what_intake_could_not_read_is_bounded_tightly_and_warns_nobody() -> None:
    housekeeping, told = keeper(Scripted([Trimmed(3, 1.0)]))
    await housekeeping.tidy("-")
    assert told == [LettersWeighed("-", 1.0), RecordsTrimmed("-", "dead_letters", 3)]


async def test_it_looks_again_every_ten_seconds_and_outlives_a_store_that_is_away() -> None:
    clock, bounds, stopping = FakeClock(), Scripted(away=True), asyncio.Event()
    housekeeping = Housekeeping(bounds, ["shop"], clock, lambda _notice: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(housekeeping.run(stopping))
        await clock.advance(EVERY_S / 2)
        bounds.away = False
        await clock.advance(2 * EVERY_S)
        stopping.set()
        await clock.advance(2)
    assert bounds.asked == ["shop", "-"] * 2
