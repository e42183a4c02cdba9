"""``relay send FILE…``: events from files to a running relay."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from relay.cli.client import Failed, find_admin
from relay.cli.drawing import number, print_json, screen, table
from relay.cli.event_files import FileEvent, byte_size, events_in
from relay.cli.sending import Heard, Manner, Tally, Target, send_all

THROUGH_ADMIN = 500  # events a request through the admin port


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--url", default="", help="Webhook URL; without it, through the admin port.")
@click.option("--secret", default="", help="Shared secret to sign with, as Segment does.")
@click.option("--token", default="", help="Value for X-Relay-Token.")
@click.option("--rate", default=0.0, type=click.FloatRange(0), help="Events a second; 0 is as fast as it goes.")
@click.option("--batch", type=click.IntRange(1, 10_000), help="Events a request (default: 1, admin port 500).")
@click.option("--retry-for", default=60.0, type=click.FloatRange(0), show_default=True, help="Seconds to insist.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def send(
    files: tuple[str, ...],
    url: str,
    secret: str,
    token: str,
    rate: float,
    batch: int | None,
    retry_for: float,
    as_json: bool,
) -> None:
    """Send events (JSON lines, array or object, gzip too; "-" is standard input) to a running relay."""
    target = webhook(url, secret, token) if url else admin_port(secret, token)
    manner = Manner(batch or (1 if url else THROUGH_ADMIN), rate, retry_for, always_array=not url)
    started = time.monotonic()
    tally = with_progress(files, lambda events, heard: asyncio.run(send_all(events, target, manner, heard)))
    report(tally, time.monotonic() - started, as_json=as_json)


def webhook(url: str, secret: str, token: str) -> Target:
    """A relay's intake port, as Segment sees it."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--url must start with http:// or https://")
    return Target(url, secret.encode(), {"X-Relay-Token": token} if token else {})


def admin_port(secret: str, token: str) -> Target:
    """The admin port, which trusts its token."""
    if secret or token:
        raise click.UsageError("--secret and --token go with --url")
    address = find_admin()
    return Target(f"{address.url}/api/events", headers={"Authorization": f"Bearer {address.token}"})


def with_progress(files: tuple[str, ...], run: Callable[[Iterator[bytes], Heard], Tally]) -> Tally:
    """Run under a progress bar, which is drawn on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    total = byte_size(files)
    answered = Counter[bool]()
    with Progress(*columns, console=screen(errors=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("sending", total=total or None)

        def watched(events: Iterator[FileEvent]) -> Iterator[bytes]:
            for event in events:
                progress.update(bar, completed=min(event.position, total))
                yield event.raw

        def heard(batch: Sequence[bytes], answer: str) -> None:
            answered[answer == "200"] += len(batch)
            told = f"{number(answered[True])} accepted of {number(answered.total())}"
            progress.update(bar, description=told)

        return run(watched(events_in(files)), heard)


def report(tally: Tally, seconds: float, *, as_json: bool) -> None:
    """Counts by answer; exit 1 unless everything was accepted."""
    if as_json:
        counts = {"events": tally.events, "accepted": tally.accepted, "answers": dict(tally.answers)}
        print_json({**counts, "retries": tally.retries, "seconds": round(seconds, 3)})
    elif tally.events:
        rows = [(answer, number(count)) for answer, count in tally.answers.most_common()]
        screen().print(table("", ("answer", "events"), rows, frozenset({"events"})))
        print(f"{number(tally.accepted)} of {number(tally.events)} accepted in {seconds:.1f} s")
    if not tally.events:
        raise Failed("there is no event in it")
    if tally.accepted < tally.events:
        raise Failed(f"{number(tally.events - tally.accepted)} events were not accepted")
