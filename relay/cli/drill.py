"""``relay drill``: an outage, played on this machine in under a minute, with a ledger at the end."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from relay.cli.client import Failed
from relay.cli.drawing import print_json, screen
from relay.cli.drilling.expected import wanted_by_presets
from relay.cli.drilling.ledger import Ledger
from relay.cli.drilling.play import Plan, Play
from relay.cli.drilling.stage import staged
from relay.cli.drilling.view import audience, print_ledger
from relay.simulator.traffic import traffic

SEED = 20_260_119  # a Monday in the January of the incident


@click.command()
@click.option("--seconds", default=30.0, type=click.FloatRange(2, 3600), show_default=True, help="How long to send.")
@click.option("--rate", default=100.0, type=click.FloatRange(1, 5000), show_default=True, help="Events a second.")
@click.option("--outage", default=10.0, type=click.FloatRange(0.5, 3600), show_default=True, help="Seconds of outage.")
@click.option("--json", "as_json", is_flag=True, help="Print the ledger as JSON, and nothing else.")
@click.option("--patience", default=60.0, type=click.FloatRange(1), hidden=True)
@click.option("--serve", default="", hidden=True, help="Another command that starts a relay, for negative controls.")
@click.option("--unforgiving", is_flag=True, hidden=True, help="TikTok removes no repeats, and loses no answers.")
def drill(
    seconds: float, rate: float, outage: float, as_json: bool, patience: float, serve: str, unforgiving: bool
) -> None:
    """Play an outage: a relay with its own Valkey, a simulated TikTok that goes down and comes back, steady traffic.

    Nothing leaves this machine. Exit code 0 means that nothing was lost and nothing counted twice.
    """
    plan = Plan(seconds, rate, outage, patience, forgiving=not unforgiving)
    try:
        ledger = asyncio.run(perform(plan, shlex.split(serve), quiet=as_json))
    except KeyboardInterrupt:
        raise Failed("interrupted; everything the drill started is stopped") from None
    if as_json:
        print_json(ledger.as_json())
    else:
        print_ledger(screen(), ledger)
    sys.exit(0 if ledger.clean else 1)


async def perform(plan: Plan, serve: list[str], *, quiet: bool) -> Ledger:
    """Stage, play, ledger; the folder is removed afterwards."""
    console = screen()
    folder = Path(tempfile.mkdtemp(prefix="relay-drill-"))
    options = [] if plan.forgiving else ["--dedupe", "false"]
    events = traffic(SEED, time.time_ns() // 1_000_000, plan.rate)
    try:
        if not quiet:
            console.print(
                f"Drill: {plan.rate:.0f} events/s for {plan.seconds:.0f} s; TikTok goes down for {plan.outage:.0f} s."
            )
            console.print("Starting a simulated TikTok and a relay with its own Valkey; nothing leaves this machine …")
        async with staged(folder, serve, options) as stage:
            with audience(console, quiet=quiet) as show:
                return await Play(stage, plan, wanted_by_presets(), show).perform(events)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
