"""One run of ``relay send``: carried out under a progress bar, and stopped by Ctrl-C without forgetting anything."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from relay.cli.archive import Archive, Window
from relay.cli.drawing import number, screen
from relay.cli.event_files import FileEvent
from relay.cli.journal import Journal
from relay.cli.reading import Reading
from relay.cli.sending import Heard, Manner, Tally, Target, send_all
from relay.core.event import JsonObject

RECEIPTS = {
    "accepted": "new",
    "duplicate": "duplicates of what the relay has had",
    "filtered": "wanted by no destination",
    "dead": "no events (dead letters of intake)",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What to send where. ``admin``: through the port where the relay judges."""

    archive: Archive
    window: Window
    target: Target
    manner: Manner
    admin: bool


@dataclass(slots=True)
class Result:
    """What came of it. ``receipts``: events by what the relay made of them, where it says so (admin port)."""

    reading: Reading
    tally: Tally = field(default_factory=Tally)
    receipts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def finished(self) -> bool:
        """Nothing is left for another try."""
        return not self.interrupted and self.tally.accepted == self.reading.chosen

    def take(self, document: JsonObject) -> None:
        """A 200 of the admin port says what became of each."""
        self.receipts.update({name: count for name in RECEIPTS if isinstance(count := document.get(name), int)})


def carry_out(job: Job, journal: Journal | None) -> Result:
    """Send it all, under a progress bar. The first Ctrl-C stops in good order."""
    result = Result(Reading(job.archive, job.window, journal))
    started = time.monotonic()
    with watched("accepted", job, result.reading) as watch:

        def heard(batch: Sequence[FileEvent], answer: str) -> None:
            if answer == "200":
                result.reading.acknowledged(batch)
            watch(batch, answer)

        asyncio.run(_send(job, result, heard))
    result.seconds = time.monotonic() - started
    return result


@contextmanager
def watched(word: str, job: Job, reading: Reading) -> Iterator[Heard]:
    """A progress bar by bytes, on a terminal only; what is yielded wants to hear every answer."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    started, answered = time.monotonic(), Counter[bool]()
    with Progress(*columns, console=screen(errors=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("reading", total=job.archive.size or None)

        def heard(batch: Sequence[FileEvent], answer: str) -> None:
            answered[answer == "200"] += len(batch)
            pace = answered.total() / max(time.monotonic() - started, 0.1)
            told = f"{number(answered[True])} {word} of {number(answered.total())}, {pace:,.0f}/s"
            progress.update(bar, description=told, completed=reading.position)

        yield heard


async def _send(job: Job, result: Result, heard: Heard) -> None:
    stopping = stop_on_signals()
    events = iter(result.reading)
    result.tally = await send_all(events, job.target, job.manner, heard, told=result.take, stopping=stopping)
    result.interrupted = stopping.is_set()


def stop_on_signals() -> asyncio.Event:
    """Set by the first Ctrl-C or SIGTERM; the second one ends the process as usual."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        for one in signals:
            loop.remove_signal_handler(one)
        stopping.set()
        print("stopping: waiting for the answers that are under way (Ctrl-C again: at once)", file=sys.stderr)

    with suppress(ValueError, RuntimeError):  # not in the main thread: then somebody else hears the signals
        for one in signals:
            loop.add_signal_handler(one, stop)
    return stopping
