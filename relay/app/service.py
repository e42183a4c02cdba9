"""The running relay: everything is opened in one place, and closed in reverse.

On the way in: take the data directory, listen (answering 503 until the store takes entries), deliver.
On the way out, read upwards: stop hearing, finish what was accepted and what is in flight, give the leases back, let
go of the store. Long because all of it is opened in this one place.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import ClientSession, TCPConnector

from relay import __version__
from relay.adapters.observe.logs import Logs
from relay.adapters.observe.metrics import Metrics
from relay.adapters.observe.scrub import scrubbed
from relay.adapters.observe.telling import Telling
from relay.adapters.redis.health import Level, examine
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import Looks, SystemChance, SystemClock, watch_secrets
from relay.adapters.web.admin import AdminParts
from relay.app import parts
from relay.app.doors import Door, open_admin, open_intake
from relay.app.garbage import sweep
from relay.app.mappings import Mappings
from relay.app.store import Store, admin_token, open_store, store_options
from relay.app.waiting import innermost, until_any
from relay.config import Loaded
from relay.core.errors import ConfigError, StoreMismatch, StoreMisused, StoreUnavailable
from relay.core.incident import Patience
from relay.core.notices import ServiceStarted, ServiceStopped, ServiceStopping, StoreWarned, TaskCrashed
from relay.engine.append import Appender
from relay.engine.delivery import Delivery, DeliveryOptions
from relay.engine.incidents import IncidentParts, IncidentWatch
from relay.engine.intake import Intake
from relay.engine.limits import Limits
from relay.engine.recorder import Recorder
from relay.engine.replay import Replayer
from relay.engine.survey import Survey

Jobs = dict[str, Coroutine[None, None, None]]
SPARE_S = 10.0  # what a stop may take beyond delivery's own bound before it is cut short
SANDBOX = "sandbox"  # folder of a sandbox's store: no real entry may end in a simulator, no made-up one in TikTok


class Service:
    """One relay process. ``role``: ``all``, ``intake`` or ``delivery``; ``patience``: with incidents."""

    def __init__(
        self, loaded: Loaded, role: str = "all", *, sandbox: bool = False, patience: Patience | None = None
    ) -> None:
        """Compile everything that can be wrong; ConfigError with every problem before anything is opened."""
        self._settings = settings = loaded.settings
        self._role, self._sandbox = role, sandbox
        parts.refuse_nonsense(loaded, role)
        self._mappings = Mappings(settings)
        self._tokens, self._token_files = parts.access_tokens(settings)
        self._admin_token = admin_token(settings)
        self._clock, self._chance = SystemClock(), SystemChance()
        self._mapping_looks, self._token_looks = Looks(self._clock), Looks(self._clock)
        floor = 0 if settings.journal.redis_url else int(settings.journal.disk_floor)  # somebody else's disk
        self._metrics = Metrics(parts.labels(settings, role), self._clock, disk_floor_bytes=floor)
        form = settings.log.format or ("console" if sys.stderr.isatty() else "json")
        logs = Logs(sys.stderr, self._clock, level=settings.log.level, form=form)
        names = [destination.name for destination in settings.destinations]
        self._replica = uuid.uuid4().hex[:12]
        self._patience = patience or Patience()
        self._recorder = Recorder(names, self._clock, self._replica, scrub=scrubbed)
        self._tell = Telling([self._metrics, logs, self._recorder])
        self._durability = ""
        self._examined = asyncio.Event()  # the store was found sound; before that nothing is sent and nobody is ready

    def reread(self) -> None:
        """Read mapping files and rotated tokens again, at once: what SIGHUP asks for."""
        self._mapping_looks.ask()
        self._token_looks.ask()

    async def run(self, stopping: asyncio.Event) -> int:
        """Serve until ``stopping``; 0 after a clean stop, 1 when a task crashed or the stop had to be cut short.

        Raises PortUnavailable when a port is taken, ConfigError or StoreMismatch when the store is not ours.
        """
        clean, since = False, self._clock.monotonic()
        folder = self._settings.journal.data_dir
        try:
            async with AsyncExitStack() as stack:
                store = await open_store(
                    stack, self._settings, self._clock, self._tell, folder / SANDBOX if self._sandbox else folder
                )
                clean = await self._serve(stack, store, stopping)
        finally:
            self._tell(ServiceStopped(clean=clean, seconds=self._clock.monotonic() - since))
        return 0 if clean else 1

    async def _serve(self, stack: AsyncExitStack, store: Store, stopping: asyncio.Event) -> bool:
        """Open the doors, run all tasks until asked to stop; whether the stop was clean."""
        redis = store.redis
        delivery = await self._delivery(stack, store)
        appender = Appender(redis.inbox, int(self._settings.intake.max_queue), appended=delivery.wake)
        routes = parts.routes(self._settings, self._mappings.live)
        feeds = parts.feeds(self._settings, routes)
        intake = parts.intake(self._settings, redis, store.suppression, appender, feeds, self._clock, self._tell)
        survey = Survey(
            redis.owed,
            self._clock,
            self._tell,
            gates=delivery.gates,
            paces=delivery.paces,
            disk_free=store.disk_free,
            limits=Limits(redis.tracks, parts.kept_s(self._settings)),
            modes=delivery.modes,
        )
        replayer = parts.replayer(
            self._settings, redis, delivery, store.suppression, routes, self._clock, self._tell, self._replica
        )
        work = self._admin_parts(store, intake, delivery, survey, replayer)
        await open_admin(stack, self._settings, self._admin_token, work)
        door: Door | None = None
        if self._role != "delivery":
            ready = partial(self._ready, redis, stopping)
            door = await open_intake(stack, self._settings, intake, ready, self._clock, self._tell)
        finish = asyncio.Event()  # the door is closed: finish what was accepted and what is in flight
        incidents = self._incident_watch(redis, delivery, replayer)
        stack.push_async_callback(incidents.finish)
        jobs: Jobs = {"store": store.watch(finish), "append": appender.run(finish), "survey": survey.run(finish)}
        if door is not None:
            jobs["door"] = door.watch(lambda: appender.queued_bytes, self._tell, finish)
        jobs["garbage"] = sweep(finish)
        jobs["mappings"] = self._mappings.watch(self._mapping_looks, self._tell, finish)
        jobs["incidents"] = incidents.run(finish)
        if self._role == "intake":
            jobs["modes"] = delivery.follow(finish)
        else:
            jobs["deliver"] = self._deliver(delivery, finish)
            jobs["replay"] = replayer.run(finish)
            jobs["tokens"] = watch_secrets(self._token_files, delivery.secret_changed, self._token_looks, finish)
        return await self._until_stopped(jobs, store, door, stopping, finish)

    async def _deliver(self, delivery: Delivery, finish: asyncio.Event) -> None:
        """When the store was found sound: declare modes, pause what is to start paused, then deliver."""
        await until_any(self._examined, finish)
        paused = [destination.name for destination in self._settings.destinations if destination.mode == "paused"]
        while not finish.is_set():
            try:
                await delivery.declare(paused)
                break
            except StoreUnavailable:  # still loading; nothing may be sent before this is known
                await self._clock.sleep(0.2)
        await delivery.run(finish)

    async def _until_stopped(
        self,
        jobs: Jobs,
        store: Store,
        door: Door | None,
        stopping: asyncio.Event,
        finish: asyncio.Event,
    ) -> bool:
        """False when a task crashed, or did not finish in time. Raises what a task says against the configuration."""
        crash: BaseException | None = None
        try:
            async with asyncio.timeout(None) as bound:
                try:
                    await self._run_tasks(jobs, bound, store, door, stopping, finish)
                except* Exception as crashes:  # noqa: BLE001 - the outermost loop: told, then the process ends
                    crash = innermost(crashes)
        except TimeoutError:
            return False
        if isinstance(crash, ConfigError | StoreMismatch):
            raise crash
        if crash is not None:
            self._tell(TaskCrashed("relay", f"{type(crash).__name__}: {crash}"))
        return crash is None

    async def _run_tasks(
        self,
        jobs: Jobs,
        bound: asyncio.Timeout,
        store: Store,
        door: Door | None,
        stopping: asyncio.Event,
        finish: asyncio.Event,
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, job in jobs.items():
                tasks.create_task(job, name=name)
            tasks.create_task(self._announce(store, stopping), name="announce")
            await stopping.wait()
            self._tell(ServiceStopping("asked to stop"))
            grace_s = self._settings.intake.stop_grace + self._settings.delivery.stop_grace
            bound.reschedule(asyncio.get_running_loop().time() + grace_s + SPARE_S)
            if door is not None:
                await door.close()
            finish.set()

    async def _announce(self, store: Store, stopping: asyncio.Event) -> None:
        """Once the store answers: refuse one that cannot be relied on, else say that we are up and what a 200 means."""
        health = None
        while health is None and not stopping.is_set():
            try:
                health = await examine(
                    store.redis.client,
                    parts.streams_of(self._settings),
                    self._clock.now_ms,
                    store_options(self._settings),
                )
            except (StoreUnavailable, StoreMisused):  # who watches the store tells why
                await self._clock.sleep(0.2)
        if health is None:
            return
        if health.refusals:
            raise ConfigError(health.refusals)
        for finding in health.findings:
            if finding.level is Level.WARNING:
                self._tell(StoreWarned(finding.topic, finding.text))
        self._durability = health.durability
        self._examined.set()
        settings = self._settings
        self._tell(
            ServiceStarted(
                version=__version__,
                role=self._role,
                sandbox=self._sandbox,
                intake_url=f"http://{settings.intake_host}:{settings.intake.port}/webhook/segment",
                admin_url=f"http://{settings.admin.host}:{settings.admin.port}",
                durability=health.durability,
                destinations=tuple(destination.name for destination in settings.destinations),
            )
        )

    async def _delivery(self, stack: AsyncExitStack, store: Store) -> Delivery:
        """Each destination with a session of its own: one that hangs must not use up another's connections."""
        destinations = []
        for destination in self._settings.destinations:
            connector = TCPConnector(limit=self._settings.delivery.concurrency + 4)
            session = await stack.enter_async_context(ClientSession(connector=connector))
            destinations.append(
                parts.delivery_destination(
                    destination,
                    self._settings,
                    self._mappings.live[destination.name],
                    session,
                    self._tokens[destination.name],
                )
            )
        work = parts.delivery_parts(store.redis, store.suppression, self._clock, self._chance, self._tell)
        options = DeliveryOptions(
            replica=self._replica,
            linger_s=self._settings.delivery.linger,
            drain_s=self._settings.delivery.stop_grace,
        )
        return Delivery(destinations, work, options)

    def _incident_watch(self, redis: RedisStore, delivery: Delivery, replayer: Replayer) -> IncidentWatch:
        """A process that does not deliver sees no gates, so it leaves incidents to others."""
        modes = lambda: {name: record.mode for name, record in delivery.modes().items()}  # noqa: E731 - one line, one use
        told = self._recorder, self._clock, self._tell
        work = IncidentParts(redis.incidents, redis.gates, *told, modes, replayer.keeps_waiting)
        names = tuple(self._recorder.tallies)
        return IncidentWatch(names, work, self._patience, leads=self._role != "intake")

    def _ready(self, redis: RedisStore, stopping: asyncio.Event) -> tuple[bool, str]:
        """Whether events can be accepted, and if not, why, in words that anybody may read."""
        if stopping.is_set():
            return False, "stopping"
        if redis.state.trouble is not None:
            return False, redis.state.reason
        return (True, "") if self._examined.is_set() else (False, "starting")

    def _admin_parts(
        self, store: Store, intake: Intake, delivery: Delivery, survey: Survey, replayer: Replayer
    ) -> AdminParts:
        operators = parts.operators(
            self._settings, intake, self._mappings.live, delivery, store.suppression, self._clock
        )
        redis = store.redis
        return AdminParts(
            survey=survey,
            letters=redis.dead_letters,
            render=self._metrics.render,
            destinations=[destination.name for destination in self._settings.destinations],
            clock=self._clock,
            tell=self._tell,
            facts=self._facts,
            switches={"pause": delivery.pause, "resume": delivery.resume, "probe": delivery.probe},
            receive=operators.receive,
            foresee=operators.foresee,
            preview=operators.preview,
            trace=parts.tracer(self._settings, redis, self._clock, delivery, intake).trace,
            incidents=redis.incidents,
            fail_over=delivery.fail_over,
            fail_back=delivery.fail_back,
            eraser=store.eraser,
            replayer=replayer,
            archives=self._settings.journal.archive,
        )

    def _facts(self) -> dict[str, object]:
        """The head of the status document."""
        return {
            "version": __version__,
            "role": self._role,
            "sandbox": self._sandbox,
            "durability": self._durability,
        }
