"""``POST /api/forget``: erase a person's data, in as many calls as it takes. Who it is stands in the body only."""

from __future__ import annotations

from aiohttp import web

from relay.adapters.web.admin_answers import Declined, answer, parsed
from relay.core.errors import StoreMisused
from relay.core.event import JsonObject
from relay.core.segment.people import names_of
from relay.engine.eraser import BadCursor, Eraser

PEOPLE = ("user_id", "anonymous_id", "email")
FLAGS = {"suppress": True, "dry_run": False, "lift": False}
KNOWN = frozenset((*PEOPLE, *FLAGS, "cursor"))
LONGEST = 2000  # characters of an identifier


def forget_routes(eraser: Eraser) -> list[web.RouteDef]:
    """What to register."""

    async def forget(request: web.Request) -> web.Response:
        asked = parsed(await request.read())
        if asked.keys() - KNOWN:
            text = "A member is unknown, and no erasure goes by guesses; there are:"
            raise Declined(400, "bad_shape", f"{text} {', '.join(sorted(KNOWN))}.")
        names, flags = names_in(asked), flags_in(asked)
        try:
            if flags["lift"]:
                await eraser.lift(names)
                return answer({"success": True, "lifted": True})
            return answer(await erased(eraser, names, flags, asked.get("cursor") or ""))
        except StoreMisused as refusal:
            raise Declined(503, "store_unavailable", f"The store refused that: {refusal}") from None

    return [web.post("/api/forget", forget)]


async def erased(eraser: Eraser, names: tuple[str, ...], flags: dict[str, bool], cursor: object) -> JsonObject:
    """One call's worth of searching and erasing."""
    if not isinstance(cursor, str):
        raise Declined(400, "bad_cursor", "The cursor must be the text that the call before gave as `next`.")
    try:
        done = await eraser.erase(names, cursor, suppress=flags["suppress"], dry=flags["dry_run"])
    except BadCursor:
        raise Declined(400, "bad_cursor", "The cursor must be the text that the call before gave as `next`.") from None
    return {
        "success": True,
        **done.found,
        "leased": done.leased,
        "unreadable": done.unreadable,
        "looked_at": done.looked,
        "total": done.total,
        "seconds": round(done.seconds, 3),
        "suppressed": flags["suppress"] and not flags["dry_run"],
        "dry_run": flags["dry_run"],
        "next": done.cursor or None,
    }


def names_in(asked: JsonObject) -> tuple[str, ...]:
    """By what the person is known. What was given is never repeated in an answer."""
    given = {name: asked[name] for name in PEOPLE if asked.get(name) not in (None, "")}
    if not given:
        raise Declined(400, "nobody", 'Say who: {"user_id": …}, {"anonymous_id": …} or {"email": …}, or several.')
    for name, value in given.items():
        if not isinstance(value, str) or len(value) > LONGEST:
            raise Declined(400, "bad_person", f"{name} must be a text of at most {LONGEST} characters.")
    return names_of(**given)


def flags_in(asked: JsonObject) -> dict[str, bool]:
    """The switches, each true or false."""
    flags = {name: asked.get(name, default) for name, default in FLAGS.items()}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise Declined(400, "bad_shape", f"{name} must be true or false.")
    return flags
