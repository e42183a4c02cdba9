"""Three clocks, never mixed: how old the event is, how long we have had it, how long ago we may first have sent it.

TikTok removes a repeat that arrives within 48 h of the first arrival (TikTok sheet section 4). Four hours of that are
kept back for waiting in queues on either side.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.event import DeadReason

HOUR_MS = 3_600_000
DAY_S = 86_400
DEDUPE_MS = 44 * HOUR_MS
OLDEST_MAX_AGE_S = 28 * DAY_S
"""Nothing older is ever matched to a click (TikTok sheet section 3)."""
DEFAULT_MAX_AGE_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Clocks:
    """The rules of one destination. ``shared``: somebody else (Segment, the pixel) may have sent the same events."""

    max_age_s: int = DEFAULT_MAX_AGE_S
    shared: bool = False

    @property
    def kept_s(self) -> float:
        """How long after receipt an entry may be sent by itself, at most: no event is younger than its receipt."""
        return min(self.oldest_s, DEDUPE_MS / 1000) if self.shared else self.oldest_s

    @property
    def oldest_s(self) -> int:
        """How old an event may be."""
        return min(self.max_age_s, OLDEST_MAX_AGE_S)

    def ended(
        self, *, event_time_s: int | None, received_ms: int, first_ms: int, now_ms: int, released: bool = False
    ) -> tuple[DeadReason, str] | None:
        """Why an entry may no longer be sent by itself, and in words; None while it may.

        ``first_ms`` is 0 when nobody can have sent it before. Of a ``released`` entry an operator has accepted that it
        may count twice; one too old to be matched is of no use even so.
        """
        max_age_s = self.oldest_s
        if event_time_s is not None and now_ms - event_time_s * 1000 > max_age_s * 1000:
            return DeadReason.EXPIRED, f"event_time is more than {max_age_s / DAY_S:g} days old"
        if released:
            return None
        if first_ms and now_ms - first_ms > DEDUPE_MS:
            return DeadReason.AMBIGUOUS, "TikTok may have it from an attempt more than 44 hours ago"
        if self.shared and now_ms - received_ms > DEDUPE_MS:
            return DeadReason.OVERLAP, "another sender may have delivered it more than 44 hours ago"
        return None
