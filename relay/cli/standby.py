"""``relay failover DEST --since T`` and ``relay failback DEST``."""

from __future__ import annotations

from urllib.parse import quote

import click

from relay.cli.client import ask
from relay.cli.drawing import print_json
from relay.cli.switch import AS_JSON
from relay.core.event import JsonObject


@click.command()
@click.argument("destination")
@click.option("--since", required=True, help="An ISO 8601 time (UTC without a zone), or how long ago: 40m.")
@AS_JSON
def failover(destination: str, since: str, as_json: bool) -> None:
    """Let DESTINATION, which stands by, send what it received since T, and all that comes."""
    document = ask("POST", path(destination, "failover"), body={"since": since})
    since = f"received since {document['since']}" if document.get("since") else "it is owed"
    said = f"sends everything {since}; end it with `relay failback {destination}`"
    tell(destination, said if document.get("changed") else f"{said} (as before)", document, as_json=as_json)


@click.command()
@click.argument("destination")
@AS_JSON
def failback(destination: str, as_json: bool) -> None:
    """Let DESTINATION finish what it took over, and stand by again."""
    document = ask("POST", path(destination, "failback"))
    if document.get("mode") == "standby":
        said = "stands by; there is nothing to finish"
    else:
        said = f"finishes what it received until {document.get('until')}, then stands by; watch it with `relay status`"
    tell(destination, said, document, as_json=as_json)


def path(destination: str, switch: str) -> str:
    """Where to ask for it."""
    return f"/api/destinations/{quote(destination, safe='')}/{switch}"


def tell(destination: str, said: str, document: JsonObject, *, as_json: bool) -> None:
    """What happened."""
    if as_json:
        print_json(document)
    else:
        print(f"{destination}: {said}")
