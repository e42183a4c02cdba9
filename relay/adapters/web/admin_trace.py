"""Why is this event not in TikTok? ``GET /api/trace/{message_id}``, or ``?message_id=`` for ids no path can carry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from relay.adapters.web.admin_answers import Declined, answer, check_destination, iso
from relay.core.archive import Archived
from relay.core.errors import StoreMisused
from relay.core.event import Attempt, DeadLetter, Entry, JsonObject, Worth
from relay.core.trace import Fate, Searched, Trace
from relay.engine.hunt import Wanted

LONGEST_ID = 2000
"""Characters. A longer line of a request is refused by the server itself."""
LATEST_MS = 10**14
LONGEST_SEARCH_S = 50
SEARCH_S = 10
MICROS = 1_000_000
Look = Callable[[Wanted, str], Awaitable[Trace]]


def trace_routes(look: Look, destinations: Sequence[str]) -> list[web.RouteDef]:
    """What to register. ``look`` takes what to look for, and a destination ('' for all)."""

    async def trace(request: web.Request) -> web.Response:
        message_id = request.match_info.get("message_id") or request.query.get("message_id", "")
        if not 0 < len(message_id) <= LONGEST_ID:
            raise Declined(400, "bad_id", f"A message id of 1 to {LONGEST_ID:,} characters is needed.")
        destination = request.query.get("destination", "")
        if destination:
            check_destination(destination, destinations)
        patience_s = whole(request, "seconds", 1, LONGEST_SEARCH_S, SEARCH_S)
        wanted = Wanted(message_id, float(patience_s), whole(request, "since_ms", 0, LATEST_MS, 0))
        try:
            return answer(trace_json(await look(wanted, destination)))
        except StoreMisused as refusal:  # a damaged key
            raise Declined(503, "store_unavailable", f"The store refused to be searched: {refusal}") from None

    return [web.get("/api/trace", trace), web.get(r"/api/trace/{message_id:[\s\S]+}", trace)]


def whole(request: web.Request, name: str, low: int, high: int, usual: int) -> int:
    """A number in the query."""
    text = request.query.get(name, str(usual))
    if not text.isascii() or not text.isdigit() or len(text) > 15 or not low <= int(text) <= high:
        raise Declined(400, f"bad_{name}", f"{name} must be a number from {low:,} to {high:,}.")
    return int(text)


def trace_json(trace: Trace) -> JsonObject:
    """The whole answer. No part of the event itself is in it, but for its name and worth."""
    return {
        "message_id": trace.message_id,
        "seen": trace.seen,
        "destinations": [fate_json(fate) for fate in trace.fates],
        "searched": searched_json(trace.searched),
    }


def searched_json(searched: Searched) -> JsonObject:
    """How much was looked through; ``complete`` false: time ran out, and more may be there."""
    per_million = searched.seconds_per_million
    return {
        "owed": searched.owed,
        "dead_letters": searched.letters,
        "archived": searched.archived,
        "seconds": round(searched.seconds, 3),
        "complete": searched.complete,
        "seconds_per_million": None if per_million is None else round(per_million, 1),
    }


def fate_json(fate: Fate) -> JsonObject:
    """Where the event is for one destination; null where that is before any."""
    return {
        "destination": fate.destination or None,
        "class": fate.klass.value if fate.klass else None,
        "state": fate.place.value,
        "said": fate.said,
        "next": fate.next,
        "owed": owed_json(fate, fate.entry) if fate.entry else None,
        "dead_letter": letter_part(fate.letter) if fate.letter else None,
        "archived": archived_json(fate.archived) if fate.archived else None,
        "accepted_between": [iso(at_ms) for at_ms in fate.accepted_ms] if fate.accepted_ms else None,
        "calls_made": fate.calls_made,
        "calls": [call_json(call) for call in fate.calls],
    }


def owed_json(fate: Fate, entry: Entry) -> JsonObject:
    """The owed entry. ``behind``: entries of its class before it, null: not counted; no ``leased_until``: not held."""
    standing = fate.standing
    return {
        "id": entry.id,
        "lane": standing.lane.value if standing else None,
        "received_at": iso(entry.received_ms),
        "behind": fate.behind,
        "leased_until": iso(standing.due_ms) if standing and standing.leased else None,
        "limit_at": iso(fate.limit_ms),
        **worth_json(entry.worth),
        "accepted": list(entry.accepted),
        "in_doubt_since": iso(entry.first_ms),
        "released": entry.released,
    }


def letter_part(letter: DeadLetter) -> JsonObject:
    """The dead letter, without its event."""
    return {
        "id": letter.id,
        "reason": letter.reason,
        "message": letter.message,
        "code": letter.code,
        "request_id": letter.request_id,
        "died_at": iso(letter.died_ms),
        "received_at": iso(letter.received_ms),
        "in_doubt_since": iso(letter.first_ms),
        **worth_json(letter.worth),
        "accepted": list(letter.accepted),
    }


def archived_json(event: Archived) -> JsonObject:
    """What is archived of it, without the event."""
    return {
        "id": event.id,
        "received_at": iso(event.received_ms),
        "ended_at": iso(event.ended_ms),
        "delivered": event.delivered,
        "in_doubt_since": iso(event.first_ms),
        "accepted": [],
        **worth_json(event.worth),
    }


def call_json(call: Attempt) -> JsonObject:
    """One call. ``certain`` false: it carried some of the entries around this one, perhaps not this."""
    return {
        "at": iso(call.at_ms),
        "verdict": call.verdict,
        "code": call.label,
        "items": call.items,
        "request_id": call.request_id,
        "log_id": call.log_id,
        "lease": call.number,
        "certain": call.whole,
    }


def worth_json(worth: Worth) -> JsonObject:
    """Value in units of its currency; null when it is worth nothing to the books."""
    return {"value": worth.micros / MICROS if worth.micros else None, "currency": worth.currency or None}
