"""Why is this event not in TikTok? Looks an id up everywhere, and asks the gate what happens next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from relay.core.archive import FILTERED, Archived
from relay.core.delivery.account import POISON, Rules, decode
from relay.core.event import INTAKE, Attempt, DeadLetter, Entry, EntryClass, StreamKey
from relay.core.trace import (
    ARCHIVED_NEXT,
    ENDED_NEXT,
    UNSEEN_NEXT,
    Fate,
    Place,
    Trace,
    Weather,
    archived_words,
    ended_words,
    filtered_words,
    letter_next,
    letter_words,
    limit_of,
    of_entry,
    owed_next,
    owed_words,
    unseen_words,
    unsure_words,
)
from relay.engine.hunt import Find, Hunt, Wanted
from relay.engine.passed_over import PassedOver
from relay.ports import Archive, Clock, DeadLetters, GateStore, Owed, Tracks

LAST_CALLS = 50
"""As many calls are shown: the oldest entry of a long outage was in a thousand probes."""
QUIET_ENDINGS = ("unmatched", "discarded", "lapsed", "shed", "forgotten", "trimmed", "erased")
"""Lines of the books that are no delivery and leave no dead letter behind."""


@dataclass(frozen=True, slots=True)
class TraceParts:
    """Where a trace looks. ``rules`` of a destination by its name; ``passed_over``: what intake filtered lately."""

    tracks: Tracks
    owed: Owed
    letters: DeadLetters
    gates: GateStore
    clock: Clock
    destinations: Sequence[str]
    rules: Callable[[str], Rules]
    passed_over: PassedOver
    archive: Archive


class Tracer:
    """Answers for one id at a time; several at once do not disturb each other."""

    def __init__(self, parts: TraceParts) -> None:
        self._parts = parts

    async def trace(self, wanted: Wanted, destination: str = "") -> Trace:
        """Everything known about an id, for one destination or all. StoreUnavailable when the store is away."""
        parts, message_id = self._parts, wanted.message_id
        hunt = Hunt(parts.tracks, parts.letters, parts.archive, parts.clock, wanted)
        fates: list[Fate] = []
        for name in [destination] if destination else parts.destinations:
            fates += await Inquiry(parts, hunt, message_id, name).fates()
        if all(fate.place in (Place.UNSEEN, Place.UNSURE) for fate in fates):
            fates = await self._before_any(hunt, message_id) or fates
        return Trace(message_id, tuple(_compared(fates)), hunt.searched)

    async def _before_any(self, hunt: Hunt, message_id: str) -> list[Fate]:
        """What never reached a destination: filtered, or not readable."""
        if (event := await hunt.archived(FILTERED.klass, "")) is not None:
            return [Fate("", Place.FILTERED, archived_words(event), ARCHIVED_NEXT, archived=event)]
        if (met := self._parts.passed_over.find(message_id)) is not None:
            return [Fate("", Place.FILTERED, filtered_words(*met), UNSEEN_NEXT)]
        letter = await hunt.letter(INTAKE)
        if letter is None:
            return []
        said = f"rejected at the door ({letter.reason}): it was no event that could be read"
        return [Fate(INTAKE, Place.REJECTED, said, letter_next(letter), letter=letter)]


class Inquiry:
    """One id, one destination."""

    def __init__(self, parts: TraceParts, hunt: Hunt, message_id: str, name: str) -> None:
        self._parts, self._hunt, self._message_id, self._name = parts, hunt, message_id, name
        self._streams = [StreamKey(name, klass) for klass in EntryClass]

    async def fates(self) -> list[Fate]:
        """Where it is, for this destination; mostly one answer."""
        accepted = dict(await self._parts.tracks.accepted(self._name, self._message_id))
        # A class that remembers the id is where it must be; without one it may be older than the memory.
        streams = [stream for stream in self._streams if stream.klass in accepted] or self._streams
        if (fate := await self._held(streams)) is not None:
            return [replace(fate, accepted_ms=accepted.get(fate.klass) if fate.klass else None)]
        if not self._hunt.complete:
            said = unsure_words(list(accepted), self._hunt.searched)
            return [
                Fate(
                    self._name,
                    Place.UNSURE,
                    said,
                    "ask again with a longer --seconds, or with --since: when it was received",
                )
            ]
        if accepted:
            return [await self._ended(klass, span) for klass, span in accepted.items()]
        return [Fate(self._name, Place.UNSEEN, unseen_words(), UNSEEN_NEXT)]

    async def _held(self, streams: Sequence[StreamKey]) -> Fate | None:
        """Owed or a dead letter. What is owed is looked at again at last: a letter may be requeued meanwhile."""
        for stream in streams:
            if (find := await self._hunt.owed(stream)) is not None:
                return await self._owed(find)
        if (letter := await self._hunt.letter(self._name)) is not None:
            return await self._dead(letter)
        for stream in streams:
            if (find := await self._hunt.owed(stream)) is not None:
                return await self._owed(find)
        return None

    async def _owed(self, find: Find) -> Fate:
        parts, (stream, entry, behind) = self._parts, find
        standing = await parts.tracks.standing(stream, entry.id)
        weather = Weather(await parts.gates.load(self._name), await parts.gates.paused(self._name), standing.now_ms)
        rules = parts.rules(self._name)
        event_time, complaint = prospect(rules, entry)
        clocks, doubt_ms = rules.clocks, 0 if standing.leased else standing.claimed_ms
        limit_ms = limit_of(entry, doubt_ms, event_time, clocks.oldest_s, shared=clocks.shared)
        calls, made = await self._calls(stream.klass, entry.id)
        return Fate(
            self._name,
            Place.OWED,
            owed_words(stream.klass, standing, behind),
            owed_next(self._name, standing, weather, limit_ms) + complaint,
            klass=stream.klass,
            entry=entry,
            standing=standing,
            behind=behind,
            limit_ms=limit_ms,
            calls=calls,
            calls_made=made,
        )

    async def _dead(self, letter: DeadLetter) -> Fate:
        calls, made = await self._calls(letter.klass, letter.entry_id, letter.request_id)
        return Fate(
            self._name,
            Place.DEAD,
            letter_words(letter),
            letter_next(letter),
            klass=letter.klass,
            letter=letter,
            calls=calls,
            calls_made=made,
        )

    async def _ended(self, klass: EntryClass, span: tuple[int, int]) -> Fate:
        if (event := await self._hunt.archived(klass, self._name)) is not None:
            return await self._archived(event, span)
        survey = await self._parts.owed.survey()
        books = next((one.books for one in survey.streams if one.stream == StreamKey(self._name, klass)), {})
        said = ended_words(span, {name: books.get(name, 0) for name in QUIET_ENDINGS})
        return Fate(self._name, Place.ENDED, said, ENDED_NEXT, klass=klass, accepted_ms=span)

    async def _archived(self, event: Archived, span: tuple[int, int]) -> Fate:
        calls, made = await self._calls(event.klass, event.entry_id)
        return Fate(
            self._name,
            Place.ARCHIVED,
            archived_words(event),
            ARCHIVED_NEXT,
            klass=event.klass,
            archived=event,
            accepted_ms=span,
            calls=calls,
            calls_made=made,
        )

    async def _calls(
        self, klass: EntryClass | None, entry_id: str, request_id: str = ""
    ) -> tuple[tuple[Attempt, ...], int]:
        """The last calls with the entry, and how many there were. A letter of an older version knows no entry."""
        calls = await self._hunt.calls(self._name)
        if klass is not None and entry_id:
            mine: list[Attempt] = list(of_entry(calls, klass, entry_id))
        else:
            mine = [call for call in calls if request_id and call.request_id == request_id]
        return tuple(mine[-LAST_CALLS:]), len(mine)


def prospect(rules: Rules, entry: Entry) -> tuple[int | None, str]:
    """What today's mapping makes of an entry: its event time in seconds, and what is wrong with it.

    The latter as a further part of a sentence, '' if nothing is.
    """
    try:
        event = decode(entry.raw)
        items = rules.mapping.items(event, entry.received_ms // 1000) if isinstance(event, dict) else ()
    except POISON:
        return None, "; the mapping fails on it: it will be a dead letter (unmappable)"
    if not items:
        return None, "; no subscription matches it any more: it will end without being sent"
    if all(item.error is not None for item in items):
        return items[0].event_time, f"; today's mapping makes no valid item of it ({items[0].error})"
    return items[0].event_time, ""


def _compared(fates: Sequence[Fate]) -> list[Fate]:
    """What one destination does not know, another may: then its own subscriptions did not want it."""
    takers = ", ".join(fate.destination for fate in fates if fate.klass is not None)
    if not takers:
        return list(fates)
    return [replace(fate, said=unseen_words(takers)) if fate.place is Place.UNSEEN else fate for fate in fates]
