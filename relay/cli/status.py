"""``relay status``: what is owed, how old, what it is worth, why, and when it will be done."""

from __future__ import annotations

from collections.abc import Iterator

import click

from relay.cli.client import ask
from relay.cli.drawing import duration, money, number, print_json, printable, screen, size, table
from relay.cli.replay import archive_line, line_of
from relay.core.event import JsonObject

BOOKS = ("destination", "class", "accepted", "requeued", "delivered", "dead", "other", "owed", "worth owed")
WORRYING_S = 86_400  # a store that is full in a week, at the rate of the last minute, is no news


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole status document.")
def status(as_json: bool) -> None:
    """Show what the relay owes to TikTok."""
    document = ask("GET", "/api/status")
    if as_json:
        print_json(document)
        return
    console = screen()
    for line in head(document):
        console.print(printable(line))
    columns = ("destination", "gate", "owed", "backlog", "oldest", "worth", "done in", "calls", "dead letters")
    rows = [destination_row(part) for part in document.get("destinations", [])]
    right = frozenset({"owed", "backlog", "oldest", "done in", "calls", "dead letters"})
    console.print(table("", columns, rows, right) if rows else "no destinations are configured")
    for part in document.get("destinations", []):
        if breach := part.get("limit_breach"):
            console.print(printable(breach_line(part["name"], breach)))
    streams = document.get("streams", [])
    if streams:
        console.print()
        console.print(table("books", BOOKS, [books_row(stream) for stream in streams], frozenset(BOOKS[2:-1])))


def head(document: JsonObject) -> Iterator[str]:
    """Version, store, and what is wrong, a line each."""
    yield f"relay {document.get('version', '?')}, role {document.get('role', '?')}"
    store = document.get("store", {})
    if store.get("up"):
        limit = f" of {size(store['max_bytes'])}" if store.get("max_bytes") else ""
        full = store.get("full_in_seconds")
        forecast = f", FULL IN {duration(full)}" if full is not None and full < WORRYING_S else ""
        yield f"store: up, {size(store.get('used_bytes'))}{limit}{forecast}"
    else:
        yield f"store: DOWN, {store.get('trouble') or 'not looked at yet'} {store.get('detail') or ''}".rstrip()
    if archive := document.get("archive"):
        yield f"{archive_line(archive)}, {size(archive['bytes'])}"
    if job := document.get("replay"):
        yield f"replay {job['id']}: {job['state']}, {line_of(job)}"
    if durability := document.get("durability"):
        yield f"a 200 survives: {durability}"
    if rejected := document.get("intake_dead_letters"):
        yield f"intake rejected {number(rejected)} events: relay dead-letters list -"
    unbalanced = sum(abs(stream.get("unbalanced", 0)) for stream in document.get("streams", []))
    if unbalanced:
        yield f"BOOKS DO NOT BALANCE: {number(unbalanced)} entries unaccounted for; please report this"


def breach_line(name: str, breach: JsonObject) -> str:
    """What will be too old before its turn comes."""
    when = "passes it now" if not breach["first_in_seconds"] else f"passes it at {breach['first_at'][:19]}Z"
    count = number(breach["entries"])
    return f"{name}: ABOUT {count} ENTRIES WILL PASS THEIR LIMIT before they are sent; the first {when}"


def books_row(stream: JsonObject) -> tuple[str, ...]:
    """The ledger of one class: what came in is what ended and what is owed."""
    books = stream.get("books", {})
    dead = sum(count for line, count in books.items() if line.startswith("dead:"))
    other = sum(books.get(line, 0) for line in ("unmatched", "lapsed", "shed", "forgotten"))
    counts = (books.get("accepted", 0), books.get("requeued", 0), books.get("delivered", 0), dead, other)
    owed, worth = number(stream.get("owed")), money(stream.get("value") or {})
    return stream["destination"], stream["class"], *map(number, counts), owed, worth


def state(part: JsonObject) -> str:
    """The gate, after what outranks it: that it stands by, or sends in somebody's place, or finishes that."""
    gate = part.get("gate") or "-"
    match part.get("mode"):
        case "standby":
            return f"standby (reaches back {duration(part.get('standing_by_age_seconds'), '0s')})"
        case "failover":
            return f"{gate}, failing over since {part.get('since') or 'the beginning'}"
        case "failback":
            return f"{gate}, failing back, {number(part.get('left'))} left"
        case _:
            return gate


def destination_row(part: JsonObject) -> tuple[str, ...]:
    """One line of the table."""
    done_in = duration(part.get("drain_eta_seconds"), "not shrinking") if part.get("backlog") else "-"
    return (
        part["name"],
        state(part),
        number(part.get("owed")),
        number(part.get("backlog")),
        duration(part.get("oldest_age_seconds")),
        money(part.get("value") or {}),
        done_in,
        str(part.get("concurrency", "-")),
        number(part.get("dead_letters")),
    )
