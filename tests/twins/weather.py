"""A store behind a line that fails: before the call arrives, or after it was carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from relay.core.archive import Moved, ReplayJob, Requeue, Step
from relay.core.delivery.gate import GateRecord
from relay.core.delivery.mode import ModeRecord
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.event import Claimed, DeadLetter, Lane, Lapsed, Lease, Settled, Settlement, Shed, StoreSurvey, StreamKey
from relay.ports import DeadLetters, GateStore, ModeStore, Overflow, Owed, Replays, Roster

P = ParamSpec("P")
T = TypeVar("T")


def fine(_: str) -> str:
    """Good weather."""
    return ""


@dataclass
class Weather:
    """``strikes`` says for a method's name: '' (it works), 'before' (never arrives) or 'after' (the answer is lost)."""

    strikes: Callable[[str], str] = field(default=fine)
    lost: list[tuple[tuple[Any, ...], Any]] = field(default_factory=list)  # arguments and answers nobody heard

    async def through(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make the call through this weather."""
        strike = self.strikes(getattr(call, "__name__", ""))
        if strike == "before":
            raise StoreUnavailable(StoreTrouble.AWAY)
        result = await call(*args, **kwargs)
        if strike == "after":
            self.lost.append((args, result))
            raise StoreUnavailable(StoreTrouble.AWAY)
        return result

    def away(self) -> None:
        """Nothing arrives."""
        self.strikes = lambda _: "before"

    def clear(self) -> None:
        """Everything works."""
        self.strikes = fine


@dataclass
class WeatheredOwed:
    """``ports.Owed`` through weather."""

    owed: Owed
    weather: Weather

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        return await self.weather.through(self.owed.claim, stream, lane, limit, max_bytes, probe=probe)

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        return await self.weather.through(self.owed.settle, lease, settlement)

    async def survey(self) -> StoreSurvey:
        return await self.weather.through(self.owed.survey)


@dataclass
class WeatheredModes:
    """``ports.ModeStore`` through weather."""

    modes: ModeStore
    weather: Weather

    async def load(self, destination: str) -> ModeRecord | None:
        return await self.weather.through(self.modes.load, destination)

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        return await self.weather.through(self.modes.save, destination, record, expected_version)

    async def lapse(self, stream: StreamKey) -> Lapsed:
        return await self.weather.through(self.modes.lapse, stream)


@dataclass
class WeatheredOverflow:
    """``ports.Overflow`` through weather."""

    overflow: Overflow
    weather: Weather

    @property
    def pressed(self) -> bool:
        return self.overflow.pressed

    async def shed(self) -> Shed | None:
        return await self.weather.through(self.overflow.shed)


@dataclass
class WeatheredReplays:
    """``ports.Replays`` through weather."""

    replays: Replays
    weather: Weather

    async def load(self) -> ReplayJob | None:
        return await self.weather.through(self.replays.load)

    async def save(self, job: ReplayJob, expected_version: int, *, new: bool = False) -> bool:
        return await self.weather.through(self.replays.save, job, expected_version, new=new)

    async def move(self, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        return await self.weather.through(self.replays.move, version, step, moves)


@dataclass
class WeatheredLetters:
    """``ports.DeadLetters`` through weather."""

    letters: DeadLetters
    weather: Weather

    async def list(self, destination: str, *, after: str = "", limit: int = 100, reason: str = "") -> list[DeadLetter]:
        return await self.weather.through(self.letters.list, destination, after=after, limit=limit, reason=reason)

    async def get(self, destination: str, letter_id: str) -> DeadLetter | None:
        return await self.weather.through(self.letters.get, destination, letter_id)

    async def requeue(self, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        return await self.weather.through(self.letters.requeue, destination, ids, released=released)

    async def discard(self, destination: str, ids: Sequence[str]) -> int:
        return await self.weather.through(self.letters.discard, destination, ids)


@dataclass
class WeatheredGates:
    """``ports.GateStore`` through weather."""

    gates: GateStore
    weather: Weather

    async def load(self, destination: str) -> GateRecord:
        return await self.weather.through(self.gates.load, destination)

    async def save(self, destination: str, record: GateRecord, expected_version: int) -> bool:
        return await self.weather.through(self.gates.save, destination, record, expected_version)

    async def paused(self, destination: str) -> bool:
        return await self.weather.through(self.gates.paused, destination)

    async def set_paused(self, destination: str, *, paused: bool) -> None:
        await self.weather.through(self.gates.set_paused, destination, paused=paused)


@dataclass
class WeatheredRoster:
    """``ports.Roster`` through weather."""

    roster: Roster
    weather: Weather

    async def announce(self, replica: str) -> int:
        return await self.weather.through(self.roster.announce, replica)

    async def leave(self, replica: str) -> None:
        await self.weather.through(self.roster.leave, replica)
