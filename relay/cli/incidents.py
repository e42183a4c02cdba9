"""``relay incidents`` and ``relay report ID``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from relay.cli.client import Failed, ask
from relay.cli.drawing import duration, number, print_json, screen, table
from relay.core.event import JsonObject
from relay.core.report import RENDERINGS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def incidents(as_json: bool) -> None:
    """List incidents, the latest first."""
    document = ask("GET", "/api/incidents")
    if as_json:
        print_json(document)
        return
    if not document["incidents"]:
        raise Failed("there were no incidents")
    columns = ("id", "opened (UTC)", "state", "took", "cause", "arrived", "delivered", "dead", "owed")
    rows = [incident_row(one) for one in document["incidents"]]
    screen().print(table("", columns, rows, frozenset({"took", "arrived", "delivered", "dead", "owed"})))
    print("the whole story: relay report ID --format html --output report.html")


@click.command()
@click.argument("incident", metavar="ID")
@click.option("--format", "form", type=click.Choice(list(RENDERINGS)), default="md", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File, else standard output.")
def report(incident: str, form: str, output: Path | None) -> None:
    """Report on one incident; ID may be "latest".

    It holds counts, values, codes and request ids, and no personal data: it can be sent to TikTok or Segment.
    """
    text = RENDERINGS[form](ask("GET", f"/api/incidents/{quote(incident, safe='')}"))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{output}: {error.strerror or error}") from None
    print(f"{output}: {number(len(text.encode()))} bytes")


def incident_row(one: JsonObject) -> tuple[str, ...]:
    """One line of the list."""
    causes = ", ".join(one["causes"])
    return (
        one["id"],
        one["opened_at"][:19].replace("T", " "),
        "OPEN" if one["open"] else "closed",
        duration(one["seconds"]),
        f"{causes}: {one['reason']}" if one["reason"] else causes,
        *(number(one[name]) for name in ("arrived", "delivered", "dead", "owed")),
    )
