"""From files to the events that are to be sent, with an account of everything that is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from relay.cli.archive import Archive, File, Window
from relay.cli.event_files import STDIN, Complain, FileEvent, NotJson, events_in, refuse
from relay.cli.journal import Journal, Kept

NAMED = 5
"""So many of the things that cannot be read are named."""


class Reading:
    """Reads files in order, a line at a time; ``position`` is how far, in bytes. ``lenient``: nothing stops it.

    ``chosen`` events are to be sent, ``earlier`` ones the relay acknowledged before, ``outside`` are not in the window.
    ``sample``: so many events of a file are enough; ``unread`` bytes were left alone because of it.
    """

    def __init__(
        self,
        archive: Archive,
        window: Window,
        journal: Journal | None = None,
        *,
        lenient: bool = False,
        sample: int = 0,
    ) -> None:
        self.position = self.chosen = self.earlier = self.outside = 0
        self.unreadable = self.unread = 0
        self._sample = sample
        self.troubles: list[str] = []
        self._files, self._window, self._journal, self._lenient = archive.files, window, journal, lenient
        self._before = 0
        self._kept: dict[int, Kept] = {}

    def __iter__(self) -> Iterator[FileEvent]:
        for index, file in enumerate(self._files):
            yield from self._read(index, file)
            self._before += file.size
            self.position = self._before

    def acknowledged(self, batch: Sequence[FileEvent]) -> None:
        """The relay has these."""
        if self._journal is None:
            return
        numbered = enumerate(sorted(event.place for event in batch))
        for (index, _), run in groupby(numbered, lambda pair: (pair[1][0], pair[1][1] - pair[0])):
            numbers = [number for _, (_, number) in run]
            self._journal.took(self._kept[index], numbers[0], numbers[-1])

    def _read(self, index: int, file: File) -> Iterator[FileEvent]:
        kept = self._journal.begin(file.name) if self._journal is not None and file.name != STDIN else None
        if kept is not None:
            self._kept[index] = kept
            if kept.complete:
                self.earlier += kept.total or len(kept.done)
                return
        number = 0
        for looked, found in enumerate(events_in(file.name, self._complain_of(file))):
            left = file.size - min(found.position, file.size)
            self.position = self._before + file.size - left
            if left and 0 < self._sample <= looked:
                self.unread += left
                return
            if not self._window.holds(found.body):
                self.outside += 1
                continue
            if kept is not None and number in kept.done:
                self.earlier += 1
            else:
                self.chosen += 1
                yield FileEvent(found.raw, (index, number))
            number += 1
        if kept is not None and self._journal is not None:
            self._journal.read(kept, number)

    def _complain_of(self, file: File) -> Complain:
        """What is named on the command line must be what it is said to be; in folders there is all kinds of things."""
        return self._note if file.found or self._lenient else refuse

    def _note(self, problem: NotJson) -> None:
        self.unreadable += 1
        if len(self.troubles) < NAMED:
            self.troubles.append(problem.message)
