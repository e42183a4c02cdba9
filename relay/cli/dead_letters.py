"""``relay dead-letters list|show|requeue|discard|export``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote

import click
import orjson

from relay.cli.client import Failed, ask
from relay.cli.drawing import money, number, print_json, printable, screen, table
from relay.core.event import JsonObject

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
REASON = click.option("--reason", default="", help="Only letters with this reason.")
EXPORT_PAGE = 500


class Moment(click.ParamType[int]):
    """A moment in ISO 8601, UTC unless it says otherwise; as epoch milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``2026-01-31``, ``2026-01-31T12:00``, ``2026-01-31T12:00:00+01:00``."""
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time like 2026-01-31T12:00", param, ctx)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at what could not be delivered, and decide about it.

    The DESTINATION "-" stands for what intake itself rejected.
    """


@dead_letters.command("list")
@click.argument("destination", required=False)
@click.option("--limit", default=20, type=click.IntRange(1, 1000), show_default=True)
@click.option("--after", default="", help="Continue after this id.")
@REASON
@AS_JSON
def list_(destination: str | None, limit: int, after: str, reason: str, as_json: bool) -> None:
    """List dead letters of DESTINATION, oldest first; without one, count them everywhere."""
    if destination is None:
        count_everywhere(as_json=as_json)
        return
    page = page_of(destination, limit, after, reason)
    if as_json:
        print_json(page)
        return
    if not page["letters"]:
        raise Failed(f"{destination} has no dead letters" + (f" with reason {reason}" if reason else ""))
    columns = ("id", "died", "reason", "event", "worth", "message")
    screen().print(table("", columns, [letter_row(letter) for letter in page["letters"]]))
    if page["next"]:
        print(f"more: relay dead-letters list {destination} --after {page['next']}")


@dead_letters.command()
@click.argument("destination")
@click.argument("letter_id", metavar="ID")
def show(destination: str, letter_id: str) -> None:
    """Show one dead letter with its event, as JSON."""
    print_json(ask("GET", f"{path_of(destination)}/{quote(letter_id, safe='')}"))


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Arguments and options by which letters are chosen."""
    for option in reversed(
        (
            click.argument("destination"),
            click.argument("ids", nargs=-1, metavar="[ID]..."),
            click.option("--all", "everything", is_flag=True, help="All that are there now and pass the filter."),
            REASON,
            click.option("--event", default="", help="Only events of this name (with --all)."),
            click.option("--since", type=Moment(), help="Only those received from then on (with --all)."),
            click.option("--until", type=Moment(), help="Only those received before (with --all)."),
            click.option("--dry-run", is_flag=True, help="Only say how many there are, and what they are worth."),
            click.option("--yes", is_flag=True, help="Do not ask."),
            AS_JSON,
        )
    ):
        command = option(command)
    return command


@dead_letters.command()
@choosing
@click.option("--accept-doubling", is_flag=True, help="Also those TikTok may have already and would count again.")
def requeue(  # one parameter per option
    destination: str, accept_doubling: bool, dry_run: bool, yes: bool, as_json: bool, **chosen: Any
) -> None:
    """Owe dead letters again: they are mapped anew and sent.

    What TikTok may have is left alone without --accept-doubling; with it, it is sent however long ago that was. With
    --all and --accept-doubling, what that comes to is shown first, and asked for.
    """
    wanted = choice(**chosen) | {"accept_doubling": accept_doubling}
    if dry_run or accept_doubling:
        wanted |= weigh(destination, "requeue", wanted, as_json=as_json and dry_run)
    if dry_run:
        return
    if accept_doubling and chosen["everything"] and not yes:
        click.confirm(f"Send them to {destination}, though TikTok may count them twice?", abort=True, err=True)
    report(move(destination, "requeue", wanted), "requeued", as_json=as_json)


@dead_letters.command()
@choosing
def discard(destination: str, dry_run: bool, yes: bool, as_json: bool, **chosen: Any) -> None:
    """Delete dead letters for good, after saying what they are worth."""
    wanted = choice(**chosen)
    wanted |= weigh(destination, "discard", wanted, as_json=as_json and dry_run)
    if dry_run:
        return
    if not yes:
        click.confirm(f"Delete these dead letters of {destination} for good?", abort=True, err=True)
    report(move(destination, "discard", wanted), "discarded", as_json=as_json)


@dead_letters.command()
@click.argument("destination")
@REASON
@click.option("--output", "-o", type=click.File("w", encoding="utf-8"), default="-", help="File, else standard output.")
@click.option("--events-only", is_flag=True, help="Only the events, one per line: what `relay send` takes.")
def export(destination: str, reason: str, output: TextIO, events_only: bool) -> None:
    """Write dead letters of DESTINATION as JSON lines. They contain personal data."""
    count = 0
    for letter in every_letter(destination, reason):
        output.write(orjson.dumps(letter["raw"] if events_only else letter).decode() + "\n")
        count += 1
    if not count:
        raise Failed(f"{destination} has no dead letters" + (f" with reason {reason}" if reason else ""))
    click.echo(f"{number(count)} dead letters exported", err=True)


def count_everywhere(*, as_json: bool) -> None:
    """How many letters each destination has."""
    document = ask("GET", "/api/status")
    counts = {part["name"]: part.get("dead_letters") or 0 for part in document.get("destinations", [])}
    counts["-"] = document.get("intake_dead_letters") or 0
    if as_json:
        print_json(counts)
        return
    if not any(counts.values()):
        raise Failed("there are no dead letters")
    rows = [(name, number(count)) for name, count in counts.items()]
    screen().print(table("", ("destination", "dead letters"), rows, frozenset({"dead letters"})))


def path_of(destination: str) -> str:
    """Where a destination's letters are."""
    return f"/api/dead-letters/{quote(destination, safe='')}"


def page_of(destination: str, limit: int, after: str, reason: str, *, whole: bool = False) -> JsonObject:
    """One page of letters."""
    query = {"destination": destination, "limit": str(limit), "after": after, "reason": reason}
    return ask("GET", "/api/dead-letters", query=query | ({"whole": "1"} if whole else {}))


def every_letter(destination: str, reason: str) -> Iterator[JsonObject]:
    """All letters, page by page."""
    after: str | None = ""
    while after is not None:
        page = page_of(destination, EXPORT_PAGE, after, reason, whole=True)
        yield from page["letters"]
        after = page["next"]


def choice(
    ids: tuple[str, ...], everything: bool, reason: str, event: str, since: int | None, until: int | None
) -> dict[str, Any]:
    """What the operator chose, as the admin port wants it."""
    if everything == bool(ids):
        raise click.UsageError("give ids, or --all")
    narrowed = {"reason": reason, "event": event, "received_since_ms": since, "received_until_ms": until}
    narrowed = {name: value for name, value in narrowed.items() if value not in ("", None)}
    if narrowed and ids:
        raise click.UsageError("--reason, --event, --since and --until go with --all")
    return {"all": True, **narrowed} if everything else {"ids": list(ids)}


def weigh(destination: str, action: str, chosen: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Show what a move would come to, on standard error unless that is all that is wanted; returns its bound."""
    would = move(destination, action, chosen | {"dry_run": True})
    bound = {"until_ms": would.pop("until_ms")}
    if as_json:
        print_json(would)
        return bound
    if not would["moved"]:
        raise Failed(f"nothing to {action}")
    reasons = ", ".join(f"{number(count)} {reason}" for reason, count in would["reasons"].items())
    worth = money(would["value"])
    click.echo(f"{number(would['moved'])} dead letters ({reasons or 'none'}), worth {worth}", err=True)
    return bound


def move(destination: str, action: str, chosen: dict[str, Any]) -> JsonObject:
    """One move, in as many calls as it takes."""
    total, reasons, value = Counter[str](), Counter[str](), Counter[str]()
    after: str | None = ""
    while after is not None:
        answer = ask("POST", f"{path_of(destination)}/{action}", body=chosen)
        total.update(moved=answer["moved"], held_back=answer["held_back"])
        reasons.update(answer["reasons"])
        value.update(answer["value"])
        after = answer["next"]
        chosen = chosen | {"after": after, "until_ms": answer["until_ms"]}
    counts = {"moved": total["moved"], "held_back": total["held_back"]}
    return counts | {"value": dict(value), "reasons": dict(reasons), "until_ms": chosen["until_ms"]}


def report(moved: JsonObject, said: str, *, as_json: bool) -> None:
    """What happened; exit 1 when nothing did."""
    if as_json:
        print_json({name: value for name, value in moved.items() if name != "until_ms"})
    elif moved["moved"]:
        print(f"{number(moved['moved'])} {said}")
    if moved["held_back"] and not as_json:
        count = number(moved["held_back"])
        print(f"{count} left alone: TikTok may have them and would count them again; --accept-doubling sends them too")
    if not moved["moved"]:
        raise Failed(f"nothing {said}")


def letter_row(letter: JsonObject) -> tuple[str, ...]:
    """One line of the list."""
    worth = "-" if letter["value"] is None else f"{letter['value']:,.2f} {letter['currency']}"
    message = letter["message"] if letter["code"] is None else f"{letter['code']}: {letter['message']}"
    died = (letter["died_at"] or "-").replace("T", " ").removesuffix("Z")[:19]
    return letter["id"], died, letter["reason"], str(letter["event"] or "-"), worth, printable(message)
