"""The vague parameter error: when single after single fails alike, the configuration is at fault and not the events.

A 40002 that names no field of the call may still be the destination's fault. Five different singles with the same
message, and nothing accepted in between or in the last minute, hold the destination, so that a wrong setting does not
empty the store into the dead letters.
"""

from __future__ import annotations

SINGLES = 5
ACCEPTED_S = 60.0


class Suspicion:
    """What one replica has seen of one destination."""

    def __init__(self) -> None:
        self._complaint = ""
        self._entries: set[str] = set()
        self._accepted_at = float("-inf")

    def accepted(self, now: float) -> None:
        """TikTok took something: the configuration works."""
        self._accepted_at = now
        self._complaint = ""
        self._entries.clear()

    def refused(self, entry_id: str, complaint: str, now: float) -> bool:
        """A single was refused with these words; True when the destination should be held instead."""
        if now - self._accepted_at < ACCEPTED_S:
            return False
        if complaint != self._complaint:
            self._complaint = complaint
            self._entries.clear()
        if len(self._entries) < SINGLES:
            self._entries.add(entry_id)
        return len(self._entries) == SINGLES
