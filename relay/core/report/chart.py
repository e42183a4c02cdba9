"""The chart of an incident as inline SVG: what waited, and what was delivered and came in each minute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from relay.core.event import JsonObject
from relay.core.report.words import clock, number, seconds_of

WIDTH, LEFT, RIGHT = 760, 64, 24
UPPER, LOWER = (14, 180), (222, 140)  # top and height of the two panels
HEIGHT = 392
MOST_BUCKETS = 180
MOST_TIMES = 7  # below the axis
STEPS_S = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800)


class Bucket(NamedTuple):
    """Some neighbouring samples as one. Seconds since the epoch, entries, entries a minute."""

    since: float
    until: float
    owed: int
    arrived_per_minute: float
    delivered_per_minute: float


def thinned(document: JsonObject, most: int) -> list[Bucket]:
    """Samples, neighbours joined until there are at most ``most``: of what waits the highest, of rates the mean."""
    samples = [one for one in document["samples"] if one["since"] and one["at"] > one["since"]]
    step = max(1, math.ceil(len(samples) / most))
    return [joined(samples[at : at + step]) for at in range(0, len(samples), step)]


def joined(samples: Sequence[JsonObject]) -> Bucket:
    """One bucket of some samples."""
    since, until = seconds_of(samples[0]["since"]), seconds_of(samples[-1]["at"])
    minutes = max(1e-3, until - since) / 60
    arrived, delivered = (sum(one[name] for one in samples) / minutes for name in ("arrived", "delivered"))
    return Bucket(since, until, max(one["owed"] for one in samples), arrived, delivered)


class Scale(NamedTuple):
    """From figures to places in one panel."""

    start: float
    end: float
    top: float
    panel: tuple[int, int]

    def x(self, at: float) -> float:
        """Place of a time."""
        share = (at - self.start) / max(1e-3, self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Place of a value."""
        top, height = self.panel
        return round(top + height - min(1.0, value / self.top) * height, 1)


def chart(document: JsonObject) -> str:
    """SVG, or '' when there is nothing to draw. Colours come from the page's style sheet."""
    buckets = thinned(document, MOST_BUCKETS)
    if not buckets:
        return ""
    start, end = buckets[0].since, buckets[-1].until
    rates = [max(one.arrived_per_minute, one.delivered_per_minute) for one in buckets]
    owed = [document["entries"]["owed_before"], document["entries"]["most_owed"], *(one.owed for one in buckets)]
    upper = Scale(start, end, nice(max(owed)), UPPER)
    lower = Scale(start, end, nice(max(rates)), LOWER)
    shut = list(bands(document, upper)) + list(bands(document, lower))
    parts = [
        *shut,
        *grid(upper, "events waiting"),
        *grid(lower, "events a minute"),
        *waiting(buckets, document["entries"]["owed_before"], upper),
        *bars(buckets, lower),
        *times(lower),
    ]
    title = escape(f"Events waiting, delivered and coming in during incident {document['id']}")
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" xmlns="http://www.w3.org/2000/svg">'
    return head + "".join(parts) + "</svg>"


def nice(top: float) -> float:
    """A round number not below ``top`` that four steps divide well."""
    if top <= 4:
        return 4
    size = 10 ** math.floor(math.log10(top))
    return next(float(size * factor) for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if size * factor >= top)


def bands(document: JsonObject, scale: Scale) -> Iterator[str]:
    """When the gate was not closed."""
    top, height = scale.panel
    for one in document["gate"]["episodes"]:
        left = scale.x(seconds_of(one["since"]))
        right = scale.x(seconds_of(one["until"]) if one["until"] else scale.end)
        yield f'<rect class="shut" x="{left}" y="{top}" width="{max(1.0, right - left):.1f}" height="{height}"/>'


def grid(scale: Scale, title: str) -> Iterator[str]:
    """Lines and figures at the left, and what they count."""
    for step in range(5):
        value = scale.top * step / 4
        y = scale.y(value)
        if step % 2 == 0:
            yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
        kind = "axis" if step == 0 else "line"
        yield f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    middle = scale.panel[0] + scale.panel[1] / 2
    yield f'<text class="tick" transform="translate(12 {middle:.0f}) rotate(-90)" text-anchor="middle">{title}</text>'


def short(value: float) -> str:
    """``1,500``, ``12k``, ``1.2M``."""
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e6 if unit == 'M' else 1e3):g}{unit}"
    return number(int(value)) if value == int(value) else f"{value:g}"


def waiting(buckets: Sequence[Bucket], before: int, scale: Scale) -> Iterator[str]:
    """An area from sample to sample."""
    points = [(buckets[0].since, before), *((one.until, one.owed) for one in buckets)]
    line = " ".join(f"{scale.x(at)},{scale.y(value)}" for at, value in points)
    floor = scale.y(0)
    yield f'<polygon class="waiting" points="{scale.x(points[0][0])},{floor} {line} {scale.x(points[-1][0])},{floor}"/>'
    yield f'<polyline class="waiting-line" points="{line}"/>'


def bars(buckets: Iterable[Bucket], scale: Scale) -> Iterator[str]:
    """Deliveries as bars, what came in as a stepped line over them."""
    steps, floor = [], scale.y(0)
    for one in buckets:
        left, right, top = scale.x(one.since), scale.x(one.until), scale.y(one.delivered_per_minute)
        gap = 1.0 if right - left > 4 else 0.0
        if top < floor:
            width, height = max(0.8, right - left - gap), floor - top
            yield f'<rect class="delivered" x="{left}" y="{top}" width="{width:.1f}" height="{height:.1f}"/>'
        y = scale.y(one.arrived_per_minute)
        steps += [f"{left},{y}", f"{right},{y}"]
    yield f'<polyline class="arrived" points="{" ".join(steps)}"/>'


def times(scale: Scale) -> Iterator[str]:
    """Below the lower panel: round times, as many as there is room for."""
    span, (top, height) = scale.end - scale.start, scale.panel
    step = next((step for step in STEPS_S if span / step <= MOST_TIMES), span / MOST_TIMES)
    at = math.ceil(scale.start / step) * step
    while at <= scale.end:
        x, y = scale.x(at), top + height
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>'
        yield f'<text class="tick" x="{x}" y="{y + 18}" text-anchor="middle">{clock(at, span)}</text>'
        at += step
