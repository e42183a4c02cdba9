"""What the operators' port serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relay.adapters.web.openapi.pieces import (
    STREAM_ID,
    in_path,
    needed,
    operation,
    query,
    record,
    ref,
    said,
    text,
    whole,
)
from relay.core.event import DeadReason, JsonObject

SERVERS = [{"url": "http://127.0.0.1:8081", "description": "Admin port: RELAY_ADMIN_HOST, RELAY_ADMIN_PORT."}]
LONGEST_ID = 500
"""Characters of a message id that fit into a request line in every spelling."""
_NAME = in_path("name", "A destination.")
_OWNER = in_path("destination", "A destination; `-` is the intake itself.")
_LETTER = in_path("id", "Id of the letter.")
_LIST = (
    needed("destination", text(minLength=1), "Whose letters; `-` is the intake itself."),
    query("after", text(pattern=STREAM_ID), "`next` of the page before."),
    query("limit", whole(minimum=1, maximum=1000), "How many; 100 as a rule."),
    query("reason", text(), "Only these. A destination's: " + ", ".join(DeadReason) + "."),
    query("whole", text(enum=["0", "1"]), "1: with the events, personal data included."),
)
_TRACED = (
    query("destination", text(), "Only there."),
    query("seconds", whole(minimum=1, maximum=50), "How long to search at most; 10 as a rule."),
    query("since_ms", whole(minimum=0, maximum=10**14), "When it was received, at the earliest."),
)
_MESSAGE_ID = needed("message_id", text(minLength=1, maxLength=LONGEST_ID), "The event's messageId.")
SWITCHES = {
    "pause": "Stop sending; everything stays owed",
    "resume": "Send again",
    "probe": "Ask TikTok now whether it is back",
}


def paths() -> JsonObject:
    """By path; each is told to be on this port."""
    found = {**_looks(), **_letters(), **_destinations(), **_events(), **_replays(), **_inquiries()}
    return {path: {"servers": SERVERS, **methods} for path, methods in found.items()}


def _answers(about: str, schema: JsonObject, problems: Sequence[str] = ()) -> Mapping[str, JsonObject]:
    """A success, what everybody may meet here, and ``problems`` of one's own. 415: a body, and not as JSON."""
    refused = {status: ref("Declined", "responses") for status in ("401", "403", "415", *problems)}
    return {"200": said(about, schema), **refused, "503": ref("NoStore", "responses")}


def _looks() -> JsonObject:
    metrics = {"200": {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": text()}}}}
    if_protected = {status: ref("Declined", "responses") for status in ("401", "403")}
    return {
        "/metrics": {"get": operation("metrics", "Metrics", {**metrics, **if_protected}, security=({}, {"admin": []}))},
        "/api/openapi.json": {
            "get": operation("openapi", "This document", _answers("OpenAPI 3.1.", {"type": "object"}))
        },
        "/api/status": {"get": operation("status", "What is owed, and why", _answers("Now.", ref("Status")))},
    }


def _letters() -> JsonObject:
    one = "/api/dead-letters/{destination}"
    return {
        "/api/dead-letters": {
            "get": operation(
                "dead_letters",
                "Dead letters, oldest first",
                _answers("A page.", ref("DeadLetters"), ("400", "404")),
                parameters=_LIST,
            )
        },
        f"{one}/{{id}}": {
            "get": operation(
                "dead_letter",
                "One dead letter with its event",
                _answers("The letter.", ref("DeadLetter"), ("404",)),
                parameters=(_OWNER, _LETTER),
            )
        },
        f"{one}/requeue": {"post": _move("requeue", "Owe dead letters again")},
        f"{one}/discard": {"post": _move("discard", "Give dead letters up for good")},
    }


def _move(name: str, summary: str) -> JsonObject:
    return operation(
        f"dead_letters_{name}",
        summary,
        _answers("What was moved.", ref("Moved"), ("400", "404", "409", "413")),
        parameters=(_OWNER,),
        body=ref("Selection"),
    )


def _destinations() -> JsonObject:
    path = "/api/destinations/{name}"
    since = record({"since": text('ISO 8601, or how long ago: "40m".')})
    problems = ("400", "404", "409", "413")
    found: JsonObject = {
        f"{path}/failover": {
            "post": operation(
                "failover",
                "Send what was received since a moment, and all that comes",
                _answers("It does.", ref("Turned"), problems),
                parameters=(_NAME,),
                body=since,
            )
        },
        f"{path}/failback": {
            "post": operation(
                "failback",
                "Finish what was taken over, then stand by",
                _answers("It does.", ref("Turned"), problems),
                parameters=(_NAME,),
            )
        },
    }
    for switch, summary in SWITCHES.items():
        answers = _answers("Done.", ref("Switched"), ("404",))
        found[f"{path}/{switch}"] = {"post": operation(switch, summary, answers, parameters=(_NAME,))}
    return found


def _events() -> JsonObject:
    """Through the operators' port."""
    many = {"anyOf": [ref("Event"), {"type": "array", "items": ref("Event"), "minItems": 1, "maxItems": 10_000}]}
    some = record({"events": {"type": "array", "items": {"type": "object"}, "maxItems": 10_000}})
    problems = ("400", "413")
    source = query("source", text(), "Whose events: `segment` or a name. Needed (else 409) where one is limited.")
    taken = _answers("Durable; or judged.", {"anyOf": [ref("Received"), ref("Foreseen")]}, (*problems, "409"))
    dry_run = query("dry_run", text(enum=["true", "false"]), "true: say what would become of them, and store nothing.")
    return {
        "/api/events": {
            "post": operation(
                "send",
                "Take events, as `relay send` does",
                taken,
                about="An event whose `receivedAt` (else `timestamp`) is past was received then: its clocks run since.",
                parameters=(source, dry_run),
                body=many,
            )
        },
        "/api/preview": {
            "post": operation(
                "preview",
                "What TikTok would get; nothing is sent",
                _answers("By event.", ref("Previewed"), problems),
                body=some,
            )
        },
    }


def _replays() -> JsonObject:
    """Archived events, sent again."""
    looked = _answers("The replay under way or the last one, and what is archived.", ref("Replays"))
    begun = _answers("It began, or what it would come to.", {"anyOf": [ref("ReplayBegun"), ref("ReplayWeighed")]},
                     ("400", "404", "409", "413"))  # fmt: skip
    found: JsonObject = {
        "/api/replays": {
            "get": operation("replays", "The replay, and the archive", looked),
            "post": operation("replay", "Send archived events again", begun, body=ref("ReplayWish")),
        }
    }
    for turn in ("pause", "resume", "cancel"):
        answers = _answers("It is.", ref("ReplayTurned"), ("404", "409"))
        found[f"/api/replays/{turn}"] = {"post": operation(f"replay_{turn}", f"The replay: {turn}", answers)}
    return found


def _inquiries() -> JsonObject:
    problems = ("400", "404")
    traced = _answers("Where it is.", ref("Trace"), problems)
    in_the_path = in_path("message_id", "The event's messageId.", maxLength=LONGEST_ID)
    forgotten = _answers("Done, or as far as it came.", {"anyOf": [ref("Forgotten"), ref("Lifted")]}, ("400", "413"))
    return {
        "/api/forget": {"post": operation("forget", "Erase what is kept of a person", forgotten, body=ref("Person"))},
        "/api/trace": {
            "get": operation("trace", "Where is this event?", traced, parameters=(_MESSAGE_ID, *_TRACED)),
        },
        "/api/trace/{message_id}": {
            "get": operation("trace_path", "Where is this event?", traced, parameters=(in_the_path, *_TRACED)),
        },
        "/api/incidents": {"get": operation("incidents", "All incidents", _answers("A list.", ref("Incidents")))},
        "/api/incidents/{id}": {
            "get": operation(
                "incident",
                "What `relay report` prints, as figures",
                _answers("The incident.", ref("Incident"), ("404",)),
                parameters=(in_path("id", "Its id, or `latest`."),),
            )
        },
    }
