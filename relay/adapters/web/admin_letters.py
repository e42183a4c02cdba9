"""Dead letters over HTTP: list, show, requeue, discard."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import orjson
from aiohttp import web

from relay.adapters.web.admin_answers import Declined, answer, check_destination, iso
from relay.adapters.web.letter_moves import MAY_DOUBLE, MICROS, Amounts, Selection, selection
from relay.core.event import DeadLetter, DeadReason, JsonObject
from relay.core.replay import event_name
from relay.ports import Clock, DeadLetters, Tell

INTAKE = "-"  # destination of the intake's own dead letters
PAGE = 500
MOST_PER_CALL = 10_000  # a longer move is several calls, so that no request runs for minutes
Mover = Callable[..., Awaitable[None]]
STREAM_ID = re.compile(r"\d{1,20}-\d{1,20}")


class LetterRoutes:
    """Handlers over the DeadLetters port."""

    def __init__(self, letters: DeadLetters, destinations: Sequence[str], clock: Clock, tell: Tell) -> None:
        self._letters, self._clock, self._tell = letters, clock, tell
        self._known = frozenset((*destinations, INTAKE))

    def routes(self) -> list[web.RouteDef]:
        """What to register."""
        one = "/api/dead-letters/{destination}"
        return [
            web.get("/api/dead-letters", self._list),
            web.get(one + "/{id:(?!(?:requeue|discard)$)[^/]+}", self._show),
            web.post(one + "/requeue", self._requeue),
            web.post(one + "/discard", self._discard),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        destination = self._destination(query.get("destination", ""))
        after, reason = stream_id(query.get("after", "")), known_reason(destination, query.get("reason", ""))
        limit = page_size(query.get("limit", "100"))
        found = await self._letters.list(destination, after=after, limit=limit, reason=reason)
        letters = [letter_json(letter, whole=query.get("whole") == "1") for letter in found]
        return answer({"letters": letters, "next": found[-1].id if len(found) == limit else None})

    async def _show(self, request: web.Request) -> web.Response:
        destination = self._destination(request.match_info["destination"])
        letter = await self._letters.get(destination, stream_id(request.match_info["id"]))
        if letter is None:
            raise Declined(404, "unknown_letter", f"{destination} has no dead letter of that id.")
        return answer(letter_json(letter, whole=True))

    async def _requeue(self, request: web.Request) -> web.Response:
        destination = self._destination(request.match_info["destination"])
        if destination == INTAKE:
            raise Declined(409, "not_requeueable", "What intake rejected is no event; correct it and send it again.")
        return await self._move(destination, await selection(request), self._owe_again)

    async def _discard(self, request: web.Request) -> web.Response:
        destination = self._destination(request.match_info["destination"])
        return await self._move(destination, await selection(request), self._give_up)

    async def _owe_again(self, destination: str, letters: Sequence[DeadLetter], amounts: Amounts, *, dry: bool) -> None:
        """Those TikTok may have only come here when their doubling is accepted: the same clock must let them pass."""
        for action in ("requeue", "release"):
            released = action == "release"
            some = [letter for letter in letters if (letter.reason in MAY_DOUBLE) is released]
            if some:
                ids = [letter.id for letter in some]
                moved = len(ids) if dry else await self._letters.requeue(destination, ids, released=released)
                amounts.add(action, moved, some)

    async def _give_up(self, destination: str, letters: Sequence[DeadLetter], amounts: Amounts, *, dry: bool) -> None:
        ids = [letter.id for letter in letters]
        amounts.add("discard", len(ids) if dry else await self._letters.discard(destination, ids), letters)

    async def _move(self, destination: str, chosen: Selection, mover: Mover) -> web.Response:
        known_reason(destination, chosen.reason)
        held_back = MAY_DOUBLE if mover == self._owe_again and not chosen.accept_doubling else frozenset()
        until_ms = self._clock.now_ms() if chosen.until_ms is None else chosen.until_ms
        report: JsonObject = {"held_back": 0, "next": None, "until_ms": until_ms}
        amounts = Amounts()
        if chosen.all:
            await self._move_all(destination, chosen, partial(mover, amounts=amounts), held_back, report)
        elif named := await self._named(destination, chosen.ids, held_back):
            await mover(destination, named, amounts, dry=chosen.dry_run)
        if not chosen.dry_run:
            for notice in amounts.notices(destination, chosen):
                self._tell(notice)
        return answer({**amounts.json(), "dry_run": chosen.dry_run, **report})

    async def _move_all(
        self,
        destination: str,
        chosen: Selection,
        mover: Callable[..., Awaitable[None]],
        held_back: frozenset[DeadReason],
        report: JsonObject,
    ) -> None:
        """Page by page. What dies while this runs (a requeued letter, say) stays: its moment is after ``until_ms``."""
        after = stream_id(chosen.after)
        for _ in range(MOST_PER_CALL // PAGE):
            page = await self._letters.list(destination, after=after, limit=PAGE, reason=chosen.reason)
            old = [letter for letter in page if letter.died_ms <= report["until_ms"]]
            wanted = [letter for letter in old if chosen.fits(letter)] if chosen.filtered else old
            free = [letter for letter in wanted if letter.reason not in held_back]
            report["held_back"] += len(wanted) - len(free)
            if free:
                await mover(destination, free, dry=chosen.dry_run)
            if len(old) < PAGE:
                return
            after = old[-1].id
        report["next"] = after

    async def _named(
        self, destination: str, ids: Sequence[str], held_back: frozenset[DeadReason]
    ) -> Sequence[DeadLetter]:
        """The letters of these ids that there are; declined when one of them is held back."""
        found = [await self._letters.get(destination, stream_id(letter_id)) for letter_id in dict.fromkeys(ids)]
        letters = [letter for letter in found if letter is not None]
        risky = [letter.id for letter in letters if letter.reason in held_back]
        if risky:
            text = "TikTok may have these already and would count them again; accept_doubling sends them all the same."
            raise Declined(409, "may_double", text, ids=risky)
        return letters

    def _destination(self, name: str) -> str:
        check_destination(name, sorted(self._known))
        return name


def stream_id(text: str) -> str:
    """A letter's id as the store writes it; '' stays ''."""
    if text and not STREAM_ID.fullmatch(text):
        raise Declined(404, "unknown_letter", "That is not the id of a dead letter.")
    return text


def known_reason(destination: str, reason: str) -> str:
    """A reason letters of this destination can have; the intake's own are open."""
    if reason and destination != INTAKE and reason not in frozenset(DeadReason):
        raise Declined(400, "unknown_reason", f"No such reason; there are: {', '.join(DeadReason)}.")
    return reason


def page_size(text: str) -> int:
    """How many letters to list: 1 … 1,000."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise Declined(400, "bad_limit", "limit must be a number from 1 to 1000.")
    return int(text)


def letter_json(letter: DeadLetter, *, whole: bool) -> JsonObject:
    """A letter for people and scripts; the event itself (personal data) only when the ``whole`` letter is asked for."""
    event = decoded(letter.raw)
    known = event if isinstance(event, dict) else {}
    document: JsonObject = {
        "id": letter.id,
        "destination": letter.destination,
        "class": letter.klass.value if letter.klass else None,
        "reason": letter.reason,
        "message": letter.message,
        "code": letter.code,
        "request_id": letter.request_id,
        "died_at": iso(letter.died_ms),
        "received_at": iso(letter.received_ms),
        "first_claimed_at": iso(letter.first_ms),
        "source": letter.source,
        "value": letter.worth.micros / MICROS if letter.worth.currency else None,
        "currency": letter.worth.currency or None,
        "accepted": list(letter.accepted),
        "event": event_name(known),
        "message_id": known.get("messageId"),
    }
    if whole:
        document["raw"] = event
    return document


def decoded(raw: bytes) -> object:
    """The stored event; what is not JSON comes as ``{"base64": …}`` so that nothing is lost."""
    try:
        return orjson.loads(raw)
    except ValueError:
        return {"base64": base64.b64encode(raw).decode("ascii")}
