"""How figures look on a terminal: durations, sizes, money, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def duration(seconds: float | None, unknown: str = "-") -> str:
    """``3d 4h``, ``2h 5m``, ``1m 3s``, ``42s``, ``0.3s``."""
    if seconds is None:
        return unknown
    if seconds < 10:
        return f"{seconds:.1f}s" if seconds else "0s"
    rest, parts = round(seconds), []
    for size, unit in STEPS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    if rest and len(parts) < 2:
        parts.append(f"{rest}s")
    return " ".join(parts[:2])


def size(count: float | None, unknown: str = "-") -> str:
    """Bytes in binary units."""
    if count is None:
        return unknown
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def money(values: Mapping[str, float]) -> str:
    """``1,234.50 USD, 3.00 EUR``."""
    return ", ".join(f"{amount:,.2f} {currency or '?'}" for currency, amount in values.items()) or "-"


def number(count: int | None) -> str:
    """With thousands separated."""
    return "-" if count is None else f"{count:,}"


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[str] = frozenset()
) -> Table:
    """A plain table; cells are text, never markup, because they may hold what somebody else wrote."""
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn


def printable(text: str) -> str:
    """Nothing that moves the cursor: control characters are spelled out."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def screen(*, errors: bool = False) -> Console:
    """Where people look. Widths follow the terminal; a pipe gets long lines instead of folded ones."""
    console = Console(stderr=errors, highlight=False, markup=False)
    return console if console.is_terminal else Console(stderr=errors, highlight=False, markup=False, width=160)


def print_json(document: object) -> None:
    """One document for scripts."""
    print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
