"""Dead letters over HTTP: list, show, requeue, discard."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Sequence

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.adapters.web.admin_answers import Declined, answer, iso, parsed
from relay.core.event import DeadLetter, DeadReason, JsonObject
from relay.core.notices import DeadLettersMoved
from relay.ports import Clock, DeadLetters, Tell

INTAKE = "-"  # destination of the intake's own dead letters
PAGE = 500
MOST_PER_CALL = 10_000  # a longer move is several calls, so that no request runs for minutes
MAY_DOUBLE = frozenset({DeadReason.OVERLAP, DeadReason.AMBIGUOUS})  # TikTok may have these and would count them again
Mover = Callable[[str, Sequence[DeadLetter]], Awaitable[int]]
STREAM_ID = re.compile(r"\d{1,20}-\d{1,20}")
MICROS = 1_000_000


class Selection(BaseModel):
    """Which letters to move: ids, or all (of one reason) that were there when the first call came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[str, ...] = Field((), max_length=1000)
    all: bool = False
    reason: str = ""
    accept_doubling: bool = False
    after: str = ""  # continue a long move: "next" of the last answer
    until_ms: int | None = None  # same: "until_ms" of the first answer


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
            web.get(one + "/{id}", self._show),
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
            raise Declined(404, "unknown_letter", f"{destination} has no dead letter {request.match_info['id']}.")
        return answer(letter_json(letter, whole=True))

    async def _requeue(self, request: web.Request) -> web.Response:
        destination = self._destination(request.match_info["destination"])
        if destination == INTAKE:
            raise Declined(409, "not_requeueable", "What intake rejected is no event; correct it and send it again.")
        return await self._move(destination, await selection(request), "requeue", self._owe_again)

    async def _discard(self, request: web.Request) -> web.Response:
        destination = self._destination(request.match_info["destination"])
        return await self._move(destination, await selection(request), "discard", self._give_up)

    async def _owe_again(self, destination: str, letters: Sequence[DeadLetter]) -> int:
        """Those TikTok may have only come here when their doubling is accepted: the same clock must let them pass."""
        released = [letter.id for letter in letters if letter.reason in MAY_DOUBLE]
        others = [letter.id for letter in letters if letter.reason not in MAY_DOUBLE]
        moved = await self._letters.requeue(destination, others) if others else 0
        return moved + (await self._letters.requeue(destination, released, released=True) if released else 0)

    async def _give_up(self, destination: str, letters: Sequence[DeadLetter]) -> int:
        return await self._letters.discard(destination, [letter.id for letter in letters])

    async def _move(
        self,
        destination: str,
        chosen: Selection,
        action: str,
        mover: Mover,
    ) -> web.Response:
        known_reason(destination, chosen.reason)
        held_back = frozenset[DeadReason]() if action == "discard" or chosen.accept_doubling else MAY_DOUBLE
        until_ms = self._clock.now_ms() if chosen.until_ms is None else chosen.until_ms
        report: JsonObject = {"held_back": 0, "next": None, "until_ms": until_ms}
        if chosen.all:
            moved = await self._move_all(destination, chosen, mover, held_back, report)
        else:
            moved = await mover(destination, await self._named(destination, chosen.ids, held_back))
        if moved:
            self._tell(DeadLettersMoved(destination, action, moved))
        return answer({"moved": moved, **report})

    async def _move_all(
        self,
        destination: str,
        chosen: Selection,
        mover: Mover,
        held_back: frozenset[DeadReason],
        report: JsonObject,
    ) -> int:
        """Page by page. What dies while this runs (a requeued letter, say) stays: its moment is after ``until_ms``."""
        moved, after = 0, stream_id(chosen.after)
        for _ in range(MOST_PER_CALL // PAGE):
            page = await self._letters.list(destination, after=after, limit=PAGE, reason=chosen.reason)
            old = [letter for letter in page if letter.died_ms <= report["until_ms"]]
            free = [letter for letter in old if letter.reason not in held_back]
            report["held_back"] += len(old) - len(free)
            moved += await mover(destination, free) if free else 0
            if len(old) < PAGE:
                return moved
            after = old[-1].id
        report["next"] = after
        return moved

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
        if name not in self._known:
            known = ", ".join(sorted(self._known))
            raise Declined(404, "unknown_destination", f"There is no destination {name!r}; there are: {known}.")
        return name


async def selection(request: web.Request) -> Selection:
    """The body of a move."""
    try:
        chosen = Selection.model_validate(parsed(await request.read()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise Declined(400, "bad_shape", f"{where}: {first['msg']}") from None
    if chosen.all == bool(chosen.ids):
        raise Declined(400, "bad_shape", 'Give either "ids" or "all": true.')
    return chosen


def stream_id(text: str) -> str:
    """A letter's id as the store writes it; '' stays ''."""
    if text and not STREAM_ID.fullmatch(text):
        raise Declined(404, "unknown_letter", f"{text!r} is not the id of a dead letter.")
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
        "event": known.get("event") or known.get("type"),
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
