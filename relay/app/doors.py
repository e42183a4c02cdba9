"""The ports the relay listens on: intake for senders, admin for operators, metrics alone where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from aiohttp import web

from relay.adapters.web.admin import AdminOptions, AdminParts, build_admin, build_metrics
from relay.adapters.web.intake import build_intake
from relay.app.parts import intake_options
from relay.config import Settings
from relay.core.errors import PortUnavailable
from relay.engine.intake import Intake
from relay.ports import Clock, Tell

HANG_UP_S = 5.0  # how long open connections may finish their request after the port is closed
# A refused body is read and thrown away for so long at most: a gzip bomb costs processor meanwhile.
PATIENCE: dict[str, Any] = {"access_log": None, "lingering_time": 1.0}
Runner = TypeVar("Runner", bound=web.BaseRunner)


async def open_intake(
    stack: AsyncExitStack,
    settings: Settings,
    intake: Intake,
    ready: Callable[[], tuple[bool, str]],
    clock: Clock,
    tell: Tell,
) -> web.BaseRunner:
    """The port that Segment sends to."""
    server = web.Server(build_intake(intake_options(settings), intake, ready, clock, tell), **PATIENCE)
    runner = web.ServerRunner(server, shutdown_timeout=HANG_UP_S)
    return await listen(stack, runner, settings.intake_host, settings.intake.port)


async def open_admin(stack: AsyncExitStack, settings: Settings, token: str, parts: AdminParts) -> None:
    """The operators' port, and the metrics' own one if there is to be one."""
    admin = settings.admin
    options = AdminOptions(token, admin.protect_metrics, frozenset(admin.hosts), int(settings.intake.max_body))
    await listen(stack, application(build_admin(options, parts)), admin.host, admin.port)
    if admin.metrics_port is not None:
        await listen(stack, application(build_metrics(parts.render)), settings.intake.host, admin.metrics_port)


async def listen(stack: AsyncExitStack, runner: Runner, host: str, port: int) -> Runner:
    """Serve; on the way out open connections finish their request. PortUnavailable when the port is taken."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        raise PortUnavailable(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return runner


def application(app: web.Application) -> web.AppRunner:
    """A runner for an application."""
    return web.AppRunner(app, shutdown_timeout=HANG_UP_S, **PATIENCE)
