from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from relay.core.archive import FILTERED
from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.delivery.gate import GateRecord, GateState
from relay.core.event import (
    Attempt,
    Burial,
    DeadReason,
    EntryClass,
    Lane,
    NewEntry,
    Reject,
    Rest,
    Settlement,
    StreamKey,
)
from relay.core.notices import Why
from relay.core.trace import Fate, Page, Place, Trace
from relay.engine.hunt import MARGIN_MS, PAGE, Wanted, has_id, needle_of
from relay.engine.passed_over import PassedOver
from relay.engine.trace import LAST_CALLS, TraceParts, Tracer
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore
from tests.twins.tiktok import PlainMapping
from tests.twins.tracks import MemoryTracks

ORDERS = StreamKey("shop", EntryClass.CONVERSION)
VIEWS = StreamKey("shop", EntryClass.ENGAGEMENT)
APP = StreamKey("app", EntryClass.CONVERSION)
HOUR_MS = 3_600_000


@dataclass
class Scene:
    clock: FakeClock = field(default_factory=FakeClock)
    store: MemoryStore = field(init=False)
    passed_over: PassedOver = field(default_factory=PassedOver)
    clocks: Clocks = field(default_factory=Clocks)
    mapping: PlainMapping = field(default_factory=PlainMapping)
    archives: bool = False

    def __post_init__(self) -> None:
        streams = [ORDERS, VIEWS, APP, StreamKey("app", EntryClass.ENGAGEMENT)]
        self.store = MemoryStore(streams, self.clock, archive=self.archives)

    def tracer(self, tracks: Any = None) -> Tracer:
        store = self.store
        return Tracer(
            TraceParts(
                tracks or store.tracks,
                store.owed,
                store.dead_letters,
                store.gates,
                self.clock,
                ("shop", "app"),
                lambda _: Rules(self.mapping, self.clocks, "", Limits()),
                self.passed_over,
                store.archive,
            )
        )

    async def owe(self, *names: object, stream: StreamKey = ORDERS, **event: Any) -> None:
        for name in names:
            raw = orjson.dumps({"messageId": name, "id": str(name), **event})
            await self.store.inbox.append([NewEntry(stream, str(name), raw, self.clock.now_ms(), "web")])

    async def trace(self, message_id: str, destination: str = "shop", **more: Any) -> Trace:
        return await self.tracer(more.get("tracks")).trace(
            Wanted(message_id, 10.0, more.get("since_ms", 0)), destination
        )

    async def fate(self, message_id: str, destination: str = "shop") -> Fate:
        (fate,) = (await self.trace(message_id, destination)).fates
        return fate

    async def settle(self, **how: Any) -> None:
        claimed = await self.store.owed.claim(ORDERS, Lane.LIVE, 1, 10**9)
        assert claimed is not None
        first, lease = claimed.lease.first_id, claimed.lease
        call = Attempt(
            ORDERS.klass, first, first, True, 1, self.clock.now_ms(), "retry", "50002", "R", "L", lease.number
        )
        delivered = [first] if how.get("delivered") else []
        dead = [
            Burial(first, how[name], "because", None, "R", first_ms=how.get("first_ms", 0))
            for name in how
            if name == "dead"
        ]
        calls = [call] * how.get("calls", 1)
        await self.store.owed.settle(lease, Settlement(delivered, dead, (), how.get("rest", Rest.UNCLAIM), calls))


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_owed_behind_a_dead_gate(scene: Scene) -> None:
    await scene.owe("a", "b", "c")
    scene.clock.jump(1)
    open_gate = GateRecord(GateState.OPEN, 0, until_ms=scene.clock.now_ms() + 12_000, reason="50002", since_ms=1)
    await scene.store.gates.save("shop", open_gate, 0)
    fate = await scene.fate("c")
    assert (fate.place, fate.klass, fate.behind) == (Place.OWED, EntryClass.CONVERSION, 2)
    assert "2 of its class are before it" in fate.said
    assert "the next probe is due in 12 s; it will pass its limit at 2026-02-09" in fate.next
    assert fate.calls == ()
    await scene.store.gates.set_paused("shop", paused=True)
    assert "relay resume shop" in (await scene.fate("c")).next


async def test_an_owed_entry_names_the_calls_that_carried_it(scene: Scene) -> None:
    await scene.owe("a", "b")
    await scene.settle(calls=LAST_CALLS + 30, rest=Rest.RELEASE)
    fate = await scene.fate("a")
    assert fate.calls_made == 1, "what a repeated settlement wrote twice is one call"
    assert (fate.calls[0].label, fate.calls[0].request_id) == ("50002", "R")
    assert "TikTok may have got it then" in fate.said
    assert "2026-02-03T22:40:00Z" in fate.next, "44 h after its first claim"
    assert (await scene.fate("b")).calls == ()
    for _ in range(LAST_CALLS + 5):
        scene.clock.jump(0.01)
        await scene.settle(rest=Rest.RELEASE)
    fate = await scene.fate("a")
    assert (len(fate.calls), fate.calls_made) == (LAST_CALLS, LAST_CALLS + 6)


@pytest.mark.parametrize(
    ("event", "said"),
    [({"names": []}, "no subscription matches"), ({"broken": ["Purchase"]}, "cannot be mapped"), ({"id": []}, "fails")],
)
async def test_what_todays_mapping_makes_of_it_is_foretold(scene: Scene, event: dict[str, Any], said: str) -> None:
    class Fragile(PlainMapping):
        def items(self, event: Any, received_s: int) -> Any:
            if event["id"] == []:
                raise ValueError
            return super().items(event, received_s)

    await scene.owe("a", **event)
    scene.mapping = Fragile()
    assert said in (await scene.fate("a")).next


async def test_a_dead_letter(scene: Scene) -> None:
    await scene.owe("a")
    await scene.settle(dead=DeadReason.AMBIGUOUS, first_ms=scene.clock.now_ms() - HOUR_MS)
    fate = await scene.fate("a")
    assert (fate.place, fate.klass) == (Place.DEAD, EntryClass.CONVERSION)
    assert "TikTok may have it since 2026-02-02T01:40:00Z" in fate.said
    assert "--accept-doubling" in fate.next
    assert [call.label for call in fate.calls] == ["50002"]


async def test_a_letter_of_an_older_version_finds_its_call_by_the_request(scene: Scene) -> None:
    await scene.owe("a")
    await scene.settle(dead=DeadReason.REFUSED)
    shelf = scene.store.state.dead["shop"]
    for id_, letter in list(shelf.items()):
        shelf[id_] = replace(letter, entry_id="")
    assert (await scene.fate("a")).calls_made == 1


async def test_delivered_is_concluded(scene: Scene) -> None:
    await scene.owe("a")
    await scene.settle(delivered=True)
    fate = await scene.fate("a")
    assert (fate.place, fate.klass) == (Place.ENDED, EntryClass.CONVERSION)
    assert "Delivered: every other ending" in fate.said
    scene.store.state.stream(ORDERS).books["discarded"] = 4
    assert "4 discarded" in (await scene.fate("a")).said


async def test_filtered_rejected_and_never_seen_differ(scene: Scene) -> None:
    scene.passed_over.note("f", Why.CONSENT_REFUSED, scene.clock.now_ms())
    await scene.store.inbox.append([], [Reject("web", "too_deep", b'{"messageId":"r"}', 1)])
    assert [(await scene.fate(name)).place for name in "frn"] == [Place.FILTERED, Place.REJECTED, Place.UNSEEN]
    assert "consent_refused" in (await scene.fate("f")).said
    assert "too_deep" in (await scene.fate("r")).said


async def test_every_destination_has_its_own_fate(scene: Scene) -> None:
    await scene.owe("a")
    trace = await scene.trace("a", "")
    assert [(fate.destination, fate.place) for fate in trace.fates] == [("shop", Place.OWED), ("app", Place.UNSEEN)]
    assert "though for shop" in trace.fates[1].said
    await scene.owe("a", stream=APP)
    assert [fate.place for fate in (await scene.trace("a", "")).fates] == [Place.OWED, Place.OWED]


async def test_the_search_goes_over_pages_and_only_where_the_id_can_be(scene: Scene) -> None:
    await scene.owe(*(f"m{number}" for number in range(2 * PAGE + 30)))
    await scene.owe(*(f"v{number}" for number in range(50)), stream=VIEWS)
    trace = await scene.trace(f"m{2 * PAGE + 10}")
    assert trace.fates[0].behind == 2 * PAGE + 10
    assert trace.searched.owed == 2 * PAGE + 11
    assert (await scene.trace("v49")).searched.owed == 50, "its class is remembered, so the other is not searched"
    trace = await scene.trace("nothing")
    assert (trace.searched.owed, trace.searched.complete, trace.seen) == (2 * PAGE + 80, True, False)


async def test_who_knows_when_it_was_received_begins_there_and_looks_everywhere_all_the_same(scene: Scene) -> None:
    await scene.owe(*(f"old{number}" for number in range(3 * PAGE)))
    scene.clock.jump(MARGIN_MS / 1000 + 60)
    since_ms = scene.clock.now_ms()
    await scene.owe("new", "newer")
    trace = await scene.trace("newer", since_ms=since_ms)
    assert (trace.fates[0].place, trace.fates[0].behind, trace.searched.owed) == (Place.OWED, None, 2)
    assert "before it" not in trace.fates[0].said
    trace = await scene.trace("old7", since_ms=since_ms)
    assert (trace.fates[0].place, trace.fates[0].behind, trace.searched.owed) == (Place.OWED, 7, 10)
    trace = await scene.trace("nothing", since_ms=since_ms)
    assert (trace.searched.complete, trace.fates[0].place) == (True, Place.UNSEEN)
    assert 3 * PAGE + 2 <= trace.searched.owed <= 3 * PAGE + 4
    assert (await scene.trace("old7", since_ms=1)).fates[0].behind == 7


class Slow(MemoryTracks):
    """Each page takes a second."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.store.state)
        self.scene = scene

    async def search(self, *args: Any, **more: Any) -> Page:
        self.scene.clock.jump(1)
        return await super().search(*args, **more)


async def test_a_search_ends_in_time_says_how_far_it_got_and_rests(scene: Scene) -> None:
    await scene.owe(*(f"m{number}" for number in range(20 * PAGE)))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(scene.trace(f"m{20 * PAGE - 1}", tracks=Slow(scene)))
        await scene.clock.advance(60)
    trace = task.result()
    assert trace.fates[0].place is Place.UNSURE
    assert "it was accepted (conversion)" in trace.fates[0].said
    assert not trace.searched.complete
    assert trace.searched.owed == 3 * PAGE, "of 10 s, a page and a rest of three take four"
    assert trace.searched.seconds_per_million == pytest.approx(trace.searched.seconds / (3 * PAGE) * 1e6)
    assert not trace.seen


async def test_what_was_requeued_in_mid_search_is_found_all_the_same(scene: Scene) -> None:
    await scene.owe("a", "b")
    await scene.settle(dead=DeadReason.REFUSED)

    class Requeued(MemoryTracks):
        async def search(self, *args: Any, **more: Any) -> Page:
            page = await super().search(*args, **more)
            letters = await scene.store.dead_letters.list("shop")
            await scene.store.dead_letters.requeue("shop", [letter.id for letter in letters])
            return page

    (fate,) = (await scene.trace("a", tracks=Requeued(scene.store.state))).fates
    assert (fate.place, fate.behind) == (Place.OWED, None)


@pytest.mark.parametrize(
    "message_id",
    ["a/b?c#d", '"', "\\", "////", "ü\u202e\x00", "a" * 2000, "-", '","messageId":"x', "%2F..", "\U0001f600", " "],
)
async def test_hostile_ids_are_found_as_they_are(scene: Scene, message_id: str) -> None:
    await scene.owe("x", message_id, "y")
    fate = await scene.fate(message_id)
    assert (fate.place, fate.behind) == (Place.OWED, 1)
    assert needle_of(message_id) in orjson.dumps(message_id)


def test_only_the_top_level_id_counts() -> None:
    assert has_id(b'{"messageId":7}', "7")
    assert not has_id(b'{"messageId":true}', "True")
    assert not has_id(b'{"messageId":"x","properties":{"messageId":"m"}}', "m")
    assert not has_id(b'["m"]', "m")
    assert not has_id(b"m", "m")
    assert has_id(b'{"messageId":"m","value":NaN}', "m")


def test_what_was_filtered_is_remembered_for_a_while() -> None:
    lately = PassedOver(kept=10)
    for number in range(25):
        lately.note(f"{number}", Why.TELEMETRY, number)
    assert [number for number in range(25) if lately.find(f"{number}")] == list(range(10, 25))
    assert lately.find("24") == (Why.TELEMETRY, 24)


async def test_what_is_archived_says_when_it_was_delivered_and_by_which_call() -> None:
    scene = Scene(archives=True)
    await scene.owe("a")
    scene.clock.jump(5)
    await scene.settle(delivered=True)
    fate = await scene.fate("a")
    assert fate.place is Place.ARCHIVED
    assert fate.said.startswith("delivered at 2026-02-02T02:40:05Z, and archived; TikTok may have it since")
    assert (fate.calls_made, fate.klass) == (1, EntryClass.CONVERSION)
    assert "relay replay" in fate.next
    searched = (await scene.trace("a")).searched
    assert (searched.owed, searched.archived) == (0, 1)
    (other,) = (await scene.trace("a", "app")).fates
    assert other.place is Place.UNSEEN


async def test_what_was_filtered_is_found_in_the_archive_by_any_process() -> None:
    scene = Scene(archives=True)
    raw = orjson.dumps({"messageId": "f", "id": "f"})
    await scene.store.inbox.append([NewEntry(FILTERED, "f", raw, scene.clock.now_ms(), "web")])
    trace = await scene.trace("f", "")
    assert trace.seen
    (fate,) = trace.fates
    assert (fate.place, fate.destination) == (Place.FILTERED, "")
    assert "it is archived" in fate.said
