"""``relay replay --since … [--until …]``, and ``relay replay status|pause|resume|cancel``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from relay.cli.client import Failed, ask
from relay.cli.drawing import duration, money, number, print_json, printable, screen
from relay.cli.switch import AS_JSON
from relay.core.event import JsonObject

PATH = "/api/replays"
LOOK_S = 0.5
ENDED = frozenset({"done", "cancelled"})
WHY = {
    "overlap": "another sender may have delivered it more than 44 h ago, and TikTok would count it twice (overlap)",
    "ambiguous": "TikTok may have it since more than 44 h, and would count it twice (ambiguous)",
    "expired": "the event is older than max_age (expired)",
    "unmappable": "today's mapping makes no valid item of it (unmappable)",
    "locked": "sealed with a key that is not in RELAY_ENCRYPTION_KEY of the relay that looked (locked)",
    "unwanted": "no subscription wants it today (unwanted)",
    "suppressed": "it is about somebody whose events are refused (suppressed)",
    "standing_by": "its destination stands by (standing_by)",
    "no_destination": "its destination is not configured any more (no_destination)",
}
WATCH = "it goes on in the relay: `relay replay status` watches it, `relay replay pause|resume|cancel` turns it"


@click.group(invoke_without_command=True)
@click.option("--since", help="Received then or later: an ISO 8601 time (UTC without a zone), or how long ago: 6h.")
@click.option("--until", default="", help="Received before; now, if it is left out.")
@click.option("--destination", default="", help="Only what goes to this destination.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--dead-letters", is_flag=True, help="Also dead letters received in that time.")
@click.option("--rate", default=500, type=click.IntRange(1, 5000), show_default=True, help="Events a second at most.")
@click.option(
    "--seconds", default=10.0, type=click.FloatRange(0.1, 50), show_default=True, help="Count at most so long."
)
@click.option("--dry-run", is_flag=True, help="Only say what it would come to.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-watch", is_flag=True, help="Do not wait for its end.")
@AS_JSON
@click.pass_context
def replay(ctx: click.Context, /, **given: Any) -> None:
    """Send archived events again: delivered ones to where they went, filtered ones to whoever wants them now.

    What that comes to is counted first, and asked for. What is archived depends on
    journal.archive.
    """
    if ctx.invoked_subcommand is not None:
        return
    if not given["since"]:
        raise click.UsageError("--since is needed: from when on?")
    wish = {name: given[name] for name in ("since", "until", "destination", "event", "dead_letters", "rate")}
    found = ask("POST", PATH, body=wish | {"dry_run": True, "seconds": given["seconds"]})
    as_json = given["as_json"]
    if given["dry_run"] and as_json:
        print_json(found)
        return
    for line in would(found):
        click.echo(printable(line), err=as_json)
    if given["dry_run"]:
        return
    if not found["entries"] and found["complete"]:
        raise Failed("there is nothing to send again")
    if not given["yes"]:
        click.confirm("Send them again?", abort=True, err=True)
    # The window that was counted, not one that has moved on since.
    begin(wish | {"since": found["since"], "until": found["until"], "expected": expected(found)}, given)


def begin(wish: JsonObject, given: JsonObject) -> None:
    """Start it, and watch it unless that is not wanted."""
    job = ask("POST", PATH, body=wish)["replay"]
    if given["no_watch"]:
        if given["as_json"]:
            print_json(job)
        else:
            print(f"replay {job['id']} has begun; {WATCH}")
        return
    if not given["as_json"]:
        print(f"replay {job['id']} has begun; Ctrl-C leaves it running")
    report(watch(job), as_json=given["as_json"])


def expected(found: JsonObject) -> int:
    """How many it will be; unknown (0) when they were not all counted."""
    return int(found["entries"]) if found["complete"] else 0


@replay.command("status")
@click.option("--watch", "follow", is_flag=True, help="Until it ends.")
@AS_JSON
def status_(follow: bool, as_json: bool) -> None:
    """Say how far the replay is, or how the last one ended."""
    document = ask("GET", PATH)
    job = document["replay"]
    if as_json and not follow:
        print_json(document)
        return
    if not as_json and document["archive"]:
        print(archive_line(document["archive"]))
    if job is None:
        raise Failed("there was no replay yet")
    if follow:
        report(watch(job), as_json=as_json)
    else:
        tell(job, as_json=as_json)


def switch(name: str, said: str, text: str) -> Callable[..., None]:
    """``pause``, ``resume`` and ``cancel``."""

    @replay.command(name, help=text)
    @AS_JSON
    def turn(as_json: bool) -> None:
        document = ask("POST", f"{PATH}/{name}")
        if as_json:
            print_json(document)
        else:
            again = "" if document["changed"] else " (as before)"
            print(f"replay {document['replay']['id']}: {said}{again}; {line_of(document['replay'])}")

    return turn


pause = switch("pause", "paused", "Let it rest: what was moved is sent, nothing more is moved.")
resume = switch("resume", "goes on", "Let it go on where it stopped.")
cancel = switch("cancel", "cancelled", "End it: what was moved is sent, the rest stays in the archive.")


def would(found: JsonObject) -> Iterator[str]:
    """What a dry run found, for people."""
    about = "" if found["complete"] else "so far "
    what = f" named {found['event']!r}" if found["event"] else ""
    window = f"received from {found['since']} until {found['until']}{what}"
    yield f"{window}: {about}{number(found['entries'])} to send again"
    for part in found["destinations"]:
        yield f"  {part['name']}: {number(part['entries'])}, worth {money(part['value'])}"
    for name, count in found["left"].items():
        yield f"  stays where it is: {number(count)}, {WHY.get(name, name)}"
    if found["entries"]:
        yield f"it takes about {duration(max(1.0, found['estimated_seconds']))} at {number(found['rate'])} a second"
        yield "TikTok's own deduplication removes what it counted less than 48 h ago"
    if not found["complete"]:
        yield f"TIME RAN OUT after {number(found['looked'])} archived events: there are more; --seconds counts longer"
    yield from reach(found)


def reach(found: JsonObject) -> Iterator[str]:
    """How far back the archive reaches, when that is not far enough, and whether it grows."""
    archive = found["archive"]
    if archive is not None and not found["archiving"]:
        yield "the archive is taken along, but nothing is added to it any more (journal.archive = false)"
    if archive is None:
        yield "only dead letters: nothing is archived here (journal.archive = true)"
    elif archive["since"] is None:
        yield "the archive is empty"
    elif archive["since"] > found["since"]:
        yield f"the archive begins at {archive['since']}: what ended before is not in it"


def watch(job: JsonObject) -> JsonObject:
    """Follow a replay to its end under a progress bar, which is drawn on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    try:
        with Progress(*columns, console=screen(errors=True), disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("replaying", total=job["expected"])
            while job["state"] not in ENDED:
                time.sleep(LOOK_S)
                job = same(job, ask("GET", PATH)["replay"])
                progress.update(bar, completed=job["moved"], description=line_of(job))
    except KeyboardInterrupt:
        click.echo(f"\nreplay {job['id']}: {WATCH}", err=True)
        raise SystemExit(130) from None
    return job


def same(job: JsonObject, now: JsonObject | None) -> JsonObject:
    """The record of the replay that is watched."""
    if now is None or now["id"] != job["id"]:
        raise Failed(f"replay {job['id']} has ended, and another one has begun since")
    return now


def report(job: JsonObject, *, as_json: bool) -> None:
    """How it ended; exit 1 when it was cancelled."""
    tell(job, as_json=as_json)
    if job["state"] == "cancelled":
        raise Failed("the replay was cancelled")


def tell(job: JsonObject, *, as_json: bool) -> None:
    """How it stands."""
    if as_json:
        print_json(job)
    else:
        print(printable(f"replay {job['id']}: {job['state']}, {line_of(job)}"))
        for name, count in job["left"].items():
            print(f"  stays where it is: {number(count)}, {WHY.get(name, name)}")


def line_of(job: JsonObject) -> str:
    """How far a replay is."""
    whole = f" of about {number(job['expected'])}" if job["expected"] else ""
    letters = f" ({number(job['dead_letters_moved'])} dead letters)" if job["dead_letters_moved"] else ""
    again = f", {number(job['duplicates'])} had been accepted since" if job["duplicates"] else ""
    rest = f", done in {duration(job['done_in_seconds'])}" if job["done_in_seconds"] else ""
    waiting = f", WAITING: {job['waiting']}" if job["waiting"] else ""
    return f"{number(job['moved'])}{whole} owed again{letters}{again}{rest}{waiting}"


def archive_line(archive: JsonObject) -> str:
    """What is archived."""
    count = sum(archive["events"].values())
    since = f", the oldest ended at {archive['since']}" if archive["since"] else ""
    return f"archive: {number(count)} events{since}"
