"""A report in Markdown, for tickets and mails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from relay.core.event import JsonObject
from relay.core.report.chart import thinned
from relay.core.report.story import Table, story
from relay.core.report.words import moment, number

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 60
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def markdown(document: JsonObject) -> str:
    """The whole report."""
    told = story(document)
    lines = [f"# {told.title}", ""]
    for sentence in told.lead:
        lines += [escaped(sentence), ""]
    lines += [
        f"- **{one.label}:** {one.value}"
        + (f" ({', '.join(one.hint.splitlines())})" if one.hint not in {"", "–"} else "")
        for one in told.figures
    ]
    lines += ["", *curves(document)]
    for table in told.tables:
        lines += [f"## {table.title}", "", *drawn(table), ""]
        lines += [escaped(table.note), ""] if table.note else []
    lines += ["## About these figures", "", *(f"- {escaped(note)}" for note in told.notes)]
    return "\n".join(lines) + "\n"


def curves(document: JsonObject) -> Iterator[str]:
    """Backlog and delivery as two lines of blocks."""
    buckets = thinned(document, COLUMNS)
    if len(buckets) < 2:
        return
    owed, rates = [one.owed for one in buckets], [one.delivered_per_minute for one in buckets]
    yield "```"
    yield f"waiting    {sparkline(owed)}  at most {number(max(owed))}"
    yield f"delivered  {sparkline(rates)}  at most {number(round(max(rates)))} a minute"
    yield f"           {moment(document['samples'][0]['since'])} – {moment(document['samples'][-1]['at'])} UTC"
    yield "```"
    yield ""


def sparkline(values: Sequence[float]) -> str:
    """Block elements; nothing is a blank, so that a standstill is seen."""
    top = max(values) or 1
    return "".join(BARS[min(len(BARS) - 1, int(value / top * len(BARS)))] if value else " " for value in values)


def drawn(table: Table) -> Iterator[str]:
    """A table with bars."""
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "|".join("---:" if at in table.right else "---" for at in range(len(table.columns))) + "|"
    for at, row in enumerate(table.rows):
        cells = [escaped(cell) for cell in row]
        yield "| " + " | ".join(f"**{cell}**" if at in table.bold and cell else cell for cell in cells) + " |"


def escaped(text: str) -> str:
    """Text that says what it says; in a cell its lines are kept."""
    return "<br>".join(SPECIAL.sub(r"\\\1", " ".join(line.split())) for line in text.splitlines())
