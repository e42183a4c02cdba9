"""What a backfill would do, as the relay judges it: added up over many requests, shown, and asked about."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import click

from relay.cli.archive import Archive
from relay.cli.backfill import Job, watched
from relay.cli.client import Failed
from relay.cli.drawing import duration, money, number, print_json, screen, size, table
from relay.cli.reading import Reading
from relay.cli.sending import send_all
from relay.core.event import JsonObject
from relay.core.segment.worth import MICROS

MEANINGS = {
    "sendable": "would be sent",
    "standing_by": "would wait: the destination stands by; without a failover they lapse after journal.retention",
    "paused": "would wait: the destination is paused",
    "overlap": "would be a dead letter: received over 44 hours ago, and another sender may have delivered it",
    "expired": "would be a dead letter: older than max_age",
    "unmappable": "would be a dead letter: no valid item can be made of it",
    "unmatched": "would end as unmatched: its subscriptions make nothing of it",
}
UNKNOWN = "Not known before: which of them the relay has had already (it does not send those again)."
NOT_JUDGED = "The relay was not asked: with --url the events are only counted."
NAMED = 5
SAMPLED_FILES, SAMPLED_EVENTS = 10, 300
"""What is looked at before somebody is asked: about a second's work, however large the archive."""


@dataclass(slots=True)
class Outcome:
    """Entries of one destination with one outcome; micro-units by currency."""

    entries: int = 0
    value_micros: Counter[str] = field(default_factory=Counter)

    @property
    def value(self) -> dict[str, float]:
        """By currency, in its units."""
        return {currency: micros / MICROS for currency, micros in self.value_micros.items()}

    def cells(self, destination: str, outcome: str, share: float) -> tuple[str, ...]:
        """As a row of the table."""
        value = money({currency: amount / share for currency, amount in self.value.items()})
        return destination, scaled(self.entries, share), value, MEANINGS.get(outcome, outcome)


@dataclass(slots=True)
class Foresight:
    """Adds up answers of ``POST /api/events?dry_run=true``."""

    misfits: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    destinations: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def add(self, answer: JsonObject) -> None:
        """One answer more."""
        if not answer.get("dry_run"):
            raise Failed("that relay does not know dry runs, and has taken events in; is it an older version?")
        self.misfits += sum(answer["misfits"].values())
        self.filtered.update(answer["filtered"])
        for name, outcomes in answer["destinations"].items():
            rows = self.destinations.setdefault(name, {})
            for outcome, told in outcomes.items():
                row = rows.setdefault(outcome, Outcome())
                row.entries += told["entries"]
                row.value_micros.update(told["value_micros"])

    def document(self) -> JsonObject:
        """For scripts."""
        return {
            "misfits": self.misfits,
            "filtered": dict(self.filtered),
            "destinations": {
                name: {outcome: {"entries": row.entries, "value": row.value} for outcome, row in rows.items()}
                for name, rows in self.destinations.items()
            },
        }

    def show(self, share: float = 1.0, *, errors: bool = False) -> None:
        """Per destination; ``share``: how much of it all was looked at, so that figures are scaled up and say so."""
        rows: list[tuple[str, ...]] = []
        for name, outcomes in self.destinations.items():
            ordered = sorted(outcomes.items(), key=lambda pair: -pair[1].entries)
            rows += [row.cells(name, outcome, share) for outcome, row in ordered] or [(name, "0", "-", "wanted")]
        for why, count in self.filtered.items():
            rows.append(("-", scaled(count, share), "-", f"no destination gets it ({why})"))
        if self.misfits:
            rows.append(("-", scaled(self.misfits, share), "-", "is no event"))
        columns = ("destination", "events", "worth", "what becomes of them")
        screen(errors=errors).print(table("", columns, rows, frozenset({"events", "worth"})))


def scaled(count: int, share: float) -> str:
    """A count; about how many that is of all, when only a share was looked at."""
    return number(count) if share == 1.0 else f"~{number(round(count / share))}"


def foreseen(job: Job, *, sample: bool = False) -> tuple[Foresight, Reading]:
    """What would become of all events, or of a sample. With ``--url`` they are counted, and nobody is asked."""
    archive, foresight = job.archive, Foresight()
    if sample:
        archive = replace(archive, files=archive.files[:: -(-len(archive.files) // SAMPLED_FILES) or 1])
    reading = Reading(archive, job.window, lenient=True, sample=SAMPLED_EVENTS if sample else 0)
    if not job.admin:
        for _ in reading:
            pass
        return foresight, reading
    url = f"{job.target.url}{'&' if '?' in job.target.url else '?'}dry_run=true"
    target, manner = replace(job.target, url=url), replace(job.manner, rate=0.0)
    with watched("judged", replace(job, archive=archive), reading) as heard:
        tally = asyncio.run(send_all(iter(reading), target, manner, heard, told=foresight.add))
    if tally.accepted < tally.events:
        answer = next(answer for answer in tally.answers if answer != "200")
        raise Failed(f"the relay did not judge {number(tally.events - tally.accepted)} events: {answer}")
    return foresight, reading


def dry_run(job: Job, *, as_json: bool) -> None:
    """Everything is read and judged, and nothing is sent."""
    foresight, reading = foreseen(job)
    rate, events = job.manner.rate, reading.chosen
    if as_json:
        counts = {"dry_run": True, "events": events, "files": len(job.archive.files), "skipped": job.archive.skipped}
        counts |= {"outside": reading.outside, "unreadable": reading.unreadable}
        print_json({**counts, "seconds": round(events / rate, 3) if rate else None, **foresight.document()})
        return
    print(f"{number(events)} events in {number(len(job.archive.files))} files, {size(job.archive.size)}")
    for line in left_out(job.archive, reading):
        print(line)
    if job.admin:
        foresight.show()
    print(UNKNOWN if job.admin else NOT_JUDGED)
    if rate:
        print(f"At --rate {rate:g} that takes {duration(events / rate)}.")
    print("Nothing was sent.")


def agreed(job: Job) -> None:
    """Show what a sample says of a backfill, and ask; ends the command unless somebody says yes."""
    foresight, reading = foreseen(job, sample=True)
    whole, total = reading.position - reading.unread == job.archive.size, job.archive.size
    share = 1.0 if whole or not total else (reading.position - reading.unread) / total
    events = scaled(reading.chosen, share)
    print(f"{events} events in {number(len(job.archive.files))} files, {size(total)}", file=sys.stderr)
    foresight.show(share, errors=True)
    if not whole:
        print(f"Judged by {number(reading.chosen)} of them; --dry-run reads everything.", file=sys.stderr)
    print(UNKNOWN, file=sys.stderr)
    click.confirm("Send them?", err=True, abort=True)


def left_out(archive: Archive, reading: Reading) -> list[str]:
    """What of the files is not sent, and why."""
    lines = [f"{number(reading.earlier)} of them were sent before"] if reading.earlier else []
    lines += [f"{number(reading.outside)} are of another time, or tell none"] if reading.outside else []
    if archive.elsewhen:
        lines.append(f"left out, of other days: {listed(archive.elsewhen)}")
    if archive.skipped:
        lines.append(f"skipped, by their names no events: {listed(archive.skipped)}")
    if reading.unreadable:
        lines.append(f"{number(reading.unreadable)} lines or files cannot be read:")
        lines += [f"  {trouble}" for trouble in reading.troubles]
    return lines


def listed(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = f" and {number(len(names) - NAMED)} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
