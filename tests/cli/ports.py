"""A real admin port (or any application) in a thread of its own, so that commands can be run as they are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from aiohttp import web

from relay.adapters.web.admin import AdminOptions, AdminParts, build_admin
from relay.adapters.web.admin_answers import Declined
from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.delivery.mode import Mode
from relay.core.event import (
    Attempt,
    Burial,
    DeadReason,
    EntryClass,
    JsonObject,
    Lane,
    NewEntry,
    Settlement,
    StreamKey,
    Worth,
)
from relay.core.notices import Notice
from relay.core.replay import Shop, View
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.select import Route
from relay.core.trace import Trace
from relay.engine.hunt import Wanted
from relay.engine.passed_over import PassedOver
from relay.engine.replay import Replayer
from relay.engine.replay_room import Room
from relay.engine.replay_work import WorkParts
from relay.engine.standby import Standby
from relay.engine.survey import Survey
from relay.engine.trace import TraceParts, Tracer
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore
from tests.twins.tiktok import PlainItem, PlainMapping

TOKEN = "made-up-admin-token"
PURCHASES = StreamKey("tiktok", EntryClass.CONVERSION)


@contextmanager
def served(app: web.Application) -> Iterator[int]:
    """Serve on a free loopback port; yields the port."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    ports: list[int] = []

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])

    def run() -> None:
        loop.run_until_complete(start())
        loop.call_soon(started.set)  # not earlier: a stop before run_forever would stop nothing
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, name="port")
    thread.start()
    try:
        assert started.wait(10)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class ByMessageId(PlainMapping):
    """Maps any event that has an id."""

    def items(self, event: JsonObject, received_s: int) -> Sequence[PlainItem]:
        return super().items({"id": event["messageId"]}, received_s)


class Backstage:
    """A memory store behind an admin port."""

    def __init__(self, *, archives: bool = True) -> None:
        self.archives = archives
        self.clock = FakeClock()
        streams = [PURCHASES, StreamKey("tiktok", EntryClass.ENGAGEMENT)]
        self.store = MemoryStore(streams, self.clock, archive=archives)
        self.told: list[Notice] = []
        self.turned: list[tuple[str, str]] = []
        self.received: list[bytes] = []
        self.judged: list[bytes] = []
        self.sources: list[str | None] = []  # those named; where any is needed, None is refused
        self.source_needed = False
        self.asked: list[tuple[Wanted, str]] = []
        rules = Rules(PlainMapping(), Clocks(), "", Limits())
        self.tracer = Tracer(
            TraceParts(
                self.store.tracks,
                self.store.owed,
                self.store.dead_letters,
                self.store.gates,
                self.clock,
                ("tiktok",),
                lambda _: rules,
                PassedOver(),
                self.store.archive,
            )
        )
        self.rules = rules
        self.gate = "closed"
        self.replayer = self._replayer()
        self.standby = Standby("tiktok", Mode.STANDBY, self.store.modes, self.clock, self.told.append)
        self.app = build_admin(AdminOptions(TOKEN), self._parts())

    def _replayer(self) -> Replayer:
        store = self.store
        route = Route("tiktok", frozenset({"TikTok Conversions"}), lambda _: ("Purchase",), frozenset({"Purchase"}))

        def view() -> View:
            rules = self.rules._replace(mapping=ByMessageId())
            return View(
                {"tiktok": Shop(route, rules, sends=True)}, ADVERTISING, lambda _source: [route], lambda _event: False
            )

        room = Room(store.owed, self.clock, lambda: {"tiktok": self.gate}, bool)
        work = WorkParts(store.archive, store.replays, store.dead_letters, room, self.clock, self.told.append, view)
        return Replayer(work, "r1")

    def replay(self, seconds: float) -> None:
        """Let somebody work on the replay for a while of made-up time."""

        async def work() -> None:
            stopping = asyncio.Event()
            task = asyncio.get_running_loop().create_task(self.replayer.run(stopping))
            await self.clock.advance(seconds)
            stopping.set()
            await self.clock.advance(2)
            await task

        asyncio.run(work())

    def deliver(self, count: int) -> None:
        """Let events be delivered, and archived."""
        self.owe(count)
        claimed = asyncio.run(self.store.owed.claim(PURCHASES, Lane.LIVE, count, 10**9))
        assert claimed is not None
        asyncio.run(self.store.owed.settle(claimed.lease, Settlement([one.id for one in claimed.entries])))

    def check(self, source: str | None) -> None:
        if source is None and self.source_needed:
            raise Declined(409, "source_needed", "Say whose events: segment, web.")
        self.sources.append(source)

    def _parts(self) -> AdminParts:
        survey = Survey(
            self.store.owed,
            self.clock,
            self.told.append,
            gates=lambda: {"tiktok": "open"},
            paces=lambda: {"tiktok": 4},
            modes=lambda: {"tiktok": self.standby.record} if self.store.state.modes else {},
        )

        async def receive(body: bytes, source: str | None) -> dict[str, int]:
            self.check(source)
            self.received.append(body)
            return {"accepted": 1}

        async def foresee(body: bytes, source: str | None) -> JsonObject:
            self.check(source)
            self.judged.append(body)
            events = len(orjson.loads(body))
            outcomes = {"sendable": {"entries": events - 1, "value_micros": {"EUR": 1_500_000}}}
            outcomes["overlap"] = {"entries": 1, "value_micros": {}}
            filtered = {"no_subscription": 1}
            return {"events": events, "misfits": {}, "filtered": filtered, "destinations": {"tiktok": outcomes}}

        return AdminParts(
            survey=survey,
            letters=self.store.dead_letters,
            render=bytes,
            destinations=("tiktok",),
            clock=self.clock,
            tell=self.told.append,
            facts=lambda: {"version": "0.1.0", "role": "all", "durability": "a power cut"},
            switches={"pause": self._pause},
            receive=receive,
            foresee=foresee,
            trace=self._trace,
            incidents=self.store.incidents,
            fail_over=lambda _, since_ms: self.standby.fail_over(since_ms),
            fail_back=lambda _: self.standby.fail_back(),
            replayer=self.replayer,
            archives=self.archives,
        )

    async def _trace(self, wanted: Wanted, destination: str) -> Trace:
        self.asked.append((wanted, destination))
        return await self.tracer.trace(wanted, destination)

    async def _pause(self, name: str) -> None:
        self.turned.append(("pause", name))

    def owe(self, count: int, first: int = 0) -> None:
        """Let entries be owed."""
        for number in range(first, first + count):
            raw = f'{{"type":"track","event":"Order Completed","messageId":"m{number}"}}'.encode()
            new = NewEntry(PURCHASES, f"m{number}", raw, self.clock.now_ms(), "segment", Worth(12_500_000, "EUR"))
            asyncio.run(self.store.inbox.append([new]))

    def bury(self, count: int, reason: DeadReason = DeadReason.REFUSED, first: int = 0) -> list[str]:
        """Let entries become dead letters; returns all ids there are."""
        self.owe(count, first)
        claimed = asyncio.run(self.store.owed.claim(PURCHASES, Lane.LIVE, count, 10**9))
        assert claimed is not None
        dead = [Burial(entry.id, reason, "bad \x1b[31mvalue", 40002) for entry in claimed.entries]
        lease, now = claimed.lease, self.clock.now_ms()
        call = Attempt(
            PURCHASES.klass,
            lease.first_id,
            lease.last_id,
            True,
            count,
            now,
            "split",
            "40002",
            "R\x1b",
            "L",
            lease.number,
        )
        asyncio.run(self.store.owed.settle(lease, Settlement(dead=dead, attempts=[call])))
        return self.ids()

    def ids(self) -> list[str]:
        """Ids of all dead letters."""
        return [letter.id for letter in asyncio.run(self.store.dead_letters.list("tiktok", limit=1000))]
