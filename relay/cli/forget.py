"""``relay forget``: erases what is kept of a person, and refuses what comes of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from relay.cli.client import Failed, ask
from relay.cli.drawing import duration, number, print_json
from relay.cli.switch import AS_JSON
from relay.core.event import JsonObject

COUNTED = ("owed", "dead_letters", "archive", "leased", "unreadable", "looked_at", "seconds")
TELLING = 1000  # records: fewer say nothing of a million
FOUND = ("owed", "dead_letters", "archive")


@click.command()
@click.argument("user_id", required=False, default="")
@click.option("--email", default="", help="By e-mail address, in whatever spelling, also where it was sent hashed.")
@click.option("--anonymous-id", default="", help="By anonymousId: a browser or device.")
@click.option("--no-suppress", is_flag=True, help="Erase what is there, but take in what comes of them later.")
@click.option("--lift", is_flag=True, help="Erase nothing: take in again what comes of them.")
@click.option("--dry-run", is_flag=True, help="Only say how much is kept of them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
def forget(  # one parameter per option
    user_id: str,
    email: str,
    anonymous_id: str,
    no_suppress: bool,
    lift: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase what is owed, dead or archived of the person with USER_ID, and refuse what comes of them.

    Nothing is kept by which anybody could tell who it was. What TikTok has already is not called back.
    """
    person = {"user_id": user_id, "email": email, "anonymous_id": anonymous_id}
    if not any(person.values()):
        raise click.UsageError("say who: USER_ID, --email or --anonymous-id")
    if lift:
        report_lift(ask("POST", "/api/forget", body=person | {"lift": True}), as_json=as_json)
        return
    if not dry_run and not yes:
        click.confirm("Erase everything that is kept of this person, for good?", abort=True, err=True)
    wanted = person | {"suppress": not no_suppress, "dry_run": dry_run}
    report(search(wanted, quiet=as_json), as_json=as_json)


def search(wanted: dict[str, Any], *, quiet: bool) -> JsonObject:
    """All calls that it takes, with progress on a terminal."""
    sums = Counter[str]()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("searching", total=None)
        cursor: str | None = ""
        document: JsonObject = {}
        while cursor is not None:
            document = ask("POST", "/api/forget", body=wanted | {"cursor": cursor})
            sums.update({name: document[name] for name in COUNTED})
            progress.update(task, completed=sums["looked_at"], total=max(document["total"], sums["looked_at"]))
            cursor = document["next"]
    found = {name: sums[name] for name in COUNTED} | {"seconds": round(sums["seconds"], 3)}
    return found | {name: document[name] for name in ("suppressed", "dry_run")}


def report(found: JsonObject, *, as_json: bool) -> None:
    """What was erased, how long the search took, and what is still to come."""
    if as_json:
        print_json(found)
        return
    owed, dead, kept = (number(found[name]) for name in FOUND)
    done = "would be erased" if found["dry_run"] else "erased"
    print(f"{done}: {owed} owed, {dead} dead letters, {kept} archived")
    if found["leased"]:
        after = "end as forgotten when they come back" if found["suppressed"] else "may arrive at TikTok"
        print(f"{number(found['leased'])} are being sent right now: they {after}")
    if found["unreadable"]:
        print(f"{number(found['unreadable'])} could not be read (damaged, or sealed with a key that is missing)")
    paced = found["looked_at"] >= TELLING
    pace = f", {duration(found['seconds'] / found['looked_at'] * 1e6)} per million" if paced else ""
    print(f"searched {number(found['looked_at'])} records in {duration(found['seconds'])}{pace}")
    if found["suppressed"]:
        print("what comes of this person is refused from now on; `relay forget --lift` ends that")


def report_lift(document: JsonObject, *, as_json: bool) -> None:
    """That they are taken in again."""
    if not document.get("lifted"):
        raise Failed("nothing was changed")
    if as_json:
        print_json(document)
    else:
        print("what comes of this person is taken in again")
