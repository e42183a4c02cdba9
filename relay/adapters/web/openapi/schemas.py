"""The shapes that travel: events in, answers, status, dead letters, moves, previews."""

from __future__ import annotations

from relay.adapters.web.openapi.pieces import (
    STREAM_ID,
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
from relay.core.delivery.mode import Mode
from relay.core.errors import StoreTrouble
from relay.core.event import DeadReason, EntryClass, JsonObject

CLASS = one_of([*EntryClass], "How the entry ranks.")
EVENT = {
    "type": "object",
    "description": "A Segment call, whole: a webhook's mapping must send `$.`, not parts. An item without `type` counts"
    " as a track call if it has `event`.",
    "properties": {
        "type": text("track, page, screen, identify, group, alias or delete."),
        "event": text("Name of a track call."),
        "messageId": text("Identity of the event; TikTok's event_id. One is derived where it is missing."),
        "timestamp": text("When it happened, ISO 8601."),
        "userId": {},
        "anonymousId": {},
        "properties": {},
        "traits": {},
        "context": {},
        "integrations": {},
    },
    "required": ["type"],
}
SUCCESS = record({"success": {"const": True}}, about="Everything in the request is durable, or was before.")
_SEGMENT_IO = record(
    {
        "apiKey": text("The write key that was asked for."),
        "apiHost": text("This relay, with `/v1`."),
        "protocol": one_of(["http", "https"]),
    }
)
SDK_SETTINGS = record(
    {"integrations": record({"Segment.io": _SEGMENT_IO})},
    about="As Segment's CDN would answer for a source without destinations of its own; SDKs know the other members.",
)
PROBLEM = record(
    {
        "success": {"const": False},
        "code": text("Stable, for programs."),
        "message": text("For people. Never repeats what was sent to the intake port."),
        "error": text("The same once more, where some senders look for it."),
    }
)
STORE = record(
    {
        "up": flag(),
        "trouble": maybe(one_of([*StoreTrouble])),
        "detail": text(),
        "used_bytes": count(),
        "max_bytes": maybe(count("null: no limit is known")),
        "full_in_seconds": maybe(number("Forecast; null: no end in sight.")),
        "disk_free_bytes": maybe(count()),
    },
    optional=("used_bytes", "max_bytes", "full_in_seconds", "disk_free_bytes"),
)
LIMIT_BREACH = record(
    {"entries": count(), "first_in_seconds": maybe(number()), "first_at": maybe(moment())},
    about="Entries that will be too old before their turn comes, about.",
)
_FIGURES: JsonObject = {
    "concurrency": maybe(whole("Calls to TikTok at a time.")),
    "owed": count("Entries not yet settled."),
    "backlog": count("Of those, behind the mark; all that may be sent, while paused."),
    "oldest_age_seconds": maybe(number("Since receipt, of the oldest that may be sent.")),
    "drain_eta_seconds": maybe(number("Forecast; null: no end in sight.")),
    "limit_breach": maybe(ref("LimitBreach")),
    "value": money("Value owed."),
    "delivered": count(),
    "dead_letters": count("Kept, not yet requeued or discarded."),
    "unbalanced": count("0, or the books do not balance: a bug, or a store that lost data."),
    "mode": one_of([*Mode]),
    "since": maybe(moment("What was received since is sent (failover).")),
    "until": maybe(moment()),
    "standing_by": count("Owed entries that nobody sends."),
    "standing_by_since": maybe(moment()),
    "standing_by_age_seconds": maybe(number()),
    "left": maybe(count("What a failback has to finish.")),
    "lapsed": count("Stood by for longer than journal.retention."),
}
DESTINATION = record(
    {"name": text(), "gate": maybe(text("closed, open, probing, held or paused; null: not known yet.")), **_FIGURES},
    optional=tuple(_FIGURES),
)
STREAM = record(
    {
        "destination": text(),
        "class": CLASS,
        "owed": count(),
        "backlog": count(),
        "live": count(),
        "standing_by": count(),
        "leased": count("In a lease of some relay."),
        "oldest_age_seconds": maybe(number()),
        "value": money(),
        "books": counts("Ledger: accepted + requeued = every ending + owed."),
        "unbalanced": whole(),
    }
)
STATUS = record(
    {
        "version": text(),
        "role": text(),
        "sandbox": flag(),
        "durability": text("What a 200 of the intake port means here."),
        "now": moment(),
        "surveyed_at": maybe(moment()),
        "store": ref("Store"),
        "destinations": listing(ref("Destination")),
        "streams": listing(ref("Stream")),
        "intake_dead_letters": maybe(count("Accepted by HTTP, and no events.")),
        "archive": maybe(ref("Archive")),
        "replay": maybe(ref("Replay")),
    },
    optional=("version", "role", "sandbox", "durability"),
)
DEAD_LETTER = record(
    {
        "id": text("Stream id, ascending."),
        "destination": text("`-` for the intake's own."),
        "class": maybe(CLASS),
        "reason": text(f"{', '.join(DeadReason)}; the intake's own have codes of the intake."),
        "message": text("Why, in TikTok's or the mapping's words."),
        "code": maybe(whole("TikTok's.")),
        "request_id": text("TikTok's, for its support."),
        "died_at": maybe(moment()),
        "received_at": maybe(moment()),
        "first_claimed_at": maybe(moment("Since when TikTok may have it; null: it cannot.")),
        "source": text(),
        "value": maybe(number()),
        "currency": maybe(text()),
        "accepted": listing(text(), "Subscriptions whose item TikTok took before."),
        "event": {"description": "Its name, or its type."},
        "message_id": {},
        "raw": {"description": "The stored event, with personal data; only when the whole letter was asked for."},
    },
    optional=("raw",),
)
DEAD_LETTERS = record(
    {"letters": listing(ref("DeadLetter")), "next": maybe(text("`after` of the next page; null: this was the last."))}
)
_MOMENT_MS = whole("In ms since the epoch.", minimum=0, maximum=2**53)
_DOUBLING = flag("Send again what TikTok may have counted already.")
_DRY_RUN = flag("Only count.")
BY_ID = closed(
    {
        "ids": listing(text(pattern=STREAM_ID), minItems=1, maxItems=1000),
        "accept_doubling": _DOUBLING,
        "dry_run": _DRY_RUN,
    },
    required=("ids",),
)
BY_FILTER = closed(
    {
        "all": {"const": True},
        "reason": one_of([*DeadReason]),
        "event": text("Name of the event."),
        "received_since_ms": _MOMENT_MS,
        "received_until_ms": _MOMENT_MS,
        "accept_doubling": _DOUBLING,
        "dry_run": _DRY_RUN,
        "after": text("`next` of the last answer, to go on with a long move.", pattern=STREAM_ID),
        "until_ms": whole("The same of the first answer.", minimum=0, maximum=2**53),
    },
    required=("all",),
    about="All that pass the filter.",
)
SELECTION: JsonObject = {"anyOf": [BY_ID, BY_FILTER]}
MOVED = record(
    {
        "moved": count("Letters."),
        "value": money(),
        "reasons": counts(),
        "dry_run": flag(),
        "held_back": count("TikTok may have them; `accept_doubling` moves them too."),
        "next": maybe(text("More are left: repeat with this as `after`.")),
        "until_ms": whole(),
    }
)
SWITCHED = record({"success": {"const": True}, "destination": text(), "action": text()})
TURNED = record(
    {
        "success": {"const": True},
        "destination": text(),
        "action": text(),
        "changed": flag("False: it was so already."),
        "mode": one_of([*Mode]),
        "since": maybe(moment()),
        "until": maybe(moment()),
    }
)
RECEIVED = record(
    {
        "success": {"const": True},
        "accepted": count("Owed to at least one destination now."),
        "duplicate": count(),
        "filtered": count("Wanted by nobody."),
        "dead": count("No events; kept among the intake's dead letters."),
    }
)
FORESEEN = record(
    {
        "success": {"const": True},
        "dry_run": {"const": True},
        "events": count(),
        "misfits": counts("No events, by reason."),
        "filtered": counts("Wanted by nobody, by reason."),
        "destinations": {
            "type": "object",
            "description": "By destination and outcome: `sendable` (`standing_by` or `paused` where it waits),"
            " `unmatched`, or the reason of a dead letter.",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": record(
                    {"entries": count(), "value_micros": counts('Millionths, by ISO 4217 currency; "" is unknown.')}
                ),
            },
        },
    }
)
PREVIEWED = record(
    {
        "success": {"const": True},
        "events": listing(
            record(
                {
                    "index": count(),
                    "results": listing(
                        record(
                            {
                                "destination": text(),
                                "subscription": text(),
                                "item": maybe({"type": "object", "description": "What TikTok would get."}),
                                "error": maybe(text()),
                            }
                        )
                    ),
                }
            )
        ),
    }
)
READY = record({"ready": flag(), "why": text()})
