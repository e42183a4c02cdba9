"""Forgetting a person: refuse what comes, then go through everything that is kept and erase what names them.

Bounded and resumable: a call works for a few seconds and says where the next goes on, so nothing about the person has
to be remembered in between. Owed comes first, dead letters next, the archive last: an entry that moves on meanwhile is
met where it went, and what is owed again is stopped by the list of the suppressed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from relay.core.delivery.account import POISON, decode
from relay.core.erasure import Erased, Kept, Place, Swept
from relay.core.event import INTAKE, StreamKey
from relay.core.notices import EntriesForgotten, RecordsErased
from relay.core.segment.seeker import Seeker
from relay.engine.suppression import Suppression
from relay.ports import Clock, Erasure, Tell

PAGE = 250
REST = 1.0
"""After a page it rests as long as the page took: delivery goes on beside it."""


class BadCursor(ValueError):
    """A cursor that no call gave out."""


@dataclass(slots=True)
class Tally:
    """What one call has done so far."""

    looked: int = 0
    leased: int = 0
    unreadable: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, place: Place, swept: Swept) -> None:
        """Count a page."""
        self.looked += swept.looked
        self.leased += swept.leased
        self.unreadable += swept.unreadable
        self.found[place.kept.value] += swept.erased


class Eraser:
    """Erases one person at a time; several at once do not disturb each other."""

    def __init__(
        self,
        erasure: Erasure,
        suppression: Suppression,
        clock: Clock,
        tell: Tell,
        erased: Callable[[], None] = lambda: None,
    ) -> None:
        """``erased`` is called when all has been gone through, so that what is gone may leave the disk as well."""
        self._erasure, self._suppression, self._clock, self._tell = erasure, suppression, clock, tell
        self._erased = erased

    async def erase(
        self, names: Sequence[str], cursor: str = "", *, suppress: bool = True, dry: bool = False, seconds: float = 3.0
    ) -> Erased:
        """Go on from ``cursor`` for about so many seconds. Raises BadCursor, StoreUnavailable or StoreMisused."""
        if suppress and not dry and not cursor:
            await self._suppression.add(names)
        seeker = Seeker(names)
        return await self._go_on(lambda place: _wanted_in(place, seeker), cursor, dry=dry, seconds=seconds)

    async def sweep(self, cursor: str = "", *, seconds: float = 1.0) -> Erased:
        """Erase what is kept of everybody on the list. As ``erase``."""

        def wanted(place: Place) -> Callable[[bytes], bool]:
            return partial(self._suppression.refuses_raw, loose=_loose(place))

        return await self._go_on(wanted, cursor, dry=False, seconds=seconds)

    async def lift(self, names: Sequence[str]) -> None:
        """Refuse these names no more. What was erased stays erased."""
        await self._suppression.lift(names)

    async def _go_on(
        self, wanted: Callable[[Place], Callable[[bytes], bool]], cursor: str, *, dry: bool, seconds: float
    ) -> Erased:
        began, tally = self._clock.monotonic(), Tally()
        places = await self._erasure.places()
        at, after = _position(cursor, places)
        while at < len(places):
            place = places[at]
            page_began = self._clock.monotonic()
            swept = await self._erasure.sweep(place, wanted(place), after=after, limit=PAGE, dry=dry)
            tally.add(place, swept)
            if not dry:
                self._tell_of(place, swept)
            at, after = (at, swept.last_id) if swept.looked == PAGE else (at + 1, "")
            if self._clock.monotonic() - began >= seconds:
                break
            await self._clock.sleep(REST * (self._clock.monotonic() - page_began))
        goes_on = f"{places[at].name}/{after}" if at < len(places) else ""
        if not goes_on and not dry:
            self._erased()
        total = sum(place.length for place in places)
        found = {kept.value: tally.found[kept.value] for kept in Kept}
        spent = self._clock.monotonic() - began
        return Erased(goes_on, tally.looked, total, found, tally.leased, tally.unreadable, spent)

    def _tell_of(self, place: Place, swept: Swept) -> None:
        if not swept.erased:
            return
        if place.kept is Kept.OWED and place.klass is not None:
            self._tell(EntriesForgotten(StreamKey(place.destination, place.klass), swept.erased))
        else:
            self._tell(RecordsErased(place.destination, place.kept.value, swept.erased))


def _loose(place: Place) -> bool:
    """Whether what lies there is no event: nobody knows where it names its people."""
    return place.kept is Kept.LETTERS and place.destination == INTAKE


def _wanted_in(place: Place, seeker: Seeker) -> Callable[[bytes], bool]:
    loose = _loose(place)

    def wanted(raw: bytes) -> bool:
        if not seeker.may_be_in(raw):
            return False
        try:
            value = decode(raw)
        except POISON:
            return seeker.quoted_in(raw)
        if isinstance(value, dict) and not loose:
            return seeker.named_in(value)
        return seeker.held_in(value)

    return wanted


def _position(cursor: str, places: Sequence[Place]) -> tuple[int, str]:
    """Which place, and after which id there."""
    if not cursor:
        return 0, ""
    name, _, after = cursor.partition("/")
    ms, _, seq = after.partition("-")
    if after and not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in (ms, seq)):
        raise BadCursor(cursor)
    for at, place in enumerate(places):
        if place.name == name:
            return at, after
    raise BadCursor(cursor)
