"""Which dead letters a move is about, and what it amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.adapters.web.admin_answers import Declined, iso, misshapen, parsed
from relay.core.event import DeadLetter, DeadReason, JsonObject
from relay.core.notices import DeadLettersMoved
from relay.core.replay import event_name

MAY_DOUBLE = frozenset({DeadReason.OVERLAP, DeadReason.AMBIGUOUS})  # TikTok may have these and would count them again
MICROS = 1_000_000


class Selection(BaseModel):
    """Which letters to move: ids, or all that were there when the first call came and that pass the filter.

    The filter: reason, name of the event, time of receipt (from, and before). ``dry_run`` only counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[str, ...] = Field((), max_length=1000)
    all: bool = False
    reason: str = ""
    event: str = ""
    received_since_ms: int | None = None
    received_until_ms: int | None = None
    accept_doubling: bool = False
    dry_run: bool = False
    after: str = ""  # continue a long move: "next" of the last answer
    until_ms: int | None = None  # same: "until_ms" of the first answer

    @property
    def filtered(self) -> bool:
        """Whether anything but the reason narrows it."""
        return bool(self.event) or self.received_since_ms is not None or self.received_until_ms is not None

    def fits(self, letter: DeadLetter) -> bool:
        """Whether a letter passes the filter; the reason is the store's business."""
        if self.received_since_ms is not None and letter.received_ms < self.received_since_ms:
            return False
        if self.received_until_ms is not None and letter.received_ms >= self.received_until_ms:
            return False
        return not self.event or event_name(decoded_event(letter.raw)) == self.event

    @property
    def words(self) -> str:
        """For the audit: by what they were chosen."""
        if self.ids:
            return f"{len(self.ids)} by id"
        parts = {
            "reason": self.reason,
            "event": self.event,
            "since": iso(self.received_since_ms),
            "until": iso(self.received_until_ms),
        }
        return " ".join(["all", *(f"{name}={value}" for name, value in parts.items() if value)])


class Amounts:
    """What a move comes to, by action: letters, and their value by currency."""

    def __init__(self) -> None:
        self.moved: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._micros: dict[str, Counter[str]] = {}

    def add(self, action: str, moved: int, letters: Sequence[DeadLetter]) -> None:
        """Some of ``letters`` were moved, as a rule all."""
        self.moved[action] += moved
        micros = self._micros.setdefault(action, Counter())
        for letter in letters:
            self.reasons[letter.reason] += 1
            if letter.worth.micros:
                micros[letter.worth.currency] += letter.worth.micros

    def json(self) -> JsonObject:
        """Totals for the answer."""
        total = Counter[str]()
        for micros in self._micros.values():
            total.update(micros)
        return {"moved": self.moved.total(), "value": units(total), "reasons": dict(self.reasons)}

    def notices(self, destination: str, chosen: Selection) -> Iterator[DeadLettersMoved]:
        """The audit: one for each action that moved anything."""
        for action, count in self.moved.items():
            if count:
                yield DeadLettersMoved(destination, action, count, chosen.words, units(self._micros[action]))


def units(micros: Counter[str]) -> dict[str, float]:
    """Micro-units as units of their currencies."""
    return {currency: amount / MICROS for currency, amount in sorted(micros.items())}


async def selection(request: web.Request) -> Selection:
    """The body of a move."""
    try:
        chosen = Selection.model_validate(parsed(await request.read()))
    except ValidationError as error:
        raise misshapen(error, Selection.model_fields) from None
    if chosen.all == bool(chosen.ids):
        raise Declined(400, "bad_shape", 'Give either "ids" or "all": true.')
    if chosen.ids and (chosen.reason or chosen.filtered):
        raise Declined(400, "bad_shape", 'A filter goes with "all": true.')
    return chosen


def decoded_event(raw: bytes) -> JsonObject:
    """The stored event, {} when it is none."""
    try:
        event = orjson.loads(raw)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
