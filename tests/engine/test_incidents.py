from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import EntryClass, JsonObject, Lane, StreamKey, Worth
from relay.core.incident import Incident, Patience
from relay.core.incident_log import Happening, LogEntry, Part, Sample
from relay.core.notices import (
    CallAnswered,
    DeadLettersMoved,
    DestinationPaused,
    EntriesDelivered,
    IncidentClosed,
    IncidentOpened,
    Notice,
    ReplayEnded,
    ReplayStarted,
    ReplayTurned,
    StoreWarned,
)
from relay.core.report.figures import document
from relay.engine.delivery import Delivery, DeliveryOptions, DeliveryParts
from relay.engine.incidents import IncidentParts, IncidentWatch
from relay.engine.recorder import MOST_CODES, MOST_EVENTS, OTHER, Recorder
from relay.engine.survey import Survey
from relay.ports import Incidents
from tests.twins.clock import Dice, FakeClock
from tests.twins.rig import Rig
from tests.twins.tiktok import BAD_GATEWAY, OK

PURCHASES = StreamKey("d", EntryClass.CONVERSION)
QUICK = Patience(every_ms=10_000, standing_ms=20_000, calm_ms=15_000)


@dataclass
class Stormy:
    """The port, with a say in whether it answers; ``deaf``: it does as asked, and the answer is lost."""

    store: Incidents
    away: bool = False
    deaf: bool = False
    refuses: bool = False

    def _weather(self) -> None:
        if self.refuses:
            raise StoreMisused("WRONGTYPE")
        if self.away:
            raise StoreUnavailable(StoreTrouble.AWAY)

    async def log(self, destination: str, number: int) -> list[LogEntry]:
        self._weather()
        return await self.store.log(destination, number)

    async def list(self, destination: str) -> Any:
        self._weather()
        return await self.store.list(destination)

    async def save(self, incident: Incident, expected_version: int, log: Sequence[LogEntry]) -> bool:
        self._weather()
        done = await self.store.save(incident, expected_version, log)
        if self.deaf:
            raise StoreUnavailable(StoreTrouble.AWAY)
        return done

    async def append(self, destination: str, number: int, log: Sequence[LogEntry]) -> bool:
        self._weather()
        done = await self.store.append(destination, number, log)
        if self.deaf:
            raise StoreUnavailable(StoreTrouble.AWAY)
        return done


@dataclass
class Replica:
    """One process: delivery, survey, recorder, watch."""

    rig: Rig
    name: str
    incidents: Incidents
    leads: bool = True
    modes: dict[str, str] = field(default_factory=dict)
    told: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        rig = self.rig
        self.recorder = Recorder(rig.names, rig.clock, self.name, scrub=lambda text: text.replace("secret", "[value]"))
        store = rig.store
        parts = DeliveryParts(store.owed, store.gates, rig.clock, Dice(), self.tell, store.modes, store.roster)
        self.delivery = Delivery([rig.destination(name) for name in rig.names], parts, DeliveryOptions(self.name))
        self.survey = Survey(rig.store.owed, rig.clock, self.tell, gates=self.delivery.gates, paces=self.delivery.paces)
        work = IncidentParts(self.incidents, rig.store.gates, self.recorder, rig.clock, self.tell, lambda: self.modes)
        self.watch = IncidentWatch(rig.names, work, QUICK, leads=self.leads)

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)
        self.rig.told.append(notice)
        self.recorder(notice)

    def heard(self, kind: type) -> list[Any]:
        return [notice for notice in self.told if isinstance(notice, kind)]


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    """All of them until the block ends; what was seen last is written on the way out."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for one in replicas:
            if one.leads:
                tasks.create_task(one.delivery.run(stopping))
            tasks.create_task(one.survey.run(stopping))
            tasks.create_task(one.watch.run(stopping))
        yield
        stopping.set()
        await replicas[0].rig.clock.advance(16)
    for one in replicas:
        await one.watch.finish()


def replica(rig: Rig | None = None, name: str = "r1", **more: Any) -> Replica:
    rig = rig or Rig()
    return Replica(rig, name, more.pop("incidents", rig.store.incidents), **more)


async def report(rig: Rig, name: str = "d") -> JsonObject:
    """The document of the latest incident."""
    found = await rig.store.incidents.list(name)
    assert found, "no incident"
    return document(found[0], await rig.store.incidents.log(name, found[0].number), rig.clock.now_ms())


async def outage(rig: Rig, seconds: float, rate: int = 3) -> None:
    """TikTok is down and events keep coming."""
    rig.tiktok.script = lambda _: BAD_GATEWAY
    for _ in range(int(seconds)):
        await rig.owe(rate, names=["Purchase"], value=2, currency="USD", worth=Worth(2_000_000, "USD"))
        await rig.clock.advance(1)
    rig.tiktok.script = lambda _: OK


async def test_an_outage_from_begin_to_end() -> None:
    one = replica()
    rig = one.rig
    async with running(one):
        await rig.owe(20, names=["ViewContent"])
        await rig.clock.advance(5)
        await outage(rig, 60)
        await rig.clock.advance(150)
    (opened,), (closed,) = one.heard(IncidentOpened), one.heard(IncidentClosed)
    assert (opened.incident, opened.causes, opened.reason) == ("d-1", ("gate",), "http_502")
    told = await report(rig)
    assert not told["open"]
    assert told["causes"] == ["gate", "backlog"]
    books = await rig.books()
    assert books["owed"] == 0
    entries = told["entries"]
    assert entries["owed_before"] + entries["arrived"] == 180
    assert entries["delivered"] == 180 == books["delivered"] - 20
    assert entries["unaccounted"] == 0
    assert told["events"] == [{"event": "Purchase", "currency": "USD", "items": 180, "value": 360.0}]
    assert told["not_broken_down"] == 0
    assert told["delays"]["max"] >= 55
    assert sum(one["entries"] for one in told["delays"]["buckets"]) == 180
    assert entries["most_owed"] >= 170
    assert told["value"]["most_owed"] == {"USD": entries["most_owed"] * 2.0}
    (code,) = [row for row in told["codes"] if row["code"] == "http_502"]
    assert code["calls"] >= 5 + len([line for line in told["timeline"] if "probe failed" in line["text"]])
    (episode,) = told["gate"]["episodes"]
    assert 55 < episode["seconds"] < 130
    assert closed.delivered == 180
    assert 60 < closed.seconds < 200


async def test_samples_come_once_an_interval_whoever_writes_them() -> None:
    rig = Rig()
    pair = [replica(rig, name) for name in ("r1", "r2", "r3")]
    async with running(*pair):
        await outage(rig, 100)
        await rig.clock.advance(150)
    (incident,) = await rig.store.incidents.list("d")
    log = await rig.store.incidents.log("d", 1)
    samples = [one for one in log if isinstance(one, Sample)]
    intervals = [one.at_ms // QUICK.every_ms for one in samples[:-1]]  # the last one is taken when it closes
    assert len(set(intervals)) >= 10
    assert len(intervals) - len(set(intervals)) == len(incident.causes) - 1, "a new cause is sampled at once"
    assert [one.since_ms for one in samples[1:]] == [one.at_ms for one in samples[:-1]], "one chain"
    told = await report(rig)
    assert told["missing"] == []
    assert told["entries"]["delivered"] == 300
    assert told["not_broken_down"] == 0
    assert sum(row["items"] for row in told["events"]) == 300, "each process counted what it delivered"
    assert sum(one["delivered"] for one in told["samples"]) == 300
    assert not incident.ongoing
    for one in pair:
        assert len(one.heard(IncidentOpened)) == len(one.heard(IncidentClosed)) == 1, "each tells it, for its metrics"
    assert [notice.found for one in pair for notice in one.heard(IncidentOpened)].count(False) == 1


async def test_who_does_not_close_it_still_says_what_it_delivered_last() -> None:
    rig = Rig()
    pair = [replica(rig, name) for name in ("r1", "r2", "r3")]
    async with running(*pair):
        await outage(rig, 20)
        while not any(one.heard(IncidentClosed) for one in pair):
            await rig.owe(3, names=["Purchase"])
            await rig.clock.advance(0.5)
        await rig.clock.advance(5)
    told = await report(rig)
    items = sum(row["items"] for row in told["events"])
    assert abs(items - told["entries"]["delivered"]) <= 6, "what was on its way in that very second"
    assert len({entry.token[:2] for entry in await rig.store.incidents.log("d", 1) if isinstance(entry, Part)}) > 1


async def test_a_second_outage_during_the_drain_continues_it() -> None:
    one = replica()
    rig = one.rig
    async with running(one):
        await outage(rig, 40)
        await rig.clock.advance(20)
        await outage(rig, 30)
        await rig.clock.advance(200)
    told = await report(rig)
    assert told["id"] == "d-1"
    assert not told["open"]
    assert len(told["gate"]["episodes"]) >= 1
    assert told["entries"]["delivered"] == 210


async def test_an_outage_long_after_is_another_one() -> None:
    one = replica()
    rig = one.rig
    async with running(one):
        for _ in range(2):
            await outage(rig, 30)
            await rig.clock.advance(300)
    assert [incident.id for incident in await rig.store.incidents.list("d")] == ["d-2", "d-1"]
    first = await rig.store.incidents.log("d", 1)
    second = await rig.store.incidents.log("d", 2)
    assert not {entry.token for entry in first if not isinstance(entry, Sample)} & {entry.token for entry in second}
    assert (await report(rig))["entries"]["delivered"] == 90


async def test_good_times_make_no_incident() -> None:
    one = replica()
    rig = one.rig
    async with running(one):
        for _ in range(60):
            await rig.owe(5)
            await rig.clock.advance(1)
        one.tell(DestinationPaused("d", paused=True))
        await one.delivery.pause("d")
        await rig.owe(50)
        await rig.clock.advance(90)
    assert await rig.store.incidents.list("d") == []


async def test_a_restart_goes_on_with_the_record() -> None:
    """The second process knows nothing but what is stored."""
    rig = Rig()
    first = replica(rig)
    async with running(first):
        await outage(rig, 40)
    rig.tiktok.script = lambda _: BAD_GATEWAY
    await rig.owe(7, names=["Purchase"], value=2, currency="USD", worth=Worth(2_000_000, "USD"))
    rig.clock.jump(45)  # nobody is there
    second = replica(rig, "r2")
    async with running(second):
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(200)
    assert [notice.found for notice in second.heard(IncidentOpened)] == [True]
    told = await report(rig)
    assert told["id"] == "d-1"
    assert not told["open"]
    assert told["entries"]["delivered"] == 127
    assert told["missing"], "nobody sampled while nobody was there"
    assert sum(one["delivered"] for one in told["samples"]) == 127, "and nothing is left out for all that"
    assert told["not_broken_down"] == 0


async def test_a_store_that_is_away_costs_samples_and_nothing_else() -> None:
    rig = Rig()
    stormy = Stormy(rig.store.incidents)
    one = replica(rig, incidents=stormy)
    async with running(one):
        await outage(rig, 30)
        stormy.away = True
        await outage(rig, 45)
        one.tell(DestinationPaused("d", paused=True))
        one.tell(DestinationPaused("d", paused=False))
        await rig.clock.advance(12)
        stormy.away = False
        await rig.clock.advance(200)
    told = await report(rig)
    assert told["missing"]
    assert told["entries"]["delivered"] == 225
    assert told["not_broken_down"] == 0
    assert sum(one["arrived"] for one in told["samples"]) == told["entries"]["arrived"]
    assert [line["text"] for line in told["timeline"] if line["kind"] == "operator"] == [
        "an operator paused the destination",
        "an operator resumed the destination",
    ]


async def test_what_operators_did_is_in_the_report() -> None:
    """A replay of another destination is no part of it; one of all is. Waking a closed gate does nothing."""
    one = replica(Rig(("d", "e")))
    async with running(one):
        await outage(one.rig, 30)
        await one.delivery.probe("d")
        await one.delivery.secret_changed("d")
        await one.delivery.probe("e")
        one.tell(ReplayStarted("r1", 0, 7_200_000, 500, 1_000, event="Order Completed", dead_letters=True))
        one.tell(ReplayTurned("r1", "paused"))
        one.tell(ReplayTurned("r1", "resumed"))
        one.tell(ReplayEnded("r1", "done", 998, 3, 2.5))
        one.tell(ReplayStarted("r2", 0, 7_200_000, 500, 10, "e"))
        one.tell(ReplayStarted("r3", 0, 7_200_000, 500, 20, "d", event="jane@example.com"))
        one.tell(ReplayEnded("r3", "cancelled", 5, 0, 2.5, destination="d"))
        await one.rig.clock.advance(200)
    told, window = await report(one.rig), "1970-01-01 00:00:00 – 02:00:00 UTC"
    assert [line["text"] for line in told["timeline"] if line["kind"] == "operator"] == [
        "an operator asked for a probe",
        "the access token was changed: probed at once",
        (
            f"an operator began to send again what came in {window}, Order Completed only, dead letters as well,"
            " for all destinations: about 1,000 entries (replay r1)"
        ),
        "an operator paused replay r1",
        "an operator resumed replay r1",
        "replay r1 is done: 998 entries owed again",
        f"an operator began to send again what came in {window}, one event only: about 20 entries (replay r3)",
        "an operator cancelled replay r3: 5 entries were owed again",
    ]
    assert await one.rig.store.incidents.list("e") == []


async def test_a_lost_answer_counts_nothing_twice() -> None:
    rig = Rig()
    stormy = Stormy(rig.store.incidents)
    one = replica(rig, incidents=stormy)
    async with running(one):
        await outage(rig, 35)
        for _ in range(60):
            stormy.deaf = not stormy.deaf
            await rig.clock.advance(3)
        stormy.deaf = False
        await rig.clock.advance(60)
    told = await report(rig)
    assert not told["open"]
    assert told["entries"]["delivered"] == sum(row["items"] for row in told["events"]) == 105
    assert sum(one["delivered"] for one in told["samples"]) == 105


async def test_a_damaged_key_is_told_once_a_minute_and_stops_nothing() -> None:
    rig = Rig()
    one = replica(rig, incidents=Stormy(rig.store.incidents, refuses=True))
    async with running(one):
        await outage(rig, 30)
        await rig.clock.advance(60)
    assert 1 <= len(one.heard(StoreWarned)) <= 3
    assert (await rig.books())["delivered"] == 90


async def test_a_backlog_that_stands_opens_one() -> None:
    """The relay was away for an hour, say: the gate never moved."""
    one = replica()
    rig = one.rig
    await rig.owe(40, received_ms=rig.clock.now_ms() - 3_600_000)
    for _ in range(30):
        assert await rig.store.owed.claim(PURCHASES, Lane.LIVE, 1, 10**9) is None, "it only moves the mark"
        await one.survey.look()
        assert one.recorder.surveyed is not None
        await one.watch.look(one.recorder.surveyed)
        rig.clock.jump(1)
    (opened,) = one.heard(IncidentOpened)
    assert opened.causes == ("backlog",)
    told = await report(rig)
    assert told["entries"]["owed_before"] == 40
    assert told["timeline"][0]["text"] == "incident opened: a backlog stands"


async def test_a_fail_over_opens_one_and_its_end_closes_it() -> None:
    one = replica()
    rig = one.rig
    async with running(one):
        await rig.clock.advance(3)
        one.modes["d"] = "failover"
        one.recorder.happened("d", "failover")
        await rig.owe(5)
        await rig.clock.advance(60)
        assert (await report(rig))["open"]
        one.recorder.happened("d", "failback")
        one.modes["d"] = "failback"
        await rig.clock.advance(30)
        assert (await report(rig))["open"]
        one.recorder.happened("d", "standby")
        one.modes["d"] = "standby"
        await rig.clock.advance(30)
    told = await report(rig)
    assert told["causes"] == ["failover"]
    assert not told["open"]
    texts = [line["text"] for line in told["timeline"]]
    assert "fail-over began" in texts
    assert texts[-3:-1] == ["the destination stands by again", "everything of the time of trouble is settled"]


async def test_one_destination_s_incident_is_nobody_else_s() -> None:
    rig = Rig(("a", "b"))
    one = replica(rig)
    rig.tiktok.script = lambda items: BAD_GATEWAY if any(item["bad"] for item in items) else OK
    async with running(one):
        for _ in range(30):
            await rig.owe(2, name="a", bad=True)
            await rig.owe(2, name="b")
            await rig.clock.advance(1)
    assert (await report(rig, "a"))["open"]
    assert await rig.store.incidents.list("b") == []


async def test_intake_alone_adds_what_its_operators_did() -> None:
    rig = Rig()
    lead, door = replica(rig), replica(rig, "door", leads=False)
    async with running(lead, door):
        door.recorder(DeadLettersMoved("d", "requeue", 9))
        await rig.clock.advance(30)
        assert await rig.store.incidents.list("d") == [], "it opens none"
        await outage(rig, 30)
        door.recorder(DeadLettersMoved("d", "discard", 4))
        door.recorder(DeadLettersMoved("-", "discard", 4))
        await rig.clock.advance(5)
        log = await rig.store.incidents.log("d", 1)
    mine = [one for one in log if isinstance(one, Happening) and one.token.startswith("door")]
    assert [(one.what, one.count) for one in mine] == [("discard", 4)]
    assert door.heard(IncidentOpened)


def answered(code: str, request_id: str = "r", message: str = "") -> CallAnswered:
    return CallAnswered("d", "retry", code, 1, 0.1, request_id, message=message)


def test_what_is_kept_of_a_process_is_bounded() -> None:
    recorder = Recorder(("d",), FakeClock(), "r")
    for number in range(500):
        recorder(EntriesDelivered(PURCHASES, Lane.LIVE, (1.0,), {(f"Event{number}", "USD"): (1, 1)}))
        recorder(answered(f"http_{number}", f"id-{number}"))
        recorder(answered("http_0", f"again-{number}"))
        recorder(DestinationPaused("d", paused=True))
    (part,) = [one for one in recorder.tallies["d"].take(recorder.token, 1) if isinstance(one, Part)]
    assert len(part.sold) <= MOST_EVENTS + 1
    assert sum(items for row in part.sold.values() for items, _ in row.values()) == 500
    assert len(part.answers) <= MOST_CODES + 1
    assert sum(one.calls for one in part.answers.values()) == 1000
    assert part.answers["http_0"].request_ids == tuple(f"again-{number}" for number in range(495, 500))
    assert recorder.tallies["d"].take(recorder.token, 1) == []


def test_words_of_others_are_kept_out() -> None:
    recorder = Recorder(("d",), FakeClock(), "r", scrub=lambda text: text.replace("jane@example.com", "[email]"))
    recorder(EntriesDelivered(PURCHASES, Lane.LIVE, (1.0,), {("jane@example.com bought", ""): (1, 0)}))
    recorder(answered("40002", message="bad jane@example.com"))
    (part,) = [one for one in recorder.tallies["d"].take(recorder.token, 1) if isinstance(one, Part)]
    assert set(part.sold) == {OTHER}
    assert part.answers["40002"].message == "bad [email]"


async def test_a_replica_that_learns_late_keeps_what_it_knows_of_trouble() -> None:
    """Re-reading the record must not make the backlog of the last interval look settled."""
    one = replica()
    rig = one.rig
    async with running(one):
        await outage(rig, 33)
        rig.tiktok.script = lambda _: BAD_GATEWAY
        await rig.clock.advance(4)
        record = (await rig.store.incidents.list("d"))[0]
        rig.store.incidents.records["d"][1] = replace(record, troubled_ms=1)
        docket = one.watch._dockets["d"]
        await docket._read()
        assert docket._latest is not None
        assert docket._latest.troubled_ms > record.opened_ms
