"""The ports the relay listens on: intake for senders, admin for operators, metrics alone where that is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import TypeVar

from aiohttp import web

from relay.adapters.system import allow_open_files
from relay.adapters.web.admin import AdminOptions, AdminParts, build_admin, build_metrics
from relay.adapters.web.intake import build_intake
from relay.adapters.web.intake_reading import Bounds, ReadingRoom
from relay.adapters.web.listener import Limits, Listener
from relay.app.parts import intake_options
from relay.config import Settings
from relay.core.errors import PortUnavailable
from relay.core.notices import DoorSurveyed
from relay.engine.intake import Intake
from relay.ports import Clock, Tell

HANG_UP_S = 5.0  # how long open connections may finish their request after the port is closed
OTHER_FILES = 256  # descriptors that are no connections of senders: the store, TikTok, files, the other ports
OPERATORS = 64  # connections at the admin port, and at the metrics' own
Runner = TypeVar("Runner", bound=web.BaseRunner)


class Door:
    """The intake port while it is open."""

    def __init__(self, runner: web.BaseRunner, listener: Listener, room: ReadingRoom, grace_s: float) -> None:
        self._runner, self._listener, self._room, self._grace_s = runner, listener, room, grace_s

    async def close(self) -> None:
        """Serve on for the grace, so that balancers see that readiness fails, and send clients away one by one.

        Then take no more connections; requests that are being answered are answered.
        """
        self._listener.leave()
        await asyncio.sleep(self._grace_s)
        for site in self._runner.sites:
            await site.stop()
        await self._listener.finish(HANG_UP_S)
        await self._runner.cleanup()

    async def watch(self, queued_bytes: Callable[[], int], tell: Tell, stopping: asyncio.Event) -> None:
        """Tell once a second who is there."""
        while not stopping.is_set():
            tell(DoorSurveyed(self._listener.open, self._room.used, queued_bytes()))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1.0)


async def open_intake(
    stack: AsyncExitStack,
    settings: Settings,
    intake: Intake,
    ready: Callable[[], tuple[bool, str]],
    clock: Clock,
    tell: Tell,
) -> Door:
    """The port that Segment sends to."""
    wanted = settings.intake
    room = ReadingRoom(Bounds(int(wanted.max_in_flight), wanted.body_timeout, int(wanted.body_rate)))
    handler = build_intake(intake_options(settings), intake, ready, clock, tell, room)
    places = min(wanted.max_connections, max(8, allow_open_files(wanted.max_connections + OTHER_FILES) - OTHER_FILES))
    listener = Listener(handler, "intake", Limits(places, wanted.idle_timeout, wanted.head_timeout), tell)
    runner = web.ServerRunner(listener, shutdown_timeout=HANG_UP_S)
    await listen(stack, runner, settings.intake_host, wanted.port)
    return Door(runner, listener, room, wanted.stop_grace)


async def open_admin(stack: AsyncExitStack, settings: Settings, token: str, parts: AdminParts) -> None:
    """The operators' port, and the metrics' own one if there is to be one."""
    admin = settings.admin
    options = AdminOptions(token, admin.protect_metrics, frozenset(admin.hosts), int(settings.intake.max_body))
    await listen(stack, AppRunner(build_admin(options, parts), "admin", parts.tell), admin.host, admin.port)
    if admin.metrics_port is not None:
        runner = AppRunner(build_metrics(parts.render), "metrics", parts.tell)
        await listen(stack, runner, settings.intake.host, admin.metrics_port)


async def listen(stack: AsyncExitStack, runner: Runner, host: str, port: int) -> Runner:
    """Serve; on the way out open connections finish their request. PortUnavailable when the port is taken."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        raise PortUnavailable(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return runner


class AppRunner(web.AppRunner):
    """Runs an application behind a listener of ours."""

    def __init__(self, app: web.Application, port: str, tell: Tell) -> None:
        super().__init__(app, shutdown_timeout=HANG_UP_S)
        self._port, self._tell = port, tell

    async def _make_server(self) -> Listener:
        made = await super()._make_server()
        limits = Limits(connections=OPERATORS)
        return Listener(made.request_handler, self._port, limits, self._tell, made.request_factory)
