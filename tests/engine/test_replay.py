"""A replay on twins: what it moves and in what order, what holds it up, and who goes on when somebody dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from relay.core.archive import FILTERED, ReplayAsk, ReplayJob, ReplayState
from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.errors import ReplayRefused, StoreTrouble, StoreUnavailable
from relay.core.event import Burial, DeadReason, EntryClass, JsonObject, Lane, NewEntry, Settlement, StreamKey, Worth
from relay.core.notices import EntriesDelivered, EntriesReplayed, Notice, ReplayEnded, ReplayStarted, ReplayTurned
from relay.core.replay import Shop, View
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.select import Route
from relay.core.tiktok.reply import Call, Reply
from relay.engine import replay_room
from relay.engine.replay import Replayer
from relay.engine.replay_room import HELD, Room
from relay.engine.replay_work import WorkParts
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore
from tests.twins.rig import CONVERSION, Rig, streams_of
from tests.twins.tiktok import OK, PlainMapping

HOUR_MS = 3_600_000


def matches(event: JsonObject) -> tuple[str, ...]:
    return tuple(event.get("names", ["Purchase"]))


class Eager(PlainMapping):
    """Wants everything, as a View."""

    def items(self, event: JsonObject, received_s: int) -> Any:
        return super().items({**event, "names": ["View"]}, received_s)


EAGER = Route("d", frozenset({"d"}), lambda _: ("View",), frozenset({"Purchase"}))


async def bury(desk: Desk, reason: DeadReason, first_ms: int = 0) -> str:
    """A dead letter of an event that was received now; its id."""
    id_ = f"dead{desk.count}"
    desk.count += 1
    stream = StreamKey("d", CONVERSION)
    raw = orjson.dumps({"id": id_, "messageId": id_})
    await desk.store.inbox.append([NewEntry(stream, id_, raw, desk.clock.now_ms(), "s")])
    lot = await desk.store.owed.claim(stream, Lane.LIVE, 1, 10**9)
    assert lot is not None
    await desk.store.owed.settle(lot.lease, Settlement(dead=[Burial(lot.entries[0].id, reason, "", first_ms=first_ms)]))
    return (await desk.store.dead_letters.list("d"))[-1].id


def shop(name: str, *, shared: bool = False) -> Shop:
    route = Route(name, frozenset({name}), matches, frozenset({"Purchase"}))
    return Shop(route, Rules(PlainMapping(), Clocks(shared=shared), "", Limits()), sends=True)


@dataclass
class Desk:
    """A store with an archive, and replicas that may work on its replay."""

    names: tuple[str, ...] = ("d",)
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[Notice] = field(default_factory=list)
    store: MemoryStore = field(init=False)
    gates: dict[str, str] = field(init=False)
    shops: dict[str, Shop] = field(init=False)
    pressed: bool = False
    count: int = 0
    pages: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore(streams_of(*self.names), self.clock, archive=True, retention_ms=100 * HOUR_MS)
        page = self.store.archive.page

        async def counted(*args: Any, **named: Any) -> Any:
            self.pages += 1
            return await page(*args, **named)

        self.store.archive.page = counted  # type: ignore[method-assign]
        self.refused: set[str] = set()
        self.gates = dict.fromkeys(self.names, "closed")
        self.shops = {name: shop(name) for name in self.names}

    def replayer(self, replica: str = "r1", clock: FakeClock | None = None) -> Replayer:
        store = self.store
        room = Room(store.owed, self.clock, lambda: self.gates, lambda: self.pressed)
        letters = store.dead_letters
        parts = WorkParts(store.archive, store.replays, letters, room, clock or self.clock, self.told.append, self.view)
        return Replayer(parts, replica)

    def view(self) -> View:
        routes = [shop.route for shop in self.shops.values()]
        return View(self.shops, ADVERTISING, lambda _source: routes, lambda event: event.get("userId") in self.refused)

    @asynccontextmanager
    async def working(self, replica: str = "r1", clock: FakeClock | None = None) -> AsyncIterator[Replayer]:
        replayer, stopping = self.replayer(replica, clock), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(replayer.run(stopping))
            yield replayer
            stopping.set()
            await self.clock.advance(5)

    async def deliver(self, count: int = 1, name: str = "d", klass: EntryClass = CONVERSION, **event: Any) -> None:
        """Events that were received and delivered now."""
        ids = range(self.count, self.count + count)
        self.count += count
        raws = [orjson.dumps({"id": str(id_), "messageId": f"m{id_}", "event": "Order", **event}) for id_ in ids]
        stream = StreamKey(name, klass)
        new = [
            NewEntry(stream, f"m{id_}", raw, self.clock.now_ms(), "s", Worth(1_000_000, "EUR"))
            for id_, raw in zip(ids, raws, strict=True)
        ]
        await self.store.inbox.append(new)
        await self.drain(stream)

    async def owe(self, name: str = "d") -> None:
        """An event that was received now, and waits."""
        id_ = f"w{self.count}"
        self.count += 1
        raw = orjson.dumps({"id": id_, "messageId": id_})
        await self.store.inbox.append([NewEntry(StreamKey(name, CONVERSION), id_, raw, self.clock.now_ms(), "s")])

    async def drain(self, stream: StreamKey, most: int = 10**6) -> int:
        """Deliver what is owed."""
        done = 0
        for lane in Lane:
            while done < most and (lot := await self.store.owed.claim(stream, lane, min(500, most - done), 10**9)):
                done += (await self.store.owed.settle(lot.lease, Settlement([e.id for e in lot.entries]))).delivered
        return done

    async def filter(self, count: int = 1, **event: Any) -> None:
        for _ in range(count):
            id_ = f"f{self.count}"
            self.count += 1
            raw = orjson.dumps({"id": id_, "messageId": id_, "event": "Cart", "names": [], **event})
            await self.store.inbox.append([NewEntry(FILTERED, id_, raw, self.clock.now_ms(), "s")])

    def ask(self, **changes: Any) -> ReplayAsk:
        return replace(ReplayAsk(0, self.clock.now_ms() + 1), **changes)

    async def start(self, replayer: Replayer, **changes: Any) -> ReplayJob:
        self.clock.jump(0.01)
        return await replayer.start(self.ask(**changes), 0)

    async def job(self) -> ReplayJob:
        job = await self.store.replays.load()
        assert job is not None
        return job

    async def counts(self) -> dict[str, int]:
        return {name: count for name, count in (await self.job()).counts.items() if count}

    async def owed(self, name: str = "d") -> int:
        streams = (await self.store.owed.survey()).streams
        assert not any(one.unbalanced for one in streams)
        return sum(one.owed for one in streams if one.stream.destination == name)

    def heard(self, kind: type[Any]) -> list[Any]:
        return [notice for notice in self.told if isinstance(notice, kind)]


async def test_it_moves_what_was_asked_for_and_says_what_it_did() -> None:
    desk = Desk()
    await desk.deliver(3)
    await desk.deliver(2, event="Other")
    await desk.deliver(2, klass=EntryClass.ENGAGEMENT)
    async with desk.working() as replayer:
        job = await desk.start(replayer, event="Order")
        await desk.clock.advance(3)
        assert (await desk.job()).state is ReplayState.DONE
        assert await desk.owed() == 5
        assert (await desk.counts()) == {"moved": 5}
        assert (await desk.job()).value_micros == {"EUR": 5_000_000}
        (end,) = desk.heard(ReplayEnded)
        assert (end.replay, end.outcome, end.moved, end.letters, end.value) == (job.id, "done", 5, 0, {"EUR": 5.0})
        assert [(one.stream.klass, one.count) for one in desk.heard(EntriesReplayed)] == [
            (CONVERSION, 3),
            (EntryClass.ENGAGEMENT, 2),
        ]
        assert len(desk.heard(ReplayStarted)) == 1
        assert not desk.heard(ReplayTurned)


async def test_what_is_kept_of_a_suppressed_person_is_never_owed_again() -> None:
    desk = Desk()
    await desk.deliver(3, userId="gone")
    await desk.deliver(2, userId="here")
    desk.refused = {"gone"}
    async with desk.working() as replayer:
        weighed = await replayer.weigh(desk.ask(), 5.0)
        assert (sum(weighed.entries.values()), dict(weighed.stops)) == (2, {"suppressed": 3})
        await desk.start(replayer)
        await desk.clock.advance(3)
        assert await desk.owed() == 2
        assert await desk.counts() == {"moved": 2, "suppressed": 3}


async def test_what_is_delivered_while_it_runs_is_not_sent_once_more() -> None:
    desk = Desk()
    await desk.deliver(30)
    async with desk.working() as replayer:
        await desk.start(replayer, rate=4)
        for _ in range(10):
            await desk.clock.advance(1)
            await desk.drain(StreamKey("d", CONVERSION))
        assert 30 < desk.store.state.stream(StreamKey("d", CONVERSION)).books["delivered"] < 75
        await desk.clock.advance(5)
        assert (await desk.job()).state is ReplayState.DONE
        assert (await desk.counts())["moved"] == 30


class Astray(FakeClock):
    """The clock of a relay that differs from the store's."""

    def __init__(self, right: FakeClock, ahead_ms: int) -> None:
        self._right, self._ahead_ms = right, ahead_ms

    def now_ms(self) -> int:
        return self._right.now_ms() + self._ahead_ms

    def monotonic(self) -> float:
        return self._right.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._right.sleep(seconds)


@pytest.mark.parametrize("ahead_ms", [-60_000, 60_000])
async def test_the_clock_of_a_relay_does_not_decide_what_was_there_when_it_began(ahead_ms: int) -> None:
    """One that is ahead would find what the replay itself has sent, for ever; one behind would leave some out."""
    desk = Desk()
    await desk.deliver(450)
    async with desk.working(clock=Astray(desk.clock, ahead_ms)) as replayer:
        desk.clock.jump(0.01)
        task = asyncio.get_running_loop().create_task(replayer.weigh(desk.ask(), 5))
        await desk.clock.advance(1)
        assert task.result().entries == {"d": 450}
        await desk.start(replayer, rate=50)
        for _ in range(30):
            await desk.clock.advance(1)
            await desk.drain(StreamKey("d", CONVERSION))
        job = await desk.job()
        assert (job.state, job.counts) == (ReplayState.DONE, {"moved": 450})
        assert 0 < job.ended_ms - job.began_ms < 30_000


async def test_the_dry_run_is_what_the_replay_does() -> None:
    desk = Desk(("d", "e"))
    await desk.deliver(4)
    await desk.deliver(3, "e")
    await desk.deliver(2, names=[])
    await desk.filter(2)
    await desk.filter(3, names=["View"])
    replayer = desk.replayer()
    desk.clock.jump(0.01)
    weighed = await replayer.weigh(desk.ask(), 5)
    assert weighed.complete
    assert (dict(weighed.entries), weighed.looked) == ({"d": 7, "e": 6}, 14)
    assert {name: dict(micros) for name, micros in weighed.micros.items()} == {
        "d": {"EUR": 4_000_000},
        "e": {"EUR": 3_000_000},
    }
    assert {str(stop): count for stop, count in weighed.stops.items()} == {"unwanted": 4}
    async with desk.working() as worker:
        await desk.start(worker)
        await desk.clock.advance(5)
        assert await desk.counts() == {"moved": 13, "unwanted": 4}
        (end,) = desk.heard(ReplayEnded)
        assert end.left == {"unwanted": 4}


async def test_a_dry_run_that_takes_too_long_says_so() -> None:
    desk = Desk()
    await desk.deliver(700)
    replayer = desk.replayer()

    def slow() -> View:
        desk.clock.jump(0.4)
        return desk.view()

    replayer._parts = replace(replayer._parts, view=slow)
    task = asyncio.get_running_loop().create_task(replayer.weigh(desk.ask(), 1.0))
    await desk.clock.advance(10)
    weighed = task.result()
    assert not weighed.complete
    assert 200 <= weighed.looked < 700


async def test_what_the_clocks_would_stop_stays_in_the_archive() -> None:
    desk = Desk()
    await desk.deliver(2)
    desk.clock.jump(45 * 3600)
    await desk.deliver(1)
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(3)
        assert await desk.counts() == {"moved": 1, "ambiguous": 2}
        assert len(await desk.store.archive.page(CONVERSION)) == 2


async def test_it_keeps_to_its_rate() -> None:
    desk = Desk()
    await desk.deliver(100)
    async with desk.working() as replayer:
        await desk.start(replayer, rate=10)
        await desk.clock.advance(4)
        assert 25 <= (await desk.counts())["moved"] <= 50
        await desk.clock.advance(8)
        assert (await desk.job()).state is ReplayState.DONE


async def test_it_puts_no_more_into_a_stream_than_two_calls_carry() -> None:
    desk = Desk()
    await desk.deliver(3_000)
    async with desk.working() as replayer:
        await desk.start(replayer, rate=5_000)
        await desk.clock.advance(5)
        assert HELD <= await desk.owed() <= HELD + 250
        assert "entries to send first" in (await desk.job()).waiting
        most = 0
        while (await desk.job()).state is ReplayState.RUNNING:
            await desk.drain(StreamKey("d", CONVERSION), 200)
            await desk.clock.advance(0.3)
            most = max(most, await desk.owed())
        assert most <= HELD + 250
        assert (await desk.counts())["moved"] == 3_000


async def test_what_calls_carry_already_is_not_in_its_way() -> None:
    """Fresh events keep more in flight, all the time, than a replay may put in."""
    desk = Desk()
    await desk.deliver(300)
    stream = StreamKey("d", CONVERSION)
    for _ in range(HELD + 1):
        await desk.owe()
    assert await desk.store.owed.claim(stream, Lane.LIVE, HELD + 1, 10**9)
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(5)
        assert (await desk.counts())["moved"] == 300


@pytest.mark.parametrize("held", [HELD // 10, 10**9])
async def test_fresh_conversions_keep_their_promise_beside_it(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """TikTok takes less than half of what the replay would like to send. All of it a tenth of its size, calls as well.

    Without the bound a fresh conversion waits for everything that was moved before it.
    """
    monkeypatch.setattr(replay_room, "HELD", held)
    rig, desk = Rig(), Desk()
    rig.clock, rig.store = desk.clock, desk.store
    await desk.deliver(1_500)

    class Slow:
        async def send(self, call: Call) -> Reply:
            await rig.clock.sleep(call.items / 10)
            return OK

    desk.clock.jump(3600)
    async with (
        rig.running(rig.destination(sender=Slow(), concurrency=1, limits=Limits(items=50))),
        desk.working() as replayer,
    ):
        await desk.start(replayer, rate=25)
        for _ in range(12):
            await desk.clock.advance(5)
            rig.count += 100_000
            await rig.owe()
        await desk.clock.advance(100)
    waits = [delay for notice in rig.heard(EntriesDelivered) for delay in notice.delays if delay < 3600]
    assert len(waits) == 12
    assert (max(waits) <= 30) is (held < HELD)


async def test_pause_resume_and_cancel() -> None:
    desk = Desk()
    await desk.deliver(100)
    async with desk.working() as replayer:
        await desk.start(replayer, rate=10)
        await desk.clock.advance(2)
        job, changed = await replayer.turn(ReplayState.PAUSED)
        assert (job.state, changed) == (ReplayState.PAUSED, True)
        assert (await replayer.turn(ReplayState.PAUSED))[1] is False
        moved = (await desk.counts())["moved"]
        await desk.clock.advance(30)
        assert (await desk.counts())["moved"] == moved == await desk.owed()
        with pytest.raises(ReplayRefused, match="under way"):
            await replayer.start(desk.ask(), 0)
        await replayer.turn(ReplayState.RUNNING)
        await desk.clock.advance(3)
        assert moved < (await desk.counts())["moved"] < 100
        await replayer.turn(ReplayState.CANCELLED)
        moved = (await desk.counts())["moved"]
        await desk.clock.advance(30)
        assert await desk.owed() == moved
        assert len(await desk.store.archive.page(CONVERSION)) == 100 - moved, "the rest is where it was"
        with pytest.raises(ReplayRefused, match="cancelled already"):
            await replayer.turn(ReplayState.RUNNING)
        assert [notice.change for notice in desk.heard(ReplayTurned)] == ["paused", "resumed"]
        assert [notice.outcome for notice in desk.heard(ReplayEnded)] == ["cancelled"]
        await desk.start(replayer, rate=1_000)
        await desk.clock.advance(5)
        assert await desk.owed() == 100


async def test_without_a_replay_there_is_nothing_to_turn() -> None:
    replayer = Desk().replayer()
    assert await replayer.look() is None
    with pytest.raises(ReplayRefused, match="no replay"):
        await replayer.turn(ReplayState.PAUSED)


async def test_another_replica_goes_on_where_a_dead_one_stopped() -> None:
    desk = Desk()
    await desk.deliver(100)
    async with asyncio.TaskGroup() as tasks:
        first = desk.replayer("r1")
        dead = tasks.create_task(first.run(asyncio.Event()))
        await desk.start(first, rate=10)
        await desk.clock.advance(3)
        dead.cancel()
    moved = (await desk.counts())["moved"]
    async with desk.working("r2"):
        await desk.clock.advance(10)
        assert (await desk.counts())["moved"] == moved, "its lease has not fallen due"
        await desk.clock.advance(30)
        assert (await desk.job()).state is ReplayState.DONE
        assert await desk.counts() == {"moved": 100}
        assert await desk.owed() == 100
        assert [notice.change for notice in desk.heard(ReplayTurned)] == ["taken_over"]


async def test_who_stops_in_good_order_hands_over_at_once() -> None:
    desk = Desk()
    await desk.deliver(100)
    async with desk.working("r1") as first:
        await desk.start(first, rate=10)
        await desk.clock.advance(3)
    assert (await desk.job()).owner == ""
    async with desk.working("r2"):
        await desk.clock.advance(1.5)
        assert (await desk.job()).owner == "r2"
        assert not desk.heard(ReplayTurned)


async def test_two_replicas_move_everything_once() -> None:
    desk = Desk()
    await desk.deliver(60)
    async with desk.working("r1") as one, desk.working("r2"):
        await desk.start(one, rate=20)
        await desk.clock.advance(10)
        assert await desk.owed() == 60
        assert await desk.counts() == {"moved": 60}


async def test_a_store_that_goes_away_in_mid_step_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third answer is lost, after the step was taken or before: nothing is lost or doubled."""
    desk = Desk()
    await desk.deliver(200)
    move, calls = desk.store.replays.move, 0

    async def flaky(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 6 == 0:
            raise StoreUnavailable(StoreTrouble.AWAY)
        answer = await move(*args)
        if calls % 3 == 0:
            raise StoreUnavailable(StoreTrouble.AWAY)
        return answer

    monkeypatch.setattr(desk.store.replays, "move", flaky)
    async with desk.working() as replayer:
        await desk.start(replayer, rate=40)
        await desk.clock.advance(60)
        assert (await desk.job()).state is ReplayState.DONE
        assert await desk.owed() == 200
        assert (await desk.counts())["moved"] == 200
        assert not desk.heard(ReplayTurned), "it is the same replica all the time"


async def test_a_stuck_destination_waits_for_its_turn_and_the_other_does_not() -> None:
    desk = Desk(("d", "e"))
    for name in ("d", "e", "d", "e"):
        await desk.deliver(50, name)
    desk.gates["d"] = "open"
    await desk.owe()
    async with desk.working() as replayer:
        await desk.start(replayer, rate=1_000)
        await desk.clock.advance(5)
        assert (await desk.owed("d"), await desk.owed("e")) == (1, 100)
        assert ((await desk.job()).state, (await desk.job()).waiting) == (ReplayState.RUNNING, "d: open")
        looked = desk.pages
        await desk.clock.advance(60)
        assert desk.pages == looked, "it does not walk round and round meanwhile"
        desk.gates["d"] = "closed"
        await desk.clock.advance(5)
        assert (await desk.owed("d"), await desk.owed("e")) == (101, 100)
        job = await desk.job()
        assert job.state is ReplayState.DONE
        assert job.counts.get("deferred", 0) == 0
        assert job.counts["moved"] == 200


@pytest.mark.parametrize("gate", ["open", "held", "probing", "paused"])
async def test_with_nobody_to_send_to_it_stands_still_and_says_why(gate: str) -> None:
    desk = Desk()
    await desk.deliver(50)
    desk.gates["d"] = gate
    await desk.owe()
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(20)
        assert (await desk.job()).waiting == f"d: {gate}"
        assert (await desk.job()).held
        assert await desk.owed() == 1
        desk.gates["d"] = "closed"
        await desk.clock.advance(3)
        assert await desk.owed() == 51
        assert (await desk.job()).waiting == ""


@pytest.mark.parametrize("gate", ["open", "held", "probing"])
async def test_a_gate_with_nothing_to_probe_with_gets_a_step_of_the_replay(gate: str) -> None:
    """Else each would wait for the other until somebody sends a fresh event."""
    desk = Desk()
    await desk.deliver(50)
    desk.gates["d"] = gate
    async with desk.working() as replayer:
        await desk.start(replayer, rate=20)
        await desk.clock.advance(20)
        assert await desk.owed() == 10
        assert (await desk.job()).waiting == f"d: {gate}"
        desk.gates["d"] = "closed"
        await desk.clock.advance(5)
        assert await desk.owed() == 50


async def test_a_store_without_room_gets_nothing() -> None:
    desk = Desk()
    await desk.deliver(50)
    desk.pressed = True
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(5)
        assert ((await desk.job()).waiting, await desk.owed()) == ("the store is full", 0)
        desk.pressed = False
        await desk.clock.advance(3)
        assert await desk.owed() == 50


async def test_a_destination_that_stands_by_gets_nothing_that_would_lapse() -> None:
    desk = Desk(("d", "e"))
    for name in ("d", "e"):
        await desk.deliver(5, name)
    desk.shops["d"] = desk.shops["d"]._replace(sends=False)
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(3)
        assert (await desk.owed("d"), await desk.owed("e")) == (0, 5)
        assert (await desk.counts())["standing_by"] == 5


async def test_what_was_filtered_goes_where_today_s_mapping_wants_it() -> None:
    desk = Desk(("d", "e"))
    await desk.filter(4)
    desk.shops["d"] = desk.shops["d"]._replace(rules=desk.shops["d"].rules._replace(mapping=Eager()), route=EAGER)
    async with desk.working() as replayer:
        await desk.start(replayer)
        await desk.clock.advance(3)
        assert (await desk.owed("d"), await desk.owed("e")) == (4, 0)
        assert [await desk.store.archive.page(klass) for klass in EntryClass] == [[], []]


async def test_dead_letters_of_the_window_come_along() -> None:
    desk = Desk()
    old = await bury(desk, DeadReason.REFUSED)
    desk.clock.jump(10)
    since_ms = desk.clock.now_ms()
    refused = await bury(desk, DeadReason.REFUSED, first_ms=1)
    unmappable = await bury(desk, DeadReason.UNMAPPABLE)
    doubtful = await bury(desk, DeadReason.AMBIGUOUS, first_ms=since_ms - 45 * HOUR_MS)
    async with desk.working() as replayer:
        await desk.start(replayer, since_ms=since_ms, letters=True)
        await desk.clock.advance(3)
        assert await desk.counts() == {"letters": 1, "ambiguous": 2}
        assert await desk.owed() == 1
        left = {letter.id for letter in await desk.store.dead_letters.list("d")}
        assert left == {old, refused, doubtful}
        assert unmappable not in left
        (end,) = desk.heard(ReplayEnded)
        assert (end.moved, end.letters) == (1, 1)


async def test_its_own_backlog_is_no_incident_while_it_moves() -> None:
    desk = Desk(("d", "e"))
    await desk.deliver(100)
    async with desk.working() as replayer, desk.working("r2") as other:

        async def shares() -> list[int]:
            survey = await desk.store.owed.survey()
            return [one.keeps_waiting(name, survey) for one in (replayer, other) for name in ("d", "e")]

        await shares()
        await desk.start(replayer, rate=10, destination="d")
        await desk.clock.advance(3)
        moved = (await desk.counts())["moved"]
        assert await shares() == [moved, 0, moved, 0], "whoever works on it, and nothing where it puts nothing"
        await desk.clock.advance(20)
        assert await shares() == [0, 0, 0, 0], "it is done"


async def test_a_replay_that_waits_for_one_destination_hides_nothing_of_another() -> None:
    desk = Desk(("a", "b"))
    await desk.deliver(20, "a")
    await desk.deliver(1, "b")
    desk.gates["b"] = "paused"
    async with desk.working() as replayer:
        shares = [replayer.keeps_waiting("a", await desk.store.owed.survey())]
        await desk.start(replayer, rate=10)
        for _ in range(60):
            await desk.clock.advance(1)
            shares.append(replayer.keeps_waiting("a", await desk.store.owed.survey()))
        assert (await desk.job()).waiting
        assert max(shares) > 0
        assert shares[-1] == 0
