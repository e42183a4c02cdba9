"""Which files a backfill reads: folders in order of their names, Segment's archive in S3 among them.

Segment's S3 destination writes ``segment-logs/{source id}/{day}/{name}.gz``: gzipped JSON lines, the day of receipt as
epoch milliseconds of its midnight in UTC. Such a folder is passed by when the wanted window cannot lie in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from relay.cli.client import Failed
from relay.cli.event_files import STDIN
from relay.core.event import JsonObject
from relay.core.segment.timing import told_time

ENDINGS = (".json", ".jsonl", ".ndjson", ".gz")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SLACK_MS = HOUR_MS
"""So far from its day an event in a day's folder may be: a file is written a while after its events came."""


class Window(NamedTuple):
    """Events of which times are wanted: from ``since_ms`` on, before ``until_ms``; None is no bound."""

    since_ms: int | None = None
    until_ms: int | None = None

    def overlaps(self, first_ms: int, last_ms: int) -> bool:
        """Whether something between these two may be wanted."""
        since_ms, until_ms = self
        return (since_ms is None or last_ms >= since_ms) and (until_ms is None or first_ms < until_ms)

    def holds(self, event: JsonObject) -> bool:
        """Whether an event is wanted. One that tells no time is, unless there is a bound."""
        if self == EVER:
            return True
        at_ms = told_time(event)
        return at_ms is not None and self.overlaps(at_ms, at_ms)


EVER = Window()


class File(NamedTuple):
    """A file to read. ``found`` in a folder: what cannot be read in it is told, and does not stop the rest."""

    name: str
    size: int = 0
    found: bool = False


@dataclass(slots=True)
class Archive:
    """Files in the order they are read; ``skipped``: by name no events; ``elsewhen``: folders of unwanted days."""

    files: list[File] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    elsewhen: list[str] = field(default_factory=list)
    folders: int = 0

    @property
    def size(self) -> int:
        """Bytes to read; standard input counts as none."""
        return sum(file.size for file in self.files)


def gathered(names: Sequence[str], window: Window) -> Archive:
    """All files of the command line, and those of its folders. Failed when one cannot be looked at."""
    archive = Archive()
    for name in names:
        try:
            _gather(name, window, archive)
        except OSError as error:
            raise Failed(f"{error.filename}: cannot be read ({error.strerror})") from None
    return archive


def _gather(name: str, window: Window, archive: Archive) -> None:
    if name == STDIN:
        archive.files.append(File(name))
    elif Path(name).is_dir():
        archive.folders += 1
        _walk(name, window, archive)
    else:
        archive.files.append(File(name, Path(name).stat().st_size if Path(name).is_file() else 0))


def _walk(top: str, window: Window, archive: Archive) -> None:
    for folder, below, names in os.walk(top, onerror=_unreadable):
        below[:] = sorted(_wanted(folder, below, window, archive))
        for name in sorted(names):
            path = str(Path(folder, name))
            if name.startswith(".") or not name.lower().endswith(ENDINGS) or not Path(path).is_file():
                archive.skipped.append(path)
            else:
                archive.files.append(File(path, Path(path).stat().st_size, found=True))


def _wanted(folder: str, below: Sequence[str], window: Window, archive: Archive) -> Iterator[str]:
    """Folders to look into."""
    for name in below:
        day_ms = day_of(name)
        if name.startswith("."):
            archive.skipped.append(str(Path(folder, name)))
        elif day_ms is not None and not window.overlaps(day_ms - SLACK_MS, day_ms + DAY_MS + SLACK_MS):
            archive.elsewhen.append(str(Path(folder, name)))
        else:
            yield name


def day_of(name: str) -> int | None:
    """The midnight that a folder is named by, in epoch milliseconds; None for other names."""
    if not (name.isascii() and name.isdigit() and len(name) in {10, 13}):
        return None
    at_ms = int(name) * (1 if len(name) == 13 else 1000)
    return at_ms if at_ms % DAY_MS == 0 else None


def _unreadable(error: OSError) -> None:
    raise error
