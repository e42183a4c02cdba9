"""The shapes of inquiries: where an event is, what is kept of a person, and what an outage came to."""

from __future__ import annotations

from relay.adapters.web.openapi.pieces import (
    closed,
    count,
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
from relay.core.event import EntryClass, Lane
from relay.core.trace import Place

CALL = record(
    {
        "at": maybe(moment()),
        "verdict": text("What the relay made of TikTok's answer."),
        "code": text("TikTok's, or how the call failed."),
        "items": count("In the call."),
        "request_id": text(),
        "log_id": text(),
        "lease": whole(),
        "certain": flag("False: the call carried some of the entries around this one, perhaps not this."),
    },
    about="One call to TikTok.",
)
_WORTH = {"value": maybe(number()), "currency": maybe(text())}
OWED = record(
    {
        "id": text(),
        "lane": maybe(one_of([*Lane])),
        "received_at": maybe(moment()),
        "behind": maybe(count("Entries of its class before it; null: not counted.")),
        "leased_until": maybe(moment()),
        "limit_at": maybe(moment("When one of the three clocks stops it.")),
        **_WORTH,
        "accepted": listing(text()),
        "in_doubt_since": maybe(moment()),
        "released": flag(),
    }
)
LETTER = record(
    {
        "id": text(),
        "reason": text(),
        "message": text(),
        "code": maybe(whole()),
        "request_id": text(),
        "died_at": maybe(moment()),
        "received_at": maybe(moment()),
        "in_doubt_since": maybe(moment()),
        **_WORTH,
        "accepted": listing(text()),
    }
)
ARCHIVED = record(
    {
        "id": text(),
        "received_at": maybe(moment()),
        "ended_at": maybe(moment("When it was delivered, filtered or found unmatched.")),
        "delivered": flag(),
        "in_doubt_since": maybe(moment("Since when TikTok may have it.")),
        "accepted": listing(text()),
        **_WORTH,
    }
)
TRACE = record(
    {
        "message_id": text(),
        "seen": flag("Whether anything is known of it."),
        "destinations": listing(
            record(
                {
                    "destination": maybe(text("null: before any destination.")),
                    "class": maybe(one_of([*EntryClass])),
                    "state": one_of([*Place]),
                    "said": text("Where it is, in words."),
                    "next": text("What happens next, in words."),
                    "owed": maybe(ref("OwedEntry")),
                    "dead_letter": maybe(ref("TracedLetter")),
                    "archived": maybe(ref("TracedArchive")),
                    "accepted_between": maybe(listing(moment())),
                    "calls_made": count(),
                    "calls": listing(ref("Call")),
                }
            )
        ),
        "searched": record(
            {
                "owed": count(),
                "dead_letters": count(),
                "archived": count(),
                "seconds": number(),
                "complete": flag("False: time ran out first."),
                "seconds_per_million": maybe(number()),
            }
        ),
    },
    about="Nothing of the event itself is in it but its name and worth.",
)
_HEAD = {
    "id": text(),
    "destination": text(),
    "open": flag(),
    "causes": listing(text()),
    "reason": text(),
    "opened_at": maybe(moment()),
    "settled_at": maybe(moment("When everything of that time had its ending.")),
    "closed_at": maybe(moment()),
    "as_of": maybe(moment()),
    "seconds": number(),
    "arrived": count(),
    "delivered": count(),
    "dead": count(),
    "owed": count(),
    "every_seconds": number("Between two samples."),
}
INCIDENT_HEAD = record(_HEAD)
INCIDENTS = record({"incidents": listing(ref("IncidentHead"), "The latest first.")})
_BREAKDOWN = record(
    {
        "buckets": listing(record({"up_to_seconds": maybe(number()), "entries": count()})),
        "p50": maybe(number()),
        "p95": maybe(number()),
        "max": maybe(number()),
    },
    about="Receipt to delivery, in seconds.",
)
_CODE = record(
    {
        "code": text(),
        "verdict": text(),
        "calls": count(),
        "first_at": maybe(moment()),
        "last_at": maybe(moment()),
        "message": text(),
        "request_ids": listing(text()),
    }
)
_SAMPLE = record(
    {
        "since": maybe(moment()),
        "at": maybe(moment()),
        "gate": text(),
        "arrived": count(),
        "delivered": count(),
        "dead": count(),
        "owed": count(),
        "backlog": count(),
        "oldest_seconds": number(),
        "value": money(),
    }
)
INCIDENT = record(
    {
        **_HEAD,
        "gate": record({"episodes": listing({"type": "object"}), "shut_seconds": number()}),
        "entries": {"type": "object", "description": "Ledger of the incident, in entries."},
        "value": record(
            {
                "delivered": money(),
                "most_owed": money(),
                "owed_after": money(),
                "dead": {"type": "object", "additionalProperties": money()},
            }
        ),
        "events": listing(record({"event": text(), "currency": text(), "items": count(), "value": number()})),
        "not_broken_down": count("Delivered entries whose break-down went down with a process."),
        "delays": _BREAKDOWN,
        "codes": listing(_CODE),
        "timeline": listing({"type": "object"}),
        "samples": listing(_SAMPLE),
        "missing": listing(record({"since": maybe(moment()), "until": maybe(moment())}), "Times without samples."),
    },
    about="Everything that `relay report` prints.",
)
PERSON = closed(
    {
        "user_id": text(minLength=1, maxLength=2000),
        "anonymous_id": text(minLength=1, maxLength=2000),
        "email": text(minLength=1, maxLength=2000),
        "suppress": flag("Refuse what comes of them from now on (true as a rule)."),
        "dry_run": flag("Only count."),
        "lift": flag("End their suppression instead."),
        "cursor": text("`next` of the last answer, to go on."),
    },
    required=(),
    about="At least one of the three names.",
)
FORGOTTEN = record(
    {
        "success": {"const": True},
        "owed": count(),
        "dead_letters": count(),
        "archive": count(),
        "leased": count("Being sent right now; they end as forgotten when they come back."),
        "unreadable": count("Sealed with a key that is not here."),
        "looked_at": count(),
        "total": count("To look at, about."),
        "seconds": number(),
        "suppressed": flag(),
        "dry_run": flag(),
        "next": maybe(text("More is left: repeat with this as `cursor`.")),
    },
    about="Nothing that was asked for is repeated.",
)
LIFTED = record({"success": {"const": True}, "lifted": {"const": True}})
