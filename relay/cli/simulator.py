"""``relay simulator``: a TikTok on this machine that lies on request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop

from relay.simulator import server
from relay.simulator.control import SWITCHES, Control, ControlFault, as_json, as_object, updated

Command = Callable[..., None]


def _switches(command: Command) -> Command:
    """One option for each switch; the table says what each reads."""
    default = as_json(Control())
    for name, switch in reversed(SWITCHES.items()):
        shown = orjson.dumps(default[name]).decode()
        option = click.option(f"--{name.replace('_', '-')}", name, metavar="JSON", help=f"{switch.help}  [{shown}]")
        command = option(command)
    return command


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself: ``--outage 503`` and ``--outage hang`` need no quotes."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _control(file: Path | None, given: dict[str, str | None]) -> Control:
    """File first, options over it."""
    control = Control()
    try:
        if file is not None:
            control = updated(control, as_object(orjson.loads(file.read_bytes())))
        return updated(control, {name: _value(text) for name, text in given.items() if text is not None})
    except ControlFault as fault:
        raise click.UsageError("\n".join(fault.problems)) from fault
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"{file} is not JSON: {error}") from error


def _introduce(host: str, port: int, control: Control) -> None:
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    moved = {name: value for name, value in as_json(control).items() if value != as_json(Control())[name]}
    click.echo(f"TikTok simulator (nothing leaves this machine): {base}{server.TRACK}")
    click.echo(f"  switches        GET|PUT {base}/control")
    click.echo(f"  what it counted GET|DELETE {base}/counted, ids: GET {base}/counted/ids")
    click.echo(f"  calls a second  GET {base}/counted/calls")
    click.echo(f"  pixel events    POST {base}/pixel")
    click.echo(f"  not at default  {orjson.dumps(moved).decode() if moved else 'nothing'}")
    if control.remember_ids:
        click.echo(
            f"  note            remembers {control.remember_ids} ids only: repeats further apart will look unique"
        )
    click.echo(f"Point a relay here with RELAY_TIKTOK_BASE_URL={base}  (Ctrl-C ends it)")


async def _run(host: str, port: int, control: Control) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server.simulator(port, control, host) as real_port:
        _introduce(host, real_port, control)
        await stop.wait()


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8082, show_default=True, help="0 asks for a free one")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--control",
    "control_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON object of switches, as GET /control shows it; options win over it",
)
@_switches
def simulator(port: int, host: str, control_file: Path | None, **given: str | None) -> None:
    """Run a TikTok on this machine that lies on request, and keeps the books of what TikTok would have counted.

    Every switch can also be moved while it runs: PUT /control with a JSON object of the ones to move.
    """
    control = _control(control_file, given)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(_run(host, port, control))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
