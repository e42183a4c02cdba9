"""What a destination's mode and overlap policy mean, in plain words."""

from __future__ import annotations

from relay.cli.drawing import duration
from relay.config import Destination
from relay.core.delivery.clocks import DEDUPE_MS
from relay.core.event import JsonObject

DEDUPE = duration(DEDUPE_MS / 1000)
MODES = {
    "active": "sends everything it is owed, as it comes",
    "paused": "starts paused: events are kept, none is sent until `relay resume {name}`",
    "standby": "stands by: events are kept, none is sent until `relay failover {name} --since T`; what is older than"
    " {retention} (journal.retention) lapses",
}
OVERLAPS = {
    "segment": "Segment's own TikTok destination may send the same events",
    "pixel": "the pixel in the browser may send the same events",
    "nobody": "nobody else sends the same events, so however long one has waited, it is sent (max_age allowing)",
}
SHARED = (
    "; TikTok removes repeats within 48 h, so what was received more than {dedupe} ago becomes a dead letter (overlap)"
)

ON_FULL = {
    "refuse": "a full store answers 503, conversions included; Segment repeats for about 4 hours",
    "shed": "a full store gives up its oldest engagement for good, never a conversion, and goes on taking events in;"
    " 503 only when none is left",
}


def meaning_of(destination: Destination, retention_s: float) -> JsonObject:
    """One destination for ``relay check``; ``caution`` is '' where nothing is odd."""
    shared = destination.overlap_with != "nobody"
    words = {"name": destination.name, "retention": duration(retention_s), "dedupe": DEDUPE}
    overlap = OVERLAPS[destination.overlap_with] + (SHARED if shared else "")
    return {
        "name": destination.name,
        "event_source": destination.event_source,
        "event_source_id": destination.event_source_id,
        "mode": destination.mode,
        "mode_means": MODES[destination.mode].format(**words),
        "also_sent_by": destination.overlap_with,
        "overlap_means": overlap.format(**words),
        "caution": caution(destination, retention_s),
    }


def caution(destination: Destination, retention_s: float) -> str:
    """What does not fit together."""
    if destination.mode != "standby":
        return ""
    if destination.overlap_with == "nobody":
        return (
            'also_sent_by = "nobody" although it stands by: what Segment sent and TikTok took more than 48 h ago would'
            " count twice after a failover"
        )
    if retention_s * 1000 > DEDUPE_MS:
        return f"journal.retention is longer than {DEDUPE}: what is older than that is kept, but a failover buries it"
    return ""
