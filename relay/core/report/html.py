"""A report as one HTML file: no scripts, nothing from elsewhere; for screens light and dark, and for paper."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from relay.core.event import JsonObject
from relay.core.report.chart import chart
from relay.core.report.story import Figure, Table, story

STYLE = (files(__package__) / "report.css").read_text("utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LEGEND = (
    ("waiting", "waiting"),
    ("delivered", "delivered a minute"),
    ("arrived", "came in a minute"),
    ("shut", "gate not closed"),
)


def html(document: JsonObject) -> str:
    """The whole file."""
    told = story(document)
    state = ("open", "still open") if document["open"] else ("closed", "closed")
    body = [
        f'<header><h1>{escape(told.title)} <span class="state {state[0]}">{state[1]}</span></h1>',
        *(f"<p>{escape(sentence)}</p>" for sentence in told.lead),
        "</header>",
        '<section class="figures">' + "".join(map(box, told.figures)) + "</section>",
        *drawing(document),
        *(part for table in told.tables for part in section(table)),
        "<footer><h2>About these figures</h2><ul>",
        *(f"<li>{escape(note)}</li>" for note in told.notes),
        "</ul></footer>",
    ]
    return "\n".join([*head(told.title), *body, "</main></body></html>"]) + "\n"


def head(title: str) -> Iterator[str]:
    """Up to the body. The policy keeps a browser from loading anything, whatever the text says."""
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{escape(title)}</title><style>\n{STYLE}</style></head><body><main>"


def box(one: Figure) -> str:
    """A number in large."""
    hint = f"<small>{lines(one.hint)}</small>" if one.hint not in {"", "–"} else ""
    return f"<div><span>{escape(one.label)}</span><b>{escape(one.value)}</b>{hint}</div>"


def drawing(document: JsonObject) -> Iterator[str]:
    """The chart with its legend."""
    drawn = chart(document)
    if drawn:
        legend = "".join(f'<li><i class="key {name}"></i>{text}</li>' for name, text in LEGEND)
        yield f'<section class="chart"><h2>Backlog and delivery</h2><ul class="legend">{legend}</ul>{drawn}</section>'


def section(table: Table) -> Iterator[str]:
    """A table with its title."""
    yield f'<section><h2>{escape(table.title)}</h2><div class="scroll"><table><thead><tr>'
    yield "".join(f"<th{side(table, at)}>{escape(name)}</th>" for at, name in enumerate(table.columns))
    yield "</tr></thead><tbody>"
    for number, row in enumerate(table.rows):
        cells = "".join(cell_of(table, at, cell) for at, cell in enumerate(row))
        yield f'<tr class="sum">{cells}</tr>' if number in table.bold else f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"
    yield (f'<p class="note">{escape(table.note)}</p>' if table.note else "") + "</section>"


def cell_of(table: Table, at: int, text: str) -> str:
    """One cell; a share is drawn as well."""
    drawn = (
        f'<span class="track"><i class="share" style="width:{text.rstrip("%")}px"></i></span>'
        if at == table.share
        else ""
    )
    return f"<td{side(table, at)}>{lines(text)}{drawn}</td>"


def lines(text: str) -> str:
    """Escaped, with its line breaks."""
    return escape(text).replace("\n", "<br>")


def side(table: Table, at: int) -> str:
    """Figures stand at the right."""
    kinds = " ".join(("right",) * (at in table.right) + ("shares",) * (at == table.share))
    return f' class="{kinds}"' if kinds else ""
