"""``relay trace MESSAGE_ID``: says why an event is not in TikTok."""

from __future__ import annotations

from collections.abc import Iterator

import click

from relay.cli.client import Failed, ask
from relay.cli.dead_letters import Moment
from relay.cli.drawing import duration, money, number, print_json, printable, screen
from relay.core.event import JsonObject

LAST = 10  # calls shown to people
LONGEST_ID = 2000


@click.command()
@click.argument("message_id", metavar="MESSAGE_ID")
@click.option("--destination", default="", help="Only for this destination.")
@click.option("--seconds", default=10, type=click.IntRange(1, 50), show_default=True, help="Search at most so long.")
@click.option("--since", type=Moment(), help="It was received then or later: search there first.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def trace(message_id: str, destination: str, seconds: int, since: int | None, as_json: bool) -> None:
    """Say where the event with MESSAGE_ID is, what was tried, and what happens next."""
    try:
        length = len(message_id.encode())
    except UnicodeEncodeError:
        raise click.UsageError("the message id is not valid UTF-8") from None
    if not 0 < length <= LONGEST_ID:
        raise click.UsageError(f"a message id has 1 to {number(LONGEST_ID)} bytes")
    query = {"message_id": message_id, "destination": destination, "seconds": str(seconds), "since_ms": str(since or 0)}
    document = ask("GET", "/api/trace", query=query)
    if as_json:
        print_json(document)
    else:
        console = screen()
        for line in lines(document):
            console.print(printable(line), soft_wrap=True)
    if not document["seen"]:
        raise Failed(f"nothing is known of {printable(message_id)}")


def lines(document: JsonObject) -> Iterator[str]:
    """The answer for people."""
    for fate in document["destinations"]:
        yield f"{fate['destination'] or 'intake'}: {fate['said']}"
        yield from facts(fate)
        yield f"  next: {fate['next']}"
    searched = document["searched"]
    per_million = searched["seconds_per_million"]
    pace = f", {duration(per_million)} per million" if per_million else ""
    looked = f"{number(searched['owed'])} owed entries and {number(searched['dead_letters'])} dead letters"
    if searched["archived"]:
        looked = f"{looked} and {number(searched['archived'])} archived events"
    yield f"searched {looked} in {duration(searched['seconds'])}{pace}"
    if not searched["complete"]:
        yield "TIME RAN OUT: more may be there; --seconds searches longer"


def facts(fate: JsonObject) -> Iterator[str]:
    """What is known of the entry or letter, and of the calls that carried it."""
    found = fate["owed"] or fate["dead_letter"] or fate["archived"]
    if found:
        worth = money({found["currency"] or "": found["value"]}) if found["value"] is not None else "-"
        yield f"  received {found['received_at']}, worth {worth}, {fate['class'] or 'no class'}, id {found['id']}"
        if found["accepted"]:
            yield f"  TikTok has these parts of it: {', '.join(found['accepted'])}"
    calls = fate["calls"]
    if found and not calls:
        yield "  no call that carried it is in the log"
    if fate["calls_made"] > LAST:
        yield f"  {number(fate['calls_made'])} calls, the last {LAST}:"
    for call in calls[-LAST:]:
        yield f"  {call_line(call)}"


def call_line(call: JsonObject) -> str:
    """One call."""
    ids = "".join(f", {name} {call[key]}" for name, key in (("request", "request_id"), ("log", "log_id")) if call[key])
    maybe = "" if call["certain"] else ", perhaps without it"
    return f"call {call['at']}: {call['verdict']} ({call['code']}), {number(call['items'])} items{maybe}{ids}"
