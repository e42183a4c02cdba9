"""From decoded events to a receipt: select, append, tell (design section 4.1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import islice
from typing import NamedTuple

from relay.core.archive import FILTERED
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import Event, NewEntry, Reject
from relay.core.notices import ArchiveMissed, EventsReceived, Outcome, Why, WorthIgnored
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.decode import Misfit
from relay.core.segment.people import deleted
from relay.core.segment.select import Route, keepable, select
from relay.core.segment.timing import received_at
from relay.core.segment.worth import appraise
from relay.engine.append import MAX_ENTRIES, Appender
from relay.engine.passed_over import PassedOver
from relay.engine.suppression import Nobody, Suppression
from relay.ports import Clock, Tell

LONG_S = 0.005
"""Seconds of searching after which other requests get their turn."""

Tally = dict[tuple[Outcome, Why], int]  # events by outcome and reason


class Receipt(NamedTuple):
    """What became of the events of a request. ``refused`` says why when not one of its items was an event."""

    accepted: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead: int = 0
    refused: Why = Why.NONE


RECEIPTS = {
    Outcome.ACCEPTED: Receipt(accepted=1),
    Outcome.DUPLICATE: Receipt(duplicate=1),
    Outcome.FILTERED: Receipt(filtered=1),
}


class Door(NamedTuple):
    """Where and when a request came in. ``sdk``: straight from an SDK, not through a Segment webhook.

    ``archive``: Segment received its events some time ago, and may have delivered them then.
    """

    source: str
    sdk: bool
    received_ms: int
    archive: bool = False

    def received(self, event: Event) -> int:
        """When its clocks began to run, in epoch milliseconds."""
        return received_at(event.body, self.received_ms) if self.archive else self.received_ms


class Intake:
    """Gives every event of a request to the destinations that want it, and answers when all of it is durable."""

    def __init__(
        self,
        appender: Appender,
        routes: Callable[[str], Sequence[Route]],
        clock: Clock,
        tell: Tell,
        categories: frozenset[str] = ADVERTISING,
        archives: Callable[[], bool] | None = None,
        suppression: Suppression | None = None,
    ) -> None:
        """``routes``: the destinations that are asked for the events of a source.

        ``archives`` says whether what no subscription wants is kept; None: it never is.
        ``suppression``: whose events are refused, and who comes to that by a ``delete`` call; None: nobody.
        """
        self._appender = appender
        self._routes = routes
        self._clock = clock
        self._tell = tell
        self._categories = categories
        self._archives = archives
        self._suppression = suppression or Suppression(Nobody(), clock, tell)
        self.passed_over = PassedOver()

    def receive(
        self,
        decoded: Collection[Event | Misfit],
        source: str,
        sdk: bool,  # noqa: FBT001 - which of two doors
        started: float | None = None,
    ) -> Awaitable[Receipt]:
        """Store what is wanted of ``decoded``; ``started`` (monotonic seconds) is when the request began.

        To be awaited. StoreUnavailable or StoreMisused when any of it could not be stored: the sender has all of it.
        """
        started = self._clock.monotonic() if started is None else started
        if len(decoded) == 1:
            only = next(iter(decoded))
            if type(only) is Event:
                return self.receive_event(only, source, sdk, started)
        return self._receive_all(decoded, Door(source, sdk, self._clock.now_ms()), started)

    def backfill(self, decoded: Collection[Event | Misfit], source: str) -> Awaitable[Receipt]:
        """``receive`` for events out of an archive: each was received when it says that Segment received it.

        Otherwise a purchase of last week would pass for one of today, and be sent a second time after TikTok's
        deduplication is over.
        """
        door = Door(source, sdk=False, received_ms=self._clock.now_ms(), archive=True)
        return self._receive_all(decoded, door, self._clock.monotonic())

    def receive_event(
        self,
        event: Event,
        source: str,
        sdk: bool,  # noqa: FBT001 - which of two doors
        started: float,
    ) -> Awaitable[Receipt]:
        """``receive`` for a request with one event, as most are: without lists of parts and tallies of one.

        Sorted before anything waits: what waits is the entry with its bytes, and the parsed tree, ten times as large,
        is free for the next request while it is still in the processor's cache.
        """
        received_ms = self._clock.now_ms()
        entries, why = self._sort(event, source, sdk, received_ms)
        if why is Why.DELETE_CALL and not sdk:
            return self._suppress_one(event, source, received_ms, started)
        if why and self._archives and self._archives():
            kept = self._for_archive(event, why, Door(source, sdk, received_ms))
            return self._archive_one(kept, why, source, started)
        return self._store_one(entries, why, source, started)

    async def _store_one(self, entries: list[NewEntry], why: Why, source: str, started: float) -> Receipt:
        outcome = Outcome.FILTERED
        try:
            if entries:
                flags = await self._appender.submit(entries)
                outcome = Outcome.ACCEPTED if True in flags else Outcome.DUPLICATE
        except (StoreUnavailable, StoreMisused) as error:
            self._tell(EventsReceived(source, Outcome.DEFERRED, 1, _blame(error), self._clock.monotonic() - started))
            raise
        self._tell(EventsReceived(source, outcome, 1, why, self._clock.monotonic() - started))
        return RECEIPTS[outcome]

    async def _suppress_one(self, event: Event, source: str, received_ms: int, started: float) -> Receipt:
        """A ``delete`` call is received when nobody can forget it any more.

        It was asked for when it says so: a copy of it that comes after its person was taken off the list is void.
        """
        people = deleted(event.body)
        try:
            await self._suppression.add(people, dict.fromkeys(people, received_at(event.body, received_ms)))
        except (StoreUnavailable, StoreMisused) as error:
            self._tell(EventsReceived(source, Outcome.DEFERRED, 1, _blame(error), self._clock.monotonic() - started))
            raise
        return await self._store_one([], Why.DELETE_CALL, source, started)

    async def _archive_one(self, kept: list[NewEntry], why: Why, source: str, started: float) -> Receipt:
        """A filtered event: whether it could be archived is no concern of its sender."""
        await self._archive(kept)
        return await self._store_one([], why, source, started)

    async def _archive(self, kept: Sequence[NewEntry]) -> None:
        if not kept:
            return
        try:
            await self._appender.submit(kept)
        except (StoreUnavailable, StoreMisused):
            self._tell(ArchiveMissed(len(kept)))

    def _for_archive(self, event: Event, why: Why, door: Door) -> list[NewEntry]:
        """A filtered event on its way into the archive; none that its sender or the visitor refused to have sent."""
        routes = self._routes(door.source)
        if not keepable(event.body, why, routes, door.sdk, self._categories) or self._suppression.refuses(event.body):
            return []
        return [NewEntry(FILTERED, event.id, event.raw, door.received(event), door.source)]

    async def _receive_all(self, decoded: Collection[Event | Misfit], door: Door, started: float) -> Receipt:
        tally: Tally = {}
        try:
            await self._take(decoded, door, tally)
        except (StoreUnavailable, StoreMisused) as error:
            self._report({(Outcome.DEFERRED, _blame(error)): len(decoded)}, door.source, started)
            raise
        self._report(tally, door.source, started)
        return _receipt(tally)

    async def _take(self, decoded: Collection[Event | Misfit], door: Door, tally: Tally) -> None:
        """Part by part, so that one huge batch neither blocks the loop nor has to fit the memory twice."""
        kept: Counter[Why] = Counter()
        events = False
        rest = iter(decoded)
        while part := list(islice(rest, MAX_ENTRIES)):
            misfits = await self._storable([item for item in part if type(item) is Misfit], tally)
            wanted = [item for item in part if type(item) is Event]
            await self._store(wanted, misfits, door, tally)
            events = events or bool(wanted)
            kept.update(misfit.why for misfit in misfits)
            if len(part) == MAX_ENTRIES:
                await asyncio.sleep(0)
        # A request without any event is refused, so that its sender is told; its items are kept all the same, because
        # nobody sends them again, and whoever mends the sender's mapping can see what it sent.
        for why, count in kept.items():
            tally[Outcome.DEAD if events else Outcome.REFUSED, why] = count

    async def _storable(self, misfits: Sequence[Misfit], tally: Tally) -> list[Misfit]:
        """Without what names somebody on the list: it would lie in the dead letters, readable."""
        kept: list[Misfit] = []
        rested = self._clock.monotonic()
        for misfit in misfits:
            if self._suppression.refuses_raw(misfit.raw, loose=True):
                _count(tally, Outcome.FILTERED, Why.SUPPRESSED)
            else:
                kept.append(misfit)
            if self._clock.monotonic() - rested > LONG_S:  # a large one takes that long by itself
                await asyncio.sleep(0)
                rested = self._clock.monotonic()
        return kept

    async def _store(self, events: Sequence[Event], misfits: Sequence[Misfit], door: Door, tally: Tally) -> None:
        entries: list[NewEntry] = []
        owners: list[int] = []  # how many entries each wanted event has
        kept: list[NewEntry] = []
        archives = bool(self._archives and self._archives())
        people: dict[str, int] = {}  # of ``delete`` calls; anybody can make one with the write key of a web page
        for event in events:
            owned, why = self._sort(event, door.source, door.sdk, door.received(event))
            if owned:
                entries += owned
                owners.append(len(owned))
            else:
                _count(tally, Outcome.FILTERED, why)
                kept += self._for_archive(event, why, door) if archives else ()
                if why is Why.DELETE_CALL and not door.sdk:
                    people |= dict.fromkeys(deleted(event.body), received_at(event.body, door.received_ms))
        await self._suppression.add(list(people), people)
        rejects = [Reject(door.source, misfit.why.value, misfit.raw, door.received_ms) for misfit in misfits]
        flags = await self._appender.submit(entries, rejects) if entries or rejects else ()
        await self._archive(kept)
        place = 0
        for count in owners:
            fresh = any(flags[place : place + count])
            _count(tally, Outcome.ACCEPTED if fresh else Outcome.DUPLICATE, Why.NONE)
            place += count

    def _sort(
        self,
        event: Event,
        source: str,
        sdk: bool,  # noqa: FBT001 - which of two doors
        received_ms: int,
    ) -> tuple[list[NewEntry], Why]:
        """One entry per destination that wants ``event``; without any, why."""
        event_id, body, raw = event
        wanted, why = select(body, self._routes(source), sdk, self._categories)
        if wanted and self._suppression.refuses(body):
            wanted, why = [], Why.SUPPRESSED
        if not wanted:
            self.passed_over.note(event_id, why, received_ms)
            return [], why
        worth, odd = appraise(body)
        if odd:
            self._tell(WorthIgnored(source))
        return [NewEntry(stream, event_id, raw, received_ms, source, worth) for stream in wanted], why

    def _report(self, tally: Tally, source: str, started: float) -> None:
        seconds: float | None = self._clock.monotonic() - started
        for (outcome, why), count in tally.items():
            self._tell(EventsReceived(source, outcome, count, why, seconds))
            seconds = None  # the time of a request is told once


def _blame(error: StoreUnavailable | StoreMisused) -> Why:
    overloaded = isinstance(error, StoreUnavailable) and error.trouble is StoreTrouble.OVERLOADED
    return Why.OVERLOADED if overloaded else Why.STORE


def _count(tally: Tally, outcome: Outcome, why: Why) -> None:
    tally[outcome, why] = tally.get((outcome, why), 0) + 1


def _receipt(tally: Tally) -> Receipt:
    met = dict.fromkeys(Outcome, 0)
    refused = Why.NONE
    for (outcome, why), count in tally.items():
        met[outcome] += count
        if outcome is Outcome.REFUSED:
            refused = why
    return Receipt(met[Outcome.ACCEPTED], met[Outcome.DUPLICATE], met[Outcome.FILTERED], met[Outcome.DEAD], refused)
