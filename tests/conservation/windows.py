"""A world with an archive: windows of what was delivered or filtered are owed again at random, and so are dead letters.

The law: whatever was received is in one place at a time, owed, dead or archived, also when a replica dies in the middle
of a replay; nothing is counted twice, and every replay ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from relay.core.archive import FILTERED, Archived, Moved, ReplayAsk, ReplayJob, ReplayState, Requeue, Step
from relay.core.errors import ReplayRefused, StoreUnavailable
from relay.core.event import EntryClass, JsonObject, NewEntry, StreamKey
from relay.core.notices import EntriesReplayed
from relay.core.replay import Shop, View
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.select import Route
from relay.engine.replay import Replayer
from relay.engine.replay_room import Room
from relay.engine.replay_work import WorkParts
from relay.ports import Replays
from tests.conservation.watch import LawBroken
from tests.conservation.world import HOUR_S, Replica, World
from tests.twins.tiktok import PlainItem, PlainMapping
from tests.twins.weather import WeatheredLetters, WeatheredOwed, WeatheredReplays

RETENTION_MS = 24 * 3_600_000
BACK_S = (10.0, 60.0, 600.0, HOUR_S, 12 * HOUR_S, 48 * HOUR_S)
TURNS = (ReplayState.PAUSED, ReplayState.RUNNING, ReplayState.CANCELLED, ReplayState.CANCELLED)
Place = tuple[str, str]
"""Destination and id of an event."""


class MendedMapping(PlainMapping):
    """What no subscription matched is wanted, once the mapping is mended."""

    def __init__(self) -> None:
        self.mended = False

    def items(self, event: JsonObject, received_s: int) -> Sequence[PlainItem]:
        names = self.names(event)
        return super().items(event | {"names": names}, received_s) if names else []

    def names(self, event: JsonObject) -> tuple[str, ...]:
        return tuple(event.get("names", ["Purchase"])) or (("late",) if self.mended else ())


@dataclass
class WatchedReplays:
    """``ports.Replays`` under observation. ``moved``: what answers said, whoever heard them."""

    replays: Replays
    before: Callable[[], Awaitable[None]]
    moved: Counter[StreamKey]
    events: int = 0

    async def load(self) -> ReplayJob | None:
        await self.before()
        return await self.replays.load()

    async def save(self, job: ReplayJob, expected_version: int, *, new: bool = False) -> bool:
        await self.before()
        return await self.replays.save(job, expected_version, new=new)

    async def move(self, version: int, step: Step, moves: Sequence[Requeue] = ()) -> Moved | None:
        before = await self.load()
        moved = await self.replays.move(version, step, moves)
        if moved is not None:
            self.moved.update(moved.owed)
            if before == await self.load() and (before is None or before.version != version):
                raise LawBroken("a step of a job that is in other hands, or stopped")
        return moved


@dataclass
class WindowsWorld(World):
    """``filtered`` are ids of events that nobody wanted when they came; ``trimmed``: places in the archive let go."""

    archives = True
    storm = frozenset({"moved", "replays done", "cancelled", "crashed in a replay", "filtered moved", "letters moved"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mapping = MendedMapping()
        self.replays = WatchedReplays(self.store.replays, self.before, Counter())
        self.filtered: set[str] = set()
        self.trimmed: set[Place] = set()
        self.happened = Counter[str]()

    def settings(self, name: str) -> dict[str, Any]:
        return super().settings(name) | {"mapping": self.mapping}

    def beside(self, replica: Replica) -> list[Coroutine[Any, Any, None]]:
        return [self._replayer(replica).run(replica.stopping)]

    def _replayer(self, replica: Replica) -> Replayer:
        weather = replica.weather
        room = Room(WeatheredOwed(self.owed, weather), self.clock, replica.delivery.gates, bool)
        replays, letters = WeatheredReplays(self.replays, weather), WeatheredLetters(self.letters, weather)
        parts = WorkParts(
            self.store.archive, replays, letters, room, self.clock, self.told.append, lambda: self._view(replica)
        )
        return Replayer(parts, f"{replica.name}-{id(replica)}")

    def _view(self, replica: Replica) -> View:
        conversions = frozenset({"Purchase", "x"})
        routes = {name: Route(name, frozenset({name}), self.mapping.names, conversions) for name in self.names}
        return View(
            {name: Shop(route, replica.delivery.rules(name), sends=True) for name, route in routes.items()},
            ADVERTISING,
            lambda _source: list(routes.values()),
            lambda _event: False,
        )

    # Steps

    def more_deeds(self) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
        return [(12, self.replay), (24, self.turn_replay), (24, self.crash_in_replay), (8, self.trim), (8, self.filter)]

    def _event(self, stream: StreamKey, now: int) -> NewEntry:
        new = super()._event(stream, now)
        return new._replace(raw=orjson.dumps(orjson.loads(new.raw) | {"messageId": new.event_id}))

    async def filter(self) -> None:
        """Nobody wants these; most are not of interest for ever."""
        now, new = self.clock.now_ms(), []
        for _ in range(self.dice.randrange(1, 12)):
            self.count += 1
            event = {"id": f"f{self.count}", "messageId": f"f{self.count}", "at": now, "names": []}
            new.append(NewEntry(FILTERED, f"f{self.count}", orjson.dumps(event), now, "s"))
        await self.before()
        assert all(await self.store.inbox.append(new))
        self.filtered |= {one.event_id for one in new}

    async def replay(self) -> None:
        """A window, of all destinations or of one, with or without letters, slow or fast."""
        now = self.clock.now_ms()
        since = now - int(self.dice.choice(BACK_S) * 1000)
        until = self.dice.choice((now, now + 1, (since + now) // 2))
        self.mapping.mended = self.dice.random() < 0.5
        ask = ReplayAsk(
            since,
            until,
            destination=self.dice.choice(("", "", *self.names)),
            letters=self.dice.random() < 0.6,
            rate=self.dice.choice((2, 4, 20, 500)),
        )
        if self.replicas:
            replayer = self._replayer(self.dice.choice(list(self.replicas.values())))
            with suppress(StoreUnavailable, ReplayRefused):
                await replayer.start(ask, 0)
        await self.clock.advance(self.dice.choice((1.1, 1.5, 2.0, 3.0)))

    async def turn_replay(self) -> None:
        """Pause, resume, or cancel, often soon after it began."""
        await self.replay()
        if self.replicas:
            replayer = self._replayer(self.dice.choice(list(self.replicas.values())))
            with suppress(StoreUnavailable, ReplayRefused):
                job, _ = await replayer.turn(self.dice.choice(TURNS))
                self.happened["cancelled"] += job.state is ReplayState.CANCELLED

    async def crash_in_replay(self) -> None:
        """Whoever works on one dies."""
        await self.replay()
        job = await self.replays.load()
        for name, replica in list(self.replicas.items()):
            if job is not None and job.held and job.owner == f"{name}-{id(replica)}" and not job.ended:
                await self.crash(name)
                self.happened["crashed in a replay"] += 1

    async def trim(self) -> None:
        """What ended long ago is let go of, and nothing else."""
        await self.before()
        kept = await self._archived()
        await self.store.archive.trim()
        gone = {one.id: one for one in kept}
        for one in await self._archived():
            gone.pop(one.id, None)
        bound = self.clock.now_ms() - RETENTION_MS
        assert all(one.ended_ms < bound for one in gone.values()), "let go of too soon"
        self.trimmed |= {(one.destination, _id_of(one)) for one in gone.values()}

    # Laws

    async def check(self) -> None:
        """Each event has one place for each destination that accepted it; none is lost."""
        await super().check()
        archived = await self._archived()
        self._know_of_doubt(archived)
        places = Counter[Place]((one.destination, _id_of(one)) for one in archived)
        for name in self.names:
            letters = await self.letters.list(name, limit=100_000)
            places.update((name, orjson.loads(letter.raw)["id"]) for letter in letters)
        for stream in self.streams:
            places.update((stream.destination, id_) for id_ in await self.stage.owed_now(stream))
        twice = [place for place, times in places.items() if times > 1]
        assert not twice, f"{twice} in two places at once"
        known = {(stream.destination, id_) for stream, id_ in self.owed_events}
        lost = known - set(places) - self.trimmed
        assert not lost, f"{lost} nowhere"
        somewhere = {id_ for _, id_ in (*places, *self.trimmed)}
        assert self.filtered <= somewhere, f"{self.filtered - somewhere} was filtered, and is nowhere"
        self.happened["filtered moved"] += len([1 for name, id_ in places if name and id_ in self.filtered])

    def _know_of_doubt(self, archived: Sequence[Archived]) -> None:
        """What TikTok has got knows since when: no replay may send it once more after TikTok's window."""
        for one in archived:
            if one.delivered:
                arrived = self.tiktoks[one.destination].first.get(f"Purchase/{_id_of(one)}")
                assert arrived is None or 0 < one.first_ms <= arrived, f"{_id_of(one)} knows of no doubt"

    async def _archived(self) -> list[Archived]:
        found: list[Archived] = []
        for klass in EntryClass:
            after = ""
            while page := await self.store.archive.page(klass, after=after):
                found += page
                after = page[-1].id
        return found

    async def heal(self) -> None:
        if self.dice.random() < 0.3:
            await self.strand()
        await super().heal()

    async def strand(self) -> None:
        """Gates that are held, and nothing owed that could prove that TikTok is well again."""
        await self.clear_up(self.names)
        for tiktok in self.tiktoks.values():
            tiktok.mood = "revoked"
        for _ in range(6):
            await self.append()
        await self.clock.advance(10)
        self.clock.jump(8 * 24 * HOUR_S)  # everything expires at the next probe
        await self.clock.advance(30)
        await self.check()
        self.happened["stranded"] += 1

    async def run_dry(self, names: Collection[str]) -> None:
        """A replay ends as well, once nobody holds it up."""
        await super().run_dry(names)
        replayer, now = self._replayer(self.replicas["r1"]), self.clock.now_ms()
        with suppress(ReplayRefused):
            await replayer.turn(ReplayState.RUNNING)
        with suppress(ReplayRefused):
            await replayer.start(ReplayAsk(now - RETENTION_MS, now), 0)
        for _ in range(60):
            job = await self.replays.load()
            if job is None or job.ended:
                break
            await self.clock.advance(30)
            await self.check()
        else:
            raise AssertionError(f"a replay does not end: {job}")
        await super().run_dry(names)

    async def account(self) -> None:
        await super().account()
        books = {one.stream: one.books for one in (await self.store.owed.survey()).streams}
        for name in self.names:
            requeued = sum(ledger.get("requeued", 0) for one, ledger in books.items() if one.destination == name)
            moved = sum(count for one, count in self.replays.moved.items() if one.destination == name)
            assert requeued == moved + self.letters.requeued[name], f"{name}: {requeued} requeued, {moved} moved"
        told = sum(notice.count for notice in self.told if isinstance(notice, EntriesReplayed))
        unheard = sum(
            sum(answer.owed.values()) for one in self.weathers for _, answer in one.lost if isinstance(answer, Moved)
        )
        assert told + unheard == self.replays.moved.total(), "the notices say otherwise"

    def seen(self) -> Counter[str]:
        done = sum(getattr(notice, "outcome", "") == "done" for notice in self.told)
        letters = sum(getattr(notice, "letters", 0) for notice in self.told if hasattr(notice, "outcome"))
        moved = Counter({"moved": self.replays.moved.total(), "replays done": done, "letters moved": letters})
        return super().seen() + self.happened + moved


def _id_of(one: Archived) -> str:
    id_: str = orjson.loads(one.raw)["id"]
    return id_
