"""The shapes of replays: what is archived, what a replay would come to, and how far it is."""

from __future__ import annotations

from relay.adapters.web.openapi.pieces import (
    closed,
    count,
    counts,
    flag,
    listing,
    maybe,
    moment,
    money,
    number,
    one_of,
    record,
    ref,
    text,
    whole,
)
from relay.core.archive import ReplayState

_STOPS = "Events that stay where they are, by what stops them."
_ASKED = {
    "since": maybe(moment("Received from then on.")),
    "until": maybe(moment("Received before.")),
    "destination": maybe(text()),
    "event": maybe(text()),
    "dead_letters": flag("Dead letters of that time as well."),
    "rate": whole("Events a second at most.", minimum=1),
}
ARCHIVED = record({"events": counts("By class."), "bytes": count(), "since": maybe(moment())})
WISH = closed(
    {
        "since": text('Time of receipt: ISO 8601, or how long ago: "6h".'),
        "until": text("Before; now as a rule."),
        "destination": text("Only there."),
        "event": text("Only these, by name."),
        "dead_letters": flag(),
        "rate": whole(minimum=1, maximum=5000),
        "dry_run": flag("Only count."),
        "seconds": number("How long to count at most.", exclusiveMinimum=0, maximum=50),
        "expected": whole("What a dry run counted, for the record.", minimum=0, maximum=2**53),
    },
    required=("since",),
)
REPLAY = record(
    {
        "id": text(),
        "state": one_of([*ReplayState]),
        **_ASKED,
        "began": maybe(moment()),
        "ended": maybe(moment()),
        "expected": maybe(count()),
        "moved": count("Entries owed again, and dead letters."),
        "dead_letters_moved": count(),
        "duplicates": count("Accepted there in the meantime."),
        "left": counts(_STOPS),
        "value": money(),
        "seconds": number(),
        "done_in_seconds": maybe(number()),
        "waiting": text("For what; empty while it moves."),
    }
)
REPLAYS = record({"replay": maybe(ref("Replay")), "archive": maybe(ref("Archive"))})
WEIGHED = record(
    {
        "dry_run": {"const": True},
        **_ASKED,
        "entries": count(),
        "value": money(),
        "destinations": listing(record({"name": text(), "entries": count(), "value": money()})),
        "left": counts(_STOPS),
        "looked": count(),
        "complete": flag("False: time ran out first."),
        "estimated_seconds": number(),
        "archive": maybe(ref("Archive")),
        "archiving": flag("Whether this relay adds to the archive (journal.archive)."),
    }
)
BEGUN = record({"success": {"const": True}, "replay": ref("Replay")})
TURNED = record({"success": {"const": True}, "changed": flag("False: it was so already."), "replay": ref("Replay")})
