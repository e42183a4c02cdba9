"""``relay serve``: settings → a running relay; ``--sandbox`` brings a simulated TikTok along."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import click
import uvloop
from pydantic import SecretStr

from relay.app import Service
from relay.app.garbage import settle_in
from relay.config import Destination, Loaded, Segment, load_settings
from relay.core.errors import ConfigError, PortUnavailable, StoreMismatch
from relay.core.incident import Patience
from relay.simulator.control import Control
from relay.simulator.server import simulator

SANDBOX_PIXEL = "SANDBOXPIXEL"
BANNER = """\
=================================================================================
  SANDBOX: nothing is sent to TikTok. A simulator on this machine takes its place.
  Simulator: {tiktok}  (switches /control, books /counted)
================================================================================="""


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "intake", "delivery"]),
    default="all",
    show_default=True,
    help="Scale the two halves apart; they meet only in Redis.",
)
@click.option("--sandbox", is_flag=True, help="Needs no credentials: a simulated TikTok is the destination.")
@click.option("--config", type=click.Path(path_type=Path), help="relay.toml; outranks RELAY_CONFIG.")
def serve(role: str, sandbox: bool, config: Path | None) -> None:
    """Run the relay until SIGTERM or Ctrl-C."""
    try:
        loaded = load_settings(config)
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(uvloop.run(running(loaded, role, sandbox=sandbox)))
    except ConfigError as error:
        refuse(error.problems, 2)
    except StoreMismatch as error:
        refuse([str(error)], 2)
    except PortUnavailable as error:
        refuse([str(error)], 1)


def refuse(problems: list[str], code: int) -> NoReturn:
    """Every problem on a line of its own, and the exit code."""
    click.echo("The relay was not started:\n" + "\n".join(f"  {line}" for line in problems), err=True)
    sys.exit(code)


async def running(loaded: Loaded, role: str, *, sandbox: bool, patience: Patience | None = None) -> int:
    """The relay, and in the sandbox the simulator, until a signal; the exit code. ``patience``: with incidents."""
    settle_in()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with playground(loaded, sandbox=sandbox) as settled:
        service = Service(settled, role, sandbox=sandbox, patience=patience)
        if not sandbox:  # which has no files to read again, and ends with its terminal
            reread_on_hangup(service, stopping)
        return await service.run(stopping)


def reread_on_hangup(service: Service, stopping: asyncio.Event) -> None:
    """SIGHUP reads files again, or stops the relay when it comes because the terminal went away."""
    terminal = sys.stderr.isatty()

    def hung_up() -> None:
        if terminal and not sys.stderr.isatty():
            stopping.set()
        else:
            service.reread()

    with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):  # a system without it
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


@asynccontextmanager
async def playground(loaded: Loaded, *, sandbox: bool) -> AsyncIterator[Loaded]:
    """The settings as they are, or with the simulator as the only destination."""
    if not sandbox:
        yield loaded
        return
    async with simulator(0, Control()) as port:
        url = f"http://127.0.0.1:{port}"
        click.echo(BANNER.format(tiktok=url))
        yield in_sandbox(loaded, url)


def in_sandbox(loaded: Loaded, url: str) -> Loaded:
    """One made-up destination at the simulator; the service keeps a sandbox's entries apart from real ones."""
    settings = loaded.settings
    destination = Destination(name="sandbox", event_source_id=SANDBOX_PIXEL, access_token=SecretStr("sandbox"))
    delivery = settings.delivery.model_copy(update={"base_url": url})
    update = {"destinations": (destination,), "delivery": delivery, "segment": feeding_all(settings.segment)}
    return Loaded(settings.model_copy(update=update), loaded.origins)


def feeding_all(segment: Segment) -> Segment:
    """Without a word about destinations: theirs are not there."""
    everywhere = {"destinations": ()}
    sources = {name: source.model_copy(update=everywhere) for name, source in segment.sources.items()}
    return segment.model_copy(update=everywhere | {"sources": sources})
