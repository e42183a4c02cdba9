"""``relay send FILE…``: events from files to a running relay."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import click

from relay.cli.archive import EVER, Window, gathered
from relay.cli.backfill import RECEIPTS, Job, Result, carry_out
from relay.cli.client import Failed, find_admin
from relay.cli.dead_letters import Moment
from relay.cli.drawing import number, print_json, screen, table
from relay.cli.event_files import STDIN
from relay.cli.foreseeing import agreed, left_out
from relay.cli.foreseeing import dry_run as foresee
from relay.cli.journal import Journal, default_path, key_of, open_journal
from relay.cli.reading import Reading
from relay.cli.sending import Manner, Target

THROUGH_ADMIN = 500  # events a request through the admin port


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--url", default="", help="Webhook URL; without it, through the admin port.")
@click.option("--secret", default="", help="Shared secret to sign with, as Segment does.")
@click.option("--token", default="", help="Value for X-Relay-Token.")
@click.option("--source", help="Whose events these are: a source's name, or segment (admin port).")
@click.option("--rate", default=0.0, type=click.FloatRange(0), help="Events a second; 0 is as fast as it goes.")
@click.option("--batch", type=click.IntRange(1, 10_000), help="Events a request (default: 1, admin port 500).")
@click.option("--retry-for", default=60.0, type=click.FloatRange(0), show_default=True, help="Seconds to insist.")
@click.option("--since", type=Moment(), help="Only events of then or later, by their own receivedAt.")
@click.option("--until", type=Moment(), help="Only events before then.")
@click.option("--dry-run", is_flag=True, help="Say what would become of the events, and send none.")
@click.option("--yes", is_flag=True, help="Do not ask before a folder is sent.")
@click.option("--journal", default="", help="File that keeps what was sent until all is, for another try.")
@click.option("--restart", is_flag=True, help="Begin anew, whatever was sent before.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def send(
    files: tuple[str, ...],
    url: str,
    secret: str,
    token: str,
    source: str | None,
    rate: float,
    batch: int | None,
    retry_for: float,
    since: int | None,
    until: int | None,
    dry_run: bool,
    yes: bool,
    journal: str,
    restart: bool,
    as_json: bool,
) -> None:
    """Send events to a running relay: files (JSON lines, array or object, gzip too), folders, or "-".

    Folders are read in order of their names, and those of Segment's S3 archive by day. Interrupted, the same command
    goes on where it was.
    """
    if url and source is not None:
        raise click.UsageError("--source goes without --url: to a webhook, its path and secret say who sends")
    target = webhook(url, secret, token) if url else admin_port(secret, token, source)
    manner = Manner(batch or (1 if url else THROUGH_ADMIN), rate, retry_for, always_array=not url)
    window = Window(since, until)
    job = Job(gathered(files, window), window, target, manner, admin=not url)
    if not job.archive.files:
        raise Failed("\n".join(["there is no file of events", *left_out(job.archive, Reading(job.archive, window))]))
    if dry_run:
        foresee(job, as_json=as_json)
        return
    kept = journal_of(files, job, journal, restart=restart)
    result = carried_out(job, kept, ask=asks(job, kept) and not (yes or as_json))
    report(job, result, as_json=as_json)
    conclude(result, kept)


def webhook(url: str, secret: str, token: str) -> Target:
    """A relay's intake port, as Segment sees it."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--url must start with http:// or https://")
    return Target(url, secret.encode(), {"X-Relay-Token": token} if token else {})


def admin_port(secret: str, token: str, source: str | None) -> Target:
    """The admin port, which trusts its token; events go as those of ``source``."""
    if secret or token:
        raise click.UsageError("--secret and --token go with --url")
    address = find_admin()
    query = f"?{urlencode({'source': source})}" if source is not None else ""
    return Target(f"{address.url}/api/events{query}", headers={"Authorization": f"Bearer {address.token}"})


def journal_of(files: Sequence[str], job: Job, name: str, *, restart: bool) -> Journal | None:
    """The journal of this command; None where none can be kept: standard input, or no place to write."""
    if STDIN in files:
        return None
    key = key_of(files, job.target.url, job.window)
    try:
        found = open_journal(Path(name) if name else default_path(key), key, restart=restart)
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody's home
        if name:
            raise Failed(f"{name}: no journal can be kept there ({error})") from None
        if job.archive.folders:
            note(f"no journal can be kept ({error}): interrupted, it would begin anew; see --journal")
        return None
    if found.resumed:
        note(f"going on where it was ({found.path}); --restart begins anew")
    return found


def asks(job: Job, journal: Journal | None) -> bool:
    """Whether to ask first: on a terminal, before a folder or a window goes through the admin port, the first time."""
    bulk = bool(job.archive.folders) or job.window != EVER
    resumed = journal is not None and journal.resumed
    return job.admin and bulk and not resumed and sys.stdin.isatty() and sys.stderr.isatty()


def carried_out(job: Job, journal: Journal | None, *, ask: bool) -> Result:
    """Ask, perhaps, and send it; what was acknowledged is written down, however it ends."""
    finished = False
    try:
        if ask:
            agreed(job)
        result = carry_out(job, journal)
        finished = result.finished
    finally:
        if journal is not None:
            journal.close(finished=finished)
    return result


def report(job: Job, result: Result, *, as_json: bool) -> None:
    """Counts by answer, and what was left out."""
    tally, reading = result.tally, result.reading
    if as_json:
        counts = {"events": tally.events, "accepted": tally.accepted, "answers": dict(tally.answers)}
        counts |= {"retries": tally.retries, "seconds": round(result.seconds, 3), "receipts": dict(result.receipts)}
        counts |= {"files": len(job.archive.files), "skipped": job.archive.skipped, "earlier": reading.earlier}
        counts |= {"outside": reading.outside, "unreadable": reading.unreadable, "interrupted": result.interrupted}
        print_json(counts)
        return
    for line in left_out(job.archive, reading):
        note(line)
    if tally.events:
        rows = [(answer, number(count)) for answer, count in tally.answers.most_common()]
        screen().print(table("", ("answer", "events"), rows, frozenset({"events"})))
        print(f"{number(tally.accepted)} of {number(tally.events)} accepted in {result.seconds:.1f} s")
    if told := [f"{number(count)} {RECEIPTS[name]}" for name, count in result.receipts.items() if count]:
        print(f"of these: {', '.join(told)}")


def conclude(result: Result, journal: Journal | None) -> None:
    """Exit 1 unless everything was accepted, and how to go on."""
    tally, reading = result.tally, result.reading
    way_on = "the same command goes on from here" if journal else "there is no journal: the same command begins anew"
    if result.interrupted:
        so_far = number(tally.accepted + reading.earlier)
        raise Failed(f"interrupted after {so_far} events; {way_on}" + (f" ({journal.path})" if journal else ""))
    if not tally.events and not reading.earlier:
        raise Failed("there is no event in it" + (" of that time" if reading.outside else ""))
    if tally.accepted < tally.events:
        left = f"{number(tally.events - tally.accepted)} events were not accepted"
        raise Failed(left + (f"; the same command sends only those ({journal.path})" if journal else ""))
    if reading.unreadable:
        raise Failed(f"{number(reading.unreadable)} lines or files could not be read; everything else was sent")


def note(text: str) -> None:
    """For whoever watches, not for scripts."""
    print(text, file=sys.stderr)
