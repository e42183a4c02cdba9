"""``relay pause|resume|probe DEST``."""

from __future__ import annotations

from urllib.parse import quote

import click

from relay.cli.client import ask
from relay.cli.drawing import print_json

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


def turn(destination: str, switch: str, said: str, *, as_json: bool) -> None:
    """Ask for one switch and say what happened."""
    document = ask("POST", f"/api/destinations/{quote(destination, safe='')}/{switch}")
    if as_json:
        print_json(document)
    else:
        print(f"{destination}: {said}")


@click.command()
@click.argument("destination")
@AS_JSON
def pause(destination: str, as_json: bool) -> None:
    """Stop sending to DESTINATION; events go on being accepted and kept."""
    turn(destination, "pause", "paused; events are kept until `relay resume`", as_json=as_json)


@click.command()
@click.argument("destination")
@AS_JSON
def resume(destination: str, as_json: bool) -> None:
    """Send to DESTINATION again."""
    turn(destination, "resume", "resumed", as_json=as_json)


@click.command()
@click.argument("destination")
@AS_JSON
def probe(destination: str, as_json: bool) -> None:
    """Try DESTINATION now instead of waiting for the next probe."""
    turn(destination, "probe", "probing now; watch it with `relay status`", as_json=as_json)
