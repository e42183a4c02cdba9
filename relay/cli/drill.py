"""``relay drill``: trouble, played on this machine in under a minute, with a ledger at the end."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from relay.cli.client import Failed
from relay.cli.drawing import print_json, screen
from relay.cli.drilling.expected import wanted_by_presets
from relay.cli.drilling.ledger import Ledger
from relay.cli.drilling.plan import Plan
from relay.cli.drilling.play import Play
from relay.cli.drilling.reporting import keep_metrics, write_report
from relay.cli.drilling.scenarios import SCENARIOS, Scenario
from relay.cli.drilling.stage import Stage, staged
from relay.cli.drilling.view import audience, print_ledger
from relay.cli.sending import first_of
from relay.simulator.traffic import traffic

SEED = 20_260_119  # a Monday in the January of the incident
ALL = "all"
AFTERWARDS_S = 1.5  # until the metrics say that nothing is owed any more: the relay looks once a second
Performed = tuple[Ledger, list[Path]]
"""The ledger, and the files of the report."""
SCENES = "\b\n" + "\n".join(f"{name:<9} {one.about}" for name, one in SCENARIOS.items())


@dataclass(frozen=True, slots=True)
class Order:
    """How to stage it: command that starts the relay, folder for the report, file for the metrics, whether to draw."""

    serve: Sequence[str]
    report: Path | None
    metrics: Path | None
    quiet: bool


@click.command(
    help="Play trouble: a relay with its own Valkey, a simulated TikTok, steady traffic, and a ledger at the end.\n\n"
    f"{SCENES}\n\nNothing leaves this machine. Exit code 0 means that nothing was lost, nothing was counted twice, and"
    " what the scenario promises was kept."
)
@click.option("--scenario", type=click.Choice([*SCENARIOS, ALL]), default="outage", show_default=True)
@click.option("--seconds", type=click.FloatRange(2, 3600), help="How long to send, at least.  [25 or 30]")
@click.option("--rate", default=100.0, type=click.FloatRange(1, 5000), show_default=True, help="Events a second.")
@click.option("--trouble", type=click.FloatRange(0.5, 3600), help="Seconds of trouble.  [6 to 12]")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), help="Folder for the incident's report.")
@click.option("--json", "as_json", is_flag=True, help="Print the ledger as JSON, and nothing else.")
@click.option("--patience", default=60.0, type=click.FloatRange(1), hidden=True)
@click.option("--metrics", type=click.Path(path_type=Path, dir_okay=False), hidden=True, help="Keep the metrics here.")
@click.option("--serve", default="", hidden=True, help="Another command that starts a relay, for negative controls.")
@click.option("--unforgiving", is_flag=True, hidden=True, help="TikTok removes no repeats, and loses no answers.")
@click.option("--negligent", is_flag=True, hidden=True, help="Nobody replaces the revoked token.")
def drill(
    scenario: str,
    seconds: float | None,
    rate: float,
    trouble: float | None,
    report: Path | None,
    as_json: bool,
    patience: float,
    metrics: Path | None,
    serve: str,
    unforgiving: bool,
    negligent: bool,
) -> None:
    """Parse, play, print, exit code."""
    ledgers: dict[str, Ledger] = {}
    for name in SCENARIOS if scenario == ALL else [scenario]:
        seconds_of_it, trouble_of_it = seconds or SCENARIOS[name].seconds, trouble or SCENARIOS[name].trouble
        plan = Plan(seconds_of_it, rate, trouble_of_it, patience, not unforgiving, not negligent)
        folder = report / name if report and scenario == ALL else report
        ledgers[name] = played(name, plan, Order(shlex.split(serve), folder, metrics, quiet=as_json))
    if as_json:
        documents = {name: ledger.as_json() for name, ledger in ledgers.items()}
        print_json(documents if scenario == ALL else documents[scenario])
    sys.exit(0 if all(ledger.clean for ledger in ledgers.values()) else 1)


def played(name: str, plan: Plan, order: Order) -> Ledger:
    """One scenario, its ledger printed unless somebody wants JSON."""
    console = screen()
    try:
        ledger, files = asyncio.run(one_failure(perform(name, plan, order, console)))
    except KeyboardInterrupt:
        raise Failed("interrupted; everything the drill started is stopped") from None
    if not order.quiet:
        print_ledger(console, ledger)
        for file in files:
            console.print(f"report: {file}")
        if order.report and not files:
            console.print("no report: there was no incident")
    return ledger


async def one_failure(performance: Coroutine[None, None, Performed]) -> Performed:
    """However many tasks failed of one cause: say it once."""
    try:
        return await performance
    except* Failed as group:
        raise first_of(group) from None


async def perform(name: str, plan: Plan, order: Order, console: Console) -> Performed:
    """Stage, play, ledger, report; the folder of the stage is removed afterwards."""
    scenario = SCENARIOS[name]
    if not order.quiet:
        traffic_for = f"{plan.rate:.0f} events/s for {plan.seconds:.0f} s, {plan.trouble:.0f} s of trouble"
        console.print(f"Drill {name!r}: {scenario.about}. {traffic_for}.")
        console.print("Starting a simulated TikTok and a relay with its own Valkey; nothing leaves this machine …")
    async with set_up(scenario, plan, order) as stage:
        with audience(console, quiet=order.quiet) as show:
            play = Play(stage, plan, wanted_by_presets, show, scenario.bad_every)
            events = traffic(SEED, time.time_ns() // 1_000_000, plan.rate)
            ledger = await play.perform(events, scenario.direction())
        afterwards = asyncio.sleep(AFTERWARDS_S if order.metrics else 0.0)
        files, _ = await asyncio.gather(write_report(stage, order.report), afterwards)
        return ledger, files


@asynccontextmanager
async def set_up(scenario: Scenario, plan: Plan, order: Order) -> AsyncIterator[Stage]:
    """The stage in a folder of its own, its metrics kept when somebody wants them."""
    folder = Path(tempfile.mkdtemp(prefix="relay-drill-"))
    options = [] if plan.forgiving else ["--dedupe", "false"]
    try:
        async with staged(folder, order.serve, scenario.settings, options) as stage, asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(keep_metrics(stage, order.metrics), name="metrics") if order.metrics else None
            yield stage
            if keeping:
                keeping.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
