"""How figures read in a report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def stamp(at_ms: int) -> str:
    """UTC to the millisecond, ISO 8601."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str | None) -> str:
    """``2026-02-02 09:15:04`` of a stamp."""
    return text[:19].replace("T", " ") if text else "–"


def span(since: str, until: str | None) -> str:
    """From one moment to another; the date is not said twice."""
    if not until:
        return moment(since)
    first, last = moment(since), moment(until)
    return f"{first} – {last[11:] if first[:10] == last[:10] else last}"


def seconds_of(text: str) -> float:
    """A stamp as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def clock(at: float, span: float) -> str:
    """A time for an axis: with seconds in a short span, with the date in a long one."""
    form = "%H:%M:%S" if span < 600 else "%H:%M" if span < 2 * 86_400 else "%m-%d %H:%M"
    return datetime.fromtimestamp(at, UTC).strftime(form)


def duration(seconds: float | None) -> str:
    """``3 d 4 h``, ``2 h 5 min``, ``1 min 3 s``, ``42 s``, ``0.3 s``."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    rest = round(seconds)
    for (size, unit), (lesser_size, lesser) in pairwise(STEPS):
        if rest >= size:
            more = rest % size // lesser_size
            return f"{rest // size} {unit}" + (f" {more} {lesser}" if more else "")
    return f"{rest} s"


def number(count: float) -> str:
    """With thousands separated."""
    return f"{count:,}"


def money(values: Mapping[str, float]) -> str:
    """``1,234.50 USD, 3.00 EUR``; a dash for nothing."""
    return ", ".join(f"{amount:,.2f} {currency or 'without currency'}" for currency, amount in values.items()) or "–"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 event``, ``1,200 events``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
