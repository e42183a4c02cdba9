"""The store on plain dicts: same semantics as the scripts in Redis, no awaiting. One contract suite runs over both."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from relay.core.archive import ARCHIVE, FILTERED
from relay.core.delivery.gate import GateRecord
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import StoreMisused
from relay.core.event import (
    NO_WORTH,
    Burial,
    Claimed,
    DeadLetter,
    Entry,
    EntryClass,
    Lane,
    Lapsed,
    Lease,
    NewEntry,
    Reject,
    Rest,
    Settled,
    Settlement,
    Shed,
    StoreSurvey,
    StreamKey,
    StreamSurvey,
)
from relay.core.incident import Incident
from relay.core.incident_log import LogEntry
from relay.ports import Clock
from tests.twins.archive import (
    MemoryArchive,
    MemoryReplays,
    archive_ended,
    archive_filtered,
    remember,
    survey_archive,
)
from tests.twins.people import MemorySuppressions
from tests.twins.shelves import BOUND, Held, Id, State, Stream, Window, parse, text
from tests.twins.tracks import MemoryTracks

GONE_MS = 10_000
KEPT = 50  # incidents of one destination


class MemoryInbox:
    def __init__(self, state: State) -> None:
        self._state = state

    async def append(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> list[bool]:
        now = self._state.clock.now_ms()
        for new in entries:
            if new.stream != FILTERED or not self._state.archives:
                self._state.stream(new.stream)
        for reject in rejects:
            self._state.bury(_reject_letter(reject, now))
        return [self._owe(new, now) for new in entries]

    def _owe(self, new: NewEntry, now: int) -> bool:
        fresh = remember(self._state, new.stream, new.event_id)
        if new.stream == FILTERED:
            if fresh:
                archive_filtered(self._state, new)
            return fresh
        stream = self._state.stream(new.stream)
        if not fresh:
            stream.books["duplicates"] += 1
            return False
        stream.books["accepted"] += 1
        stream.add(now, Entry("", new.raw, new.received_ms, new.source, new.worth))
        return True


class MemoryOwed:
    def __init__(self, state: State) -> None:
        self._state = state

    async def claim(
        self, stream: StreamKey, lane: Lane, limit: int, max_bytes: int, *, probe: bool = False
    ) -> Claimed | None:
        one, now = self._state.stream(stream), self._state.clock.now_ms()
        one.move_mark(now, 0 if probe else self._state.live_age_ms)
        for held in [held for held in one.leases.values() if not one.inside(held.first, held.last)]:
            del one.leases[held.first]
        for due, ids in one.runs(now):
            cut = bisect_right(ids, one.mark)
            wanted = ids[:cut] if lane is Lane.BACKLOG else ids[cut:]
            old = None
            if lane is Lane.LIVE and due is None:
                old = next((at for at, id_ in enumerate(wanted) if at and self._old(one.entries[id_], now)), None)
            taken = self._take(one, wanted[:old], limit, max_bytes)
            if taken:
                lease = self._lease(one, due, ids, taken, now)
                first, last = text(lease.first), text(lease.last)
                public = Lease(stream, lane, first, last, lease.number, lease.due_ms, lease.first_ms)
                entries = tuple(one.entries[id_] for id_ in taken)
                return Claimed(public, entries, now, fresh=due is None, cut=len(taken) == old and len(taken) < limit)
        return None

    def _old(self, entry: Entry, now: int) -> bool:
        return now - entry.received_ms > self._state.live_age_ms

    @staticmethod
    def _take(one: Stream, ids: list[Id], limit: int, max_bytes: int) -> list[Id]:
        size = 0
        taken: list[Id] = []
        for id_ in ids[:limit]:
            size += len(one.entries[id_].raw)
            if taken and size > max_bytes:
                break
            taken.append(id_)
        return taken

    def _lease(self, one: Stream, due: Held | None, ids: list[Id], taken: list[Id], now: int) -> Held:
        first_ms = now if due is None else due.first_ms
        if due is not None:
            del one.leases[due.first]
            rest = ids[len(taken) :]
            if rest:
                one.number += 1
                one.leases[rest[0]] = Held(rest[0], due.last, due.due_ms, one.number, first_ms)
        one.number += 1
        held = Held(taken[0], taken[-1], now + self._state.lease_ms, one.number, first_ms)
        one.leases[held.first] = held
        return held

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled:
        one = self._state.stream(lease.stream)
        self._state.attempts[lease.stream.destination].extend(settlement.attempts)
        held = one.leases.get(parse(lease.first_id))
        if held is None or held.number != lease.number:
            return Settled(held=False)
        named = [*settlement.delivered, *settlement.unmatched, *settlement.forgotten]
        named += [burial.entry_id for burial in settlement.dead]
        if any(not held.first <= parse(id_) <= held.last for id_ in named):
            raise StoreMisused("an entry outside the lease")
        if any(not 0 <= burial.first_ms <= BOUND for burial in settlement.dead):
            raise StoreMisused("no time")
        if self._state.archives:
            self._archive(one, lease.stream, held, settlement)
        delivered = sum(self._end(one, id_, "delivered") for id_ in settlement.delivered)
        unmatched = sum(self._end(one, id_, "unmatched") for id_ in settlement.unmatched)
        forgotten = sum(self._end(one, id_, "forgotten") for id_ in settlement.forgotten)
        dead = sum(self._bury(one, lease.stream, burial) for burial in settlement.dead)
        self._leave(one, held, settlement.rest)
        return Settled(held=True, delivered=delivered, dead=dead, unmatched=unmatched, forgotten=forgotten)

    def _archive(self, one: Stream, stream: StreamKey, held: Held, settlement: Settlement) -> None:
        for ids, delivered in ((settlement.delivered, True), (settlement.unmatched, False)):
            for id_ in ids:
                if (entry := one.entries.get(parse(id_))) is not None:
                    archive_ended(self._state, stream, entry, held, delivered=delivered)

    @staticmethod
    def _end(one: Stream, id_: str, counter: str) -> bool:
        if one.remove(parse(id_)) is None:
            return False
        one.books[counter] += 1
        return True

    def _bury(self, one: Stream, stream: StreamKey, burial: Burial) -> bool:
        entry = one.entries.get(parse(burial.entry_id))
        if entry is None or not self._end(one, burial.entry_id, f"dead:{burial.reason.value}"):
            return False
        self._state.bury(_letter(stream, entry, burial, self._state.clock.now_ms()))
        return True

    def _leave(self, one: Stream, held: Held, rest: Rest) -> None:
        if rest is Rest.UNCLAIM or not one.inside(held.first, held.last):
            del one.leases[held.first]
        else:
            held.due_ms = self._state.clock.now_ms() + self._state.lease_ms if rest is Rest.KEEP else 0

    async def survey(self) -> StoreSurvey:
        streams = tuple(_survey(key, one) for key, one in self._state.streams.items())
        used = sum(len(entry.raw) for one in self._state.streams.values() for entry in one.entries.values())
        dead = {name: len(letters) for name, letters in self._state.dead.items()}
        archive = survey_archive(self._state) if self._state.archives or any(self._state.archive.values()) else None
        return StoreSurvey(streams, dead, used, 0, self._state.clock.now_ms(), archive=archive)


class MemoryDeadLetters:
    def __init__(self, state: State) -> None:
        self._state = state

    async def list(self, destination: str, *, after: str = "", limit: int = 100, reason: str = "") -> list[DeadLetter]:
        letters = (one for one in self._state.dead.get(destination, {}).values() if not reason or one.reason == reason)
        return [one for one in letters if not after or parse(one.id) > parse(after)][:limit]

    async def get(self, destination: str, letter_id: str) -> DeadLetter | None:
        return self._state.dead.get(destination, {}).get(letter_id)

    async def requeue(self, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        letters = self._state.dead.get(destination, {})
        return sum(self._owe_again(letters, id_, released=released) for id_ in ids)

    def _owe_again(self, letters: dict[str, DeadLetter], id_: str, *, released: bool) -> bool:
        letter = letters.get(id_)
        if letter is None or letter.klass is None:
            return False
        one = self._state.stream(StreamKey(letter.destination, letter.klass))
        entry = Entry("", letter.raw, letter.received_ms, letter.source, letter.worth, letter.accepted)
        entry = entry._replace(first_ms=letter.first_ms, released=released or letter.released)
        one.add(self._state.clock.now_ms(), entry)
        one.books["requeued"] += 1
        del letters[id_]
        return True

    async def discard(self, destination: str, ids: Sequence[str]) -> int:
        letters = self._state.dead.get(destination, {})
        gone = [letter for id_ in ids if (letter := letters.pop(id_, None)) is not None]
        for letter in gone:
            if letter.klass is not None:
                self._state.stream(StreamKey(letter.destination, letter.klass)).books["discarded"] += 1
        return len(gone)


class MemoryGates:
    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self, destination: str) -> GateRecord:
        return self._state.gates.get(destination, GateRecord())

    async def save(self, destination: str, record: GateRecord, expected_version: int) -> bool:
        if self._state.gates.get(destination, GateRecord()).version != expected_version:
            return False
        self._state.gates[destination] = replace(record, version=expected_version + 1)
        return True

    async def paused(self, destination: str) -> bool:
        return destination in self._state.pauses

    async def set_paused(self, destination: str, *, paused: bool) -> None:
        (self._state.pauses.add if paused else self._state.pauses.discard)(destination)


class MemoryModes:
    def __init__(self, state: State, retention_ms: int, grace_ms: int) -> None:
        self._state, self._retention_ms, self._grace_ms = state, retention_ms, grace_ms

    async def load(self, destination: str) -> ModeRecord | None:
        return self._state.modes.get(destination)

    async def save(self, destination: str, record: ModeRecord, expected_version: int) -> bool:
        stored = self._state.modes.get(destination)
        streams = [one for key, one in self._state.streams.items() if key.destination == destination]
        if (stored.version if stored else 0) != expected_version or self._early(record, stored, streams):
            return False
        now = self._state.clock.now_ms()
        until = (stored.until_ms if record.closed and stored else now) if record.mode is Mode.FAILBACK else 0
        self._state.modes[destination] = replace(record, version=expected_version + 1, until_ms=until)
        for one in streams:
            self._open(one, record, stored)
        return True

    def _early(self, record: ModeRecord, stored: ModeRecord | None, streams: Sequence[Stream]) -> bool:
        if stored is None or stored.mode is not Mode.FAILBACK:
            return record.mode is Mode.STANDBY and stored is not None
        if record.mode is Mode.STANDBY:
            return not stored.closed or any(len(one.standing()) < len(one.ids) for one in streams)
        return record.closed and self._state.clock.now_ms() < stored.until_ms + self._grace_ms

    def _open(self, one: Stream, record: ModeRecord, stored: ModeRecord | None) -> None:
        match record.mode:
            case Mode.ACTIVE:
                one.window = Window((0, 0))
            case Mode.STANDBY:
                one.window = Window(None)
            case Mode.FAILOVER:
                one.window = Window(self._first(one, record.since_ms, one.window.first if stored else None))
            case Mode.FAILBACK if record.closed:
                one.window.last = one.ids[-1] if one.ids else (0, 0)
            case Mode.FAILBACK if stored and stored.mode is Mode.ACTIVE:
                one.window = Window((0, 0))
        if record.mode is not Mode.FAILBACK:
            one.mark = (0, 0)

    @staticmethod
    def _first(one: Stream, since_ms: int, former: Id | None) -> Id:
        received = (id_ for id_ in one.ids if one.entries[id_].received_ms >= since_ms)
        last = one.sequence.last
        found = next(received, (last[0], last[1] + 1))
        return found if former is None else min(found, former)

    async def lapse(self, stream: StreamKey) -> Lapsed:
        one = self._state.stream(stream)
        bound = self._state.clock.now_ms() - self._retention_ms
        gone = [id_ for id_ in one.standing() if self._may_lapse(one, id_, bound)]
        for id_ in gone:
            one.remove(id_)
        one.books["lapsed"] += len(gone)
        return Lapsed(len(gone))

    @staticmethod
    def _may_lapse(one: Stream, id_: Id, bound: int) -> bool:
        leased = any(held.first <= id_ <= held.last for held in one.leases.values())
        return max(id_[0], one.entries[id_].received_ms) <= bound and not leased


class MemoryOverflow:
    """``pressed`` is set by whoever tests; the archive, then entries are shed as long as it is."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.pressed = False
        self.piece = 250

    async def shed(self) -> Shed | None:
        if self.pressed and (gone := self._shed_archive()):
            return gone
        oldest: dict[StreamKey, int] = {}
        for key, one in self._state.streams.items():
            if (ids := self._loose(key, one)) and self.pressed:
                oldest[key] = one.entries[ids[0]].received_ms
        if not oldest:
            return None
        stream = min(oldest, key=lambda key: oldest[key])
        others = [at for key, at in oldest.items() if key != stream]
        return Shed(stream, self._give_up(stream, max(min(others, default=BOUND), oldest[stream])))

    def _shed_archive(self) -> Shed | None:
        """The archive whose first event ended first gives way."""
        firsts = [(next(iter(kept)), klass) for klass, kept in self._state.archive.items() if kept]
        if not firsts:
            return None
        klass = min(firsts)[1]
        kept = self._state.archive[klass]
        gone = list(kept)[:500]
        for id_ in gone:
            del kept[id_]
        return Shed(StreamKey(ARCHIVE, klass), len(gone))

    def _give_up(self, stream: StreamKey, until_ms: int) -> int:
        one, count = self._state.stream(stream), 0
        for id_ in self._loose(stream, one)[: self.piece]:
            if one.entries[id_].received_ms > until_ms:
                break
            one.remove(id_)
            count += 1
        one.books["shed"] += count
        return count

    @staticmethod
    def _loose(key: StreamKey, one: Stream) -> list[Id]:
        """What may be shed."""
        if key.klass is not EntryClass.ENGAGEMENT:
            return []
        return [id_ for id_ in one.ids if not any(held.first <= id_ <= held.last for held in one.leases.values())]


class MemoryStore:
    """The ports over one state. ``.state`` is for tests that look inside."""

    def __init__(
        self,
        streams: Sequence[StreamKey],
        clock: Clock,
        lease_ms: int = 30_000,
        live_age_ms: int = 30_000,
        retention_ms: int = 86_400_000,
        grace_ms: int = 10_000,
        *,
        archive: bool = False,
    ) -> None:
        self.state = State(streams, clock, lease_ms, live_age_ms)
        self.state.archives = archive
        self.inbox = MemoryInbox(self.state)
        self.owed = MemoryOwed(self.state)
        self.dead_letters = MemoryDeadLetters(self.state)
        self.gates = MemoryGates(self.state)
        self.tracks = MemoryTracks(self.state)
        self.incidents = MemoryIncidents()
        self.modes = MemoryModes(self.state, retention_ms, grace_ms)
        self.roster = MemoryRoster(clock)
        self.suppressions = MemorySuppressions(clock.now_ms)
        self.overflow = MemoryOverflow(self.state)
        self.archive = MemoryArchive(self.state, retention_ms)
        self.replays = MemoryReplays(self.state)


def _survey(key: StreamKey, one: Stream) -> StreamSurvey:
    first, last = one.claimable()
    standing = one.standing()
    return StreamSurvey(
        stream=key,
        owed=len(one.ids),
        backlog=bisect_right(one.ids[first:last], one.mark),
        leased=sum(len(one.inside(held.first, held.last)) for held in one.leases.values()),
        oldest_received_ms=one.entries[one.ids[first]].received_ms if first < last else None,
        value_micros={currency: total for currency, total in one.values.items() if total},
        books=dict(one.books),
        standing=len(standing),
        standing_oldest_ms=one.entries[one.ids[0]].received_ms if standing else None,
    )


def _letter(stream: StreamKey, entry: Entry, burial: Burial, now: int) -> DeadLetter:
    return DeadLetter(
        id="",
        destination=stream.destination,
        klass=stream.klass,
        reason=burial.reason.value,
        message=burial.message,
        code=burial.code,
        request_id=burial.request_id,
        died_ms=now,
        received_ms=entry.received_ms,
        first_ms=burial.first_ms,
        source=entry.source,
        worth=entry.worth,
        accepted=burial.accepted,
        raw=entry.raw,
        released=entry.released,
        entry_id=burial.entry_id,
    )


def _reject_letter(reject: Reject, now: int) -> DeadLetter:
    return DeadLetter(
        id="",
        destination="-",
        klass=None,
        reason=reject.reason,
        message="",
        code=None,
        request_id="",
        died_ms=now,
        received_ms=reject.received_ms,
        first_ms=0,
        source=reject.source,
        worth=NO_WORTH,
        accepted=(),
        raw=reject.raw,
    )


class MemoryRoster:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[str, int] = {}

    async def announce(self, replica: str) -> int:
        now = self._clock.now_ms()
        self._said = {name: at for name, at in self._said.items() if abs(now - at) <= GONE_MS} | {replica: now}
        return len(self._said)

    async def leave(self, replica: str) -> None:
        self._said.pop(replica, None)


class MemoryIncidents:
    def __init__(self) -> None:
        self.records: dict[str, dict[int, Incident]] = {}
        self.logs: dict[tuple[str, int], list[LogEntry]] = {}

    async def log(self, destination: str, number: int) -> list[LogEntry]:
        found: dict[str, LogEntry] = {}
        for entry in self.logs.get((destination, number), []):
            found.setdefault(entry.token, entry)
        return list(found.values())

    async def list(self, destination: str) -> list[Incident]:
        return sorted(self.records.get(destination, {}).values(), key=lambda one: -one.number)

    async def save(self, incident: Incident, expected_version: int, log: Sequence[LogEntry]) -> bool:
        records = self.records.setdefault(incident.destination, {})
        known = records.get(incident.number)
        if (known.version if known else 0) != expected_version:
            return False
        records[incident.number] = replace(incident, version=expected_version + 1)
        records.pop(incident.number - KEPT, None)
        self.logs.pop((incident.destination, incident.number - KEPT), None)
        await self.append(incident.destination, incident.number, log)
        return True

    async def append(self, destination: str, number: int, log: Sequence[LogEntry]) -> bool:
        if not log or number not in self.records.get(destination, {}):
            return False
        self.logs.setdefault((destination, number), []).extend(log)
        return True
