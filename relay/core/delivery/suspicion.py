"""The vague parameter error: when single after single fails alike, the configuration is at fault and not the events.

A 40002 that names no field of the call may still be the destination's fault. Five different singles with the same
message, and nothing accepted in between or in the last minute, hold the destination, so that a wrong setting does not
empty the store into the dead letters.

While that holds, one event must not block the others: if the oldest are bad and the configuration is not, a later one
is accepted. So slow probes send the last entry of samples that grow.
"""

from __future__ import annotations

SINGLES = 5
DOUBTS = 2
"""So many alike, and a proof to the contrary is looked for before the next single."""
ACCEPTED_S = 60.0
SAMPLES = (10, 20, 40, 80, 160, 320, 500)


class Suspicion:
    """What one replica has seen of one destination."""

    def __init__(self) -> None:
        self._complaint = ""
        self._entries: set[str] = set()
        self._accepted_at = float("-inf")
        self._sample = 0

    @property
    def sample(self) -> int:
        """How many entries deep the next slow probe should look; 0 without suspicion."""
        return SAMPLES[self._sample % len(SAMPLES)] if len(self._entries) == SINGLES else 0

    @property
    def rising(self) -> bool:
        """Whether singles were refused alike and nothing was accepted since."""
        return len(self._entries) >= DOUBTS

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
            self._sample = 0
        else:
            self._sample += 1
        return len(self._entries) == SINGLES
