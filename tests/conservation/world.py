"""One seed of the conservation test: two replicas, a moody TikTok, bad weather, crashes, operators, and time.

Longer than other files: its steps and its laws read the same state.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from relay.core.errors import StoreUnavailable
from relay.core.event import (
    ENDINGS,
    DeadLetter,
    JsonObject,
    Lapsed,
    Lease,
    NewEntry,
    Settled,
    Settlement,
    Shed,
    StreamKey,
    Worth,
)
from relay.core.notices import Notice
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts, Destination
from tests.conservation.stage import LIVE_AGE_MS, Stage, streams_of
from tests.conservation.tiktok import MOODS, CountingTikTok
from tests.conservation.watch import WatchedLetters, WatchedModes, WatchedOwed, Witness
from tests.twins.clock import Dice
from tests.twins.rig import told_ledger
from tests.twins.tiktok import PlainMapping
from tests.twins.weather import Weather, WeatheredGates, WeatheredModes, WeatheredOwed, WeatheredRoster

HOUR_S = 3600.0
POLL_S = 2.0
MAY_DOUBLE = {"overlap", "ambiguous"}


@dataclass
class Replica:
    """One process: it can be cut off, stopped, and killed."""

    name: str
    weather: Weather
    delivery: Delivery
    stopping: asyncio.Event
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass
class World:
    """``step`` does one random thing, ``check`` asserts the laws, ``heal`` lets everything come to its end."""

    names: ClassVar[tuple[str, ...]] = ("a", "b")
    archives: ClassVar[bool] = False
    storm: ClassVar[frozenset[str]] = frozenset({"delivered", "dead", "unmatched"})  # what its seeds must have seen

    seed: int
    stage: Stage
    told: list[Notice] = field(default_factory=list)
    owed_events: dict[tuple[StreamKey, str], JsonObject] = field(default_factory=dict)
    weathers: list[Weather] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store, self.clock, self.before = self.stage.store, self.stage.clock, self.stage.before
        self.witness = Witness(LIVE_AGE_MS)
        self.streams = streams_of(self.names)
        self.dice = random.Random(self.seed)
        self.tiktoks = {name: CountingTikTok(self.clock, self.dice) for name in self.names}
        self.owed = WatchedOwed(self.store.owed, self.witness, self.before, self.store.modes)
        self.modes = WatchedModes(self.store.modes, self.witness, self.before)
        self.received: set[tuple[StreamKey, str]] = set()
        self.letters = WatchedLetters(self.store.dead_letters, self.before)
        self.replicas: dict[str, Replica] = {}
        self.count = 0
        self.brought: set[tuple[StreamKey, str]] = set()  # what came out of files
        self.released: set[tuple[str, str]] = set()  # destination and id of what an operator let TikTok count twice
        self.ghosts: list[asyncio.Task[None]] = []

    async def run(self, steps: int) -> None:
        """A whole life: steps, healing, the final account."""
        try:
            for name in ("r1", "r2"):
                self.start(name)
            await self.live(steps)
            await self.heal()
            await self.account()
        finally:
            await self.end()

    async def live(self, steps: int) -> None:
        """The storm."""
        for _ in range(steps):
            await self.step()
            await self.check()

    async def end(self) -> None:
        """Leave no task behind, whatever happened."""
        tasks = [*self.ghosts, *(task for replica in self.replicas.values() for task in replica.tasks)]
        for task in tasks:
            task.cancel()
        for _ in range(10):
            await self.clock.advance(10)
        await asyncio.gather(*tasks, return_exceptions=True)

    # Replicas

    def start(self, name: str) -> None:
        weather, stopping = Weather(), asyncio.Event()
        self.weathers.append(weather)
        parts = DeliveryParts(
            WeatheredOwed(self.owed, weather),
            WeatheredGates(self.store.gates, weather),
            self.clock,
            Dice(self.dice.randrange(2**32)),
            self.told.append,
            WeatheredModes(self.modes, weather),
            WeatheredRoster(self.store.roster, weather),
        )
        destinations = [self.destination(one) for one in self.names]
        options = DeliveryOptions(f"{name}-{self.dice.random()}", linger_s=0.5, poll_s=POLL_S)
        delivery = Delivery(destinations, parts, options)
        replica = self.replicas[name] = Replica(name, weather, delivery, stopping)
        loop = asyncio.get_running_loop()
        replica.tasks += [loop.create_task(part) for part in (self._live(delivery, stopping), *self.beside(replica))]

    def beside(self, replica: Replica) -> list[Coroutine[Any, Any, None]]:
        """What else a process runs, until its stop is asked for."""
        return []

    def destination(self, name: str) -> Destination:
        """As the configuration has it."""
        return Destination(name, sender=self.tiktoks[name], **({"mapping": PlainMapping()} | self.settings(name)))

    def settings(self, name: str) -> dict[str, Any]:
        """What is special about a destination."""
        return {"also_sent_by": "segment" if name == "b" else "nobody"}

    async def _live(self, delivery: Delivery, stopping: asyncio.Event) -> None:
        """As the service does: modes are declared before anything is claimed."""
        while not stopping.is_set():
            try:
                await delivery.declare()
                break
            except StoreUnavailable:
                await self.clock.sleep(0.2)
        await delivery.run(stopping)

    async def crash(self, name: str) -> None:
        """Kill -9: nothing of it reaches the store any more, whatever its last wishes are."""
        replica = self.replicas.pop(name)
        replica.weather.away()
        for task in replica.tasks:
            task.cancel()
        self.ghosts += replica.tasks

    async def stop(self, name: str) -> None:
        """SIGTERM."""
        replica = self.replicas.pop(name)
        replica.weather.clear()
        replica.stopping.set()
        await self.clock.advance(25)
        for task in replica.tasks:
            assert task.done(), "a stop takes too long"
            task.result()

    # Steps

    async def step(self) -> None:
        """One random thing, and a little time."""
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            *self.more_deeds(),
            (30, self.append),
            (30, self.pass_time),
            (7, self.leap),
            (18, self.change_mood),
            (8, self.change_weather),
            (5, self.lose_replica),
            (5, self.operate),
            (9, self.tidy),
        ]
        weights = [weight for weight, _ in deeds]
        (_, deed), *_ = self.dice.choices(deeds, weights)
        await deed()
        for name in ("r1", "r2"):
            if name not in self.replicas and self.dice.random() < 0.5:
                self.start(name)
        await self.clock.advance(self.dice.uniform(0.0, 1.5))

    def more_deeds(self) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
        """What other worlds do besides."""
        return []

    async def append(self) -> None:
        await self.receive(self.arrivals())

    def arrivals(self) -> list[NewEntry]:
        """New events, and now and then one that was sent before."""
        stream, now = self.dice.choice(self.streams), self.clock.now_ms()
        new = [self._event(stream, now) for _ in range(self.dice.randrange(1, 40))]
        if self.dice.random() < 0.2:  # out of a file, among fresh ones
            long_ago = now - self.dice.choice((1, 20, 50)) * int(HOUR_S) * 1000
            new = [entry._replace(received_ms=long_ago) if self.dice.random() < 0.8 else entry for entry in new]
        return [*new, *self.again()] if self.dice.random() < 0.3 else new

    def again(self) -> Iterator[NewEntry]:
        """One that was received before, if it is remembered in any case."""
        now, known = self.clock.now_ms(), list(self.owed_events.items())[-50:]
        if known:
            (stream, id_), event = self.dice.choice(known)
            if now - event["at"] < 20 * HOUR_S * 1000:
                yield NewEntry(stream, id_, orjson.dumps(event), now, "s")

    async def receive(self, new: list[NewEntry]) -> None:
        """Promise 1: each is owed from now on, or was received before."""
        now = self.clock.now_ms()
        await self.before()
        for entry, fresh in zip(new, await self.store.inbox.append(new), strict=True):
            key = (entry.stream, entry.event_id)
            assert fresh != (key in self.received), f"{key} was received {'twice' if fresh else 'and is not owed'}"
            if fresh and entry.received_ms < now:
                self.brought.add(key)
            if fresh:
                self.received.add(key)
                self.owed_events[key] = orjson.loads(entry.raw)

    def _event(self, stream: StreamKey, now: int) -> NewEntry:
        self.count += 1
        kind = self.dice.random()
        event: JsonObject = {"id": f"{stream.destination}{self.count}", "at": now}
        if kind < 0.06:
            event["bad"] = True
        elif kind < 0.12:
            event["names"] = ["x", "y", "z"][: self.dice.randrange(4)]
        elif kind < 0.16:
            event |= {"names": ["x", "y"], "broken": ["y"]}
        elif kind < 0.18:
            event["time"] = now // 1000 - 8 * 86_400
        elif kind < 0.22:
            event["test"] = "T"
        worth = Worth(self.dice.randrange(1, 10**9), self.dice.choice(["USD", "EUR"]))
        return NewEntry(stream, event["id"], orjson.dumps(event), now, "s", worth)

    async def pass_time(self) -> None:
        await self.clock.advance(self.dice.choice((0.3, 2.0, 8.0, 35.0)))

    async def leap(self) -> None:
        """The machine slept."""
        self.clock.jump(self.dice.choice((60.0, 600.0, HOUR_S, 10 * HOUR_S, 45 * HOUR_S, 50 * HOUR_S, 50 * HOUR_S)))
        await self.clock.advance(2.0)

    async def change_mood(self) -> None:
        self.dice.choice(list(self.tiktoks.values())).mood = self.dice.choice(MOODS)

    async def change_weather(self) -> None:
        if self.replicas:
            weather = self.dice.choice(list(self.replicas.values())).weather
            share, dice = self.dice.choice((0.0, 0.0, 0.3, 1.0)), self.dice
            weather.strikes = lambda _: dice.choice(("before", "after")) if dice.random() < share else ""

    async def lose_replica(self) -> None:
        if self.replicas:
            name = self.dice.choice(list(self.replicas))
            await (self.crash if self.dice.random() < 0.6 else self.stop)(name)

    async def operate(self) -> None:
        """Pause, resume, wake."""
        if self.replicas:
            delivery = self.dice.choice(list(self.replicas.values())).delivery
            deed = self.dice.choice((delivery.pause, delivery.resume, delivery.resume, delivery.secret_changed))
            with suppress(StoreUnavailable):
                await deed(self.dice.choice(self.names))

    async def tidy(self) -> None:
        """Requeue dead letters, in doubt or not, or release some, or discard one."""
        name = self.dice.choice(self.names)
        letters = await self.letters.list(name, limit=100)
        self._judge(name, letters)
        chosen = [letter for letter in letters if self.dice.random() < 0.6]
        await self.before()
        if chosen and self.dice.random() < 0.8:
            risky = [letter for letter in chosen if letter.reason in MAY_DOUBLE]
            released = risky if self.dice.random() < 0.3 else []
            self.released |= {(name, _id_of(letter)) for letter in released}
            await self.letters.requeue(name, [one.id for one in chosen if one not in released])
            await self.letters.requeue(name, [one.id for one in released], released=True)
        elif letters and self.dice.random() < 0.2:
            await self.letters.discard(name, [letters[0].id])
            gone = letters[0]
            assert gone.klass is not None
            self.owed_events.pop((StreamKey(name, gone.klass), _id_of(gone)), None)

    # Laws

    async def check(self) -> None:
        """Promise 2, after every step."""
        for ghost in [task for task in self.ghosts if task.done()]:
            self.ghosts.remove(ghost)
            if not ghost.cancelled() and (error := ghost.exception()) is not None:
                raise error
        for replica in self.replicas.values():
            for task in replica.tasks:
                if task.done():
                    task.result()
        survey, buried = await self.store.owed.survey(), Counter[str]()
        for stream in survey.streams:
            assert stream.unbalanced == 0, f"seed {self.seed}: {stream}"
            buried[stream.stream.destination] += sum(n for what, n in stream.books.items() if what.startswith("dead:"))
        for name in self.names:
            assert survey.dead[name] == buried[name] - self.letters.gone[name], f"{name}: letters and books differ"
        doubled = {(name, id_) for name, tiktok in self.tiktoks.items() for id_ in tiktok.doubled}
        assert doubled <= self.released, f"seed {self.seed}: {doubled - self.released} doubled"

    def _judge(self, name: str, letters: list[DeadLetter]) -> None:
        """Promise 3, of each letter: it knows since when TikTok may have it, and no clock takes a release back."""
        for letter in letters:
            id_, names = _id_of(letter), orjson.loads(letter.raw).get("names", ["Purchase"])
            taken_back = letter.reason in MAY_DOUBLE and (name, id_) in self.released
            assert not taken_back, f"seed {self.seed}: {id_} was released and is {letter.reason} again"
            for key in (f"{one}/{id_}" for one in names if one not in letter.accepted):
                arrived = self.tiktoks[name].first.get(key)
                assert arrived is None or 0 < letter.first_ms <= arrived, f"seed {self.seed}: {id_} knows of no doubt"

    async def heal(self) -> None:
        """Good weather, a fine TikTok, nobody pauses: everything owed must end within bounds."""
        await self.clear_up(self.names)
        await self.run_dry(self.names)

    async def clear_up(self, names: Collection[str]) -> None:
        """Two replicas, good weather, and nothing wrong with these destinations any more."""
        for name in names:
            self.tiktoks[name].mood = "fine"
        for replica in ("r1", "r2"):
            if replica not in self.replicas:
                self.start(replica)
            self.replicas[replica].weather.clear()
        await self.clock.advance(3)
        for name in names:
            await self.replicas["r1"].delivery.resume(name)

    async def run_dry(self, names: Collection[str]) -> None:
        """Every run ends: nothing that may be sent stays owed for longer than four hours after the last fault."""
        for turn in range(120):
            self.clock.jump(0 if turn < 3 else 100)  # held gates are probed every five minutes
            await self.clock.advance(12)
            await self.check()
            streams = (await self.store.owed.survey()).streams
            if not sum(one.sendable for one in streams if one.stream.destination in names):
                return
        raise AssertionError(f"entries of {names} stay owed for ever")

    async def account(self) -> None:
        """Every event that was accepted is counted once, or lies in the dead letters, or matches nothing."""
        for name in list(self.replicas):
            await self.stop(name)
        await self.clock.advance(20)
        await self.check()
        survey = await self.store.owed.survey()
        books = {stream.stream: stream.books for stream in survey.streams}
        letters = {name: await self.letters.list(name, limit=100_000) for name in self.names}
        for name in self.names:
            self._judge(name, letters[name])
        dead = {(name, _id_of(letter)) for name in self.names for letter in letters[name]}
        for (stream, id_), event in self.owed_events.items():
            items = [f"{name}/{id_}" for name in event.get("names", ["Purchase"])]
            counted = [self.tiktoks[stream.destination].counted[item] for item in items]
            twice = (stream.destination, id_) in self.released  # check() judged that nothing else is
            arrived = all(times == 1 or (times and twice) for times in counted)
            kept = (stream.destination, id_) in dead or self.may_lapse(stream, id_)
            assert arrived or kept, f"seed {self.seed}: {id_} is lost"
        self._compare(books)

    def may_lapse(self, stream: StreamKey, id_: str) -> bool:
        """Whether nobody needs to answer for what became of an entry."""
        return False

    def seen(self) -> Counter[str]:
        """How much of each thing happened that the laws are about."""
        seen = Counter[str]()
        for (_, ending), count in self.witness.settled.items():
            seen[ending] += count
        return seen

    def _compare(self, books: dict[StreamKey, Mapping[str, int]]) -> None:
        """The store counted what its answers said, and the notices say the same, but for answers that were lost."""
        counted, told = Counter[tuple[StreamKey, str]](), told_ledger(self.told)
        for stream, ledger in books.items():
            for ending, times in ledger.items():
                assert told[stream, ending] <= times or ending not in ENDINGS, f"seed {self.seed}: told too much"
                counted[stream, ending.partition(":")[0]] += times
        told_or_lost = Counter[tuple[StreamKey, str]]()
        for (stream, ending), times in told.items():
            told_or_lost[stream, ending.partition(":")[0]] += times
        for (lease, _), settled in self._lost_settlements():
            for ending in ("delivered", "dead", "unmatched"):
                told_or_lost[lease.stream, ending] += getattr(settled, ending)
        for weather in self.weathers:
            for args, answer in weather.lost:
                if isinstance(answer, Lapsed):
                    told_or_lost[args[0], "lapsed"] += answer.count
                if isinstance(answer, Shed):
                    told_or_lost[answer.stream, "shed"] += answer.count
        for key, times in self.witness.settled.items():
            assert (counted[key], told_or_lost[key]) == (times, times), f"seed {self.seed}: {key} does not add up"

    def _lost_settlements(self) -> Iterator[tuple[tuple[Lease, Settlement], Settled]]:
        for weather in self.weathers:
            for args, answer in weather.lost:
                if isinstance(answer, Settled):
                    yield (args[0], args[1]), answer


def _id_of(letter: DeadLetter) -> str:
    id_: str = orjson.loads(letter.raw)["id"]
    return id_
