"""``relay preview``: what each subscription makes of the events in a file. Nothing is sent anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from relay.adapters.mapping_file import content_of
from relay.adapters.system import SystemClock
from relay.cli.client import Failed, Misconfigured
from relay.cli.comparing import compared
from relay.cli.drawing import printable, screen
from relay.cli.event_files import events_in, parsed
from relay.cli.previewing import Previewer, Result, described
from relay.core.event import JsonObject
from relay.core.mapping import MappingError, load_presets
from relay.core.mapping.document import Document, read_document
from relay.core.mapping.json_text import compact
from relay.core.mapping.presets import SLUGS

DEFAULT_SOURCE_ID = "PREVIEW"


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per event, for scripts.")
@click.option("--preset", type=click.Choice(SLUGS), default=SLUGS[0], show_default=True, help="Segment's destination.")
@click.option("--mapping", type=click.Path(), help="Subscriptions (JSON) to use instead of the preset's.")
@click.option("--no-repair", is_flag=True, help="Exactly what Segment would do, faults and all.")
@click.option("--source-id", default=DEFAULT_SOURCE_ID, show_default=True, help="Pixel code, app id or event set id.")
@click.option("--now", metavar="ISO8601", help="Time of receipt, for events without a timestamp. Default: now.")
def preview(
    file: str, as_json: bool, preset: str, mapping: str | None, no_repair: bool, source_id: str, now: str | None
) -> None:
    """Show what TikTok would get for each event in FILE (JSON lines, an array, or one object; - for standard input)."""
    presets = load_presets(preset)
    document = read_mapping(mapping) if mapping else Document(presets, 0, [])
    received_s = epoch_of(now) if now else SystemClock().now_ms() // 1000
    try:
        previewer = Previewer(preset, source_id, document.subscriptions, repair=not no_repair)
    except MappingError as problem:
        refuse(mapping or preset, document.problems + problem.errors)
    if document.problems:
        refuse(mapping or preset, document.problems)
    results = ((event, previewer.results(event, received_s)) for event in decoded_events(file))
    if as_json:
        print_lines(results)
    elif mapping:
        usual = Previewer(preset, source_id, presets, repair=not no_repair)
        print_page(results, lambda event, found: compared(found, usual.results(event, received_s)))
    else:
        print_page(results)


def decoded_events(file: str) -> Iterator[JsonObject]:
    """Events of a file one by one, so that it may be larger than memory."""
    return (unwrapped(parsed(event.raw)) for event in events_in(file))


def unwrapped(record: JsonObject) -> JsonObject:
    """The event of a record that holds it with notes about it, as collections of examples do; else the record."""
    inner = record.get("event")
    if isinstance(inner, dict) and "type" in inner and not {"type", "messageId"} & record.keys():
        return inner
    return record


def epoch_of(text: str) -> int:
    """Seconds of an ISO 8601 time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no ISO 8601 time, such as 2024-06-15T12:34:56Z", param_hint="--now"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def read_mapping(path: str) -> Document:
    """A file of subscriptions, as ``relay serve`` reads it; a pipe will do as well."""
    try:
        return read_document(content_of(Path(path)))
    except OSError as error:
        raise Failed(f"{path}: cannot be read ({error.strerror})") from None


def refuse(name: str, problems: list[str]) -> NoReturn:
    """Every problem of a mapping, and exit 2."""
    raise Misconfigured("\n".join(f"{name}: {problem}" for problem in problems))


Previewed = Iterator[tuple[JsonObject, list[Result]]]
Remarks = Callable[[JsonObject, list[Result]], Iterable[tuple[str, str]]]  # lines with their style


def print_lines(results: Previewed) -> None:
    """The stable form. Doubts about requests go to standard error, where they disturb no script."""
    doubts = 0
    for index, (_, found) in enumerate(results):
        click.echo(compact({"index": index, "results": [result.document() for result in found]}))
        doubts += sum(1 for result in found if result.doubt)
    if doubts:
        click.echo(f"{doubts} of these requests cannot be taken by TikTok; without --json each says why", err=True)


def print_page(results: Previewed, remarks: Remarks = lambda _event, _found: ()) -> None:
    """For people: a few lines per event, remarks about it, a summary at the end."""
    console = screen()
    counts: Counter[str] = Counter()
    for index, (event, found) in enumerate(results):
        for style, line in (*described(index, event, found), *remarks(event, found)):
            console.print(printable(line), style=style)
        counts["events"] += 1
        counts["items"] += sum(1 for result in found if result.request)
        counts["errors"] += sum(1 for result in found if result.error)
        counts["unwanted"] += not found
    console.print(
        f"\n{counts['events']} events: {counts['items']} items for TikTok, {counts['errors']} that cannot be sent, "
        f"{counts['unwanted']} events that no subscription wants",
        style="bold",
    )
