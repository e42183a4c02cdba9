"""Tells every notice to every reader; telling never fails the one who tells."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.notices import Notice, TellingFailed
from relay.ports import Tell


class Telling:
    """Fan-out ``Tell``. A reader that breaks is a bug of ours: it is counted and told to the other readers."""

    def __init__(self, readers: Sequence[Tell]) -> None:
        self._readers = tuple(readers)
        self.failures = 0

    def __call__(self, notice: Notice) -> None:
        """Hand ``notice`` to each reader in order."""
        for reader in self._readers:
            try:
                reader(notice)
            except Exception as error:  # noqa: BLE001 - the promise of Tell; what went wrong is told on, not swallowed
                self._report(reader, notice, error)

    def _report(self, broken: Tell, notice: Notice, error: Exception) -> None:
        self.failures += 1
        report = TellingFailed(type(broken).__name__, type(notice).__name__, type(error).__name__)
        for reader in self._readers:
            if reader is broken:
                continue
            try:
                reader(report)
            except Exception:  # noqa: BLE001 - two broken readers: no third place to tell it, so it is only counted
                self.failures += 1
