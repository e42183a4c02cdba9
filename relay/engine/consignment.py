"""One lease on its way: map its entries, make its calls, settle each as soon as its verdict is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from relay.core.delivery.account import Account, Rules
from relay.core.delivery.attempts import attempt_of
from relay.core.delivery.batch import Batch, Parcel, batches, body_of
from relay.core.delivery.governor import Governor
from relay.core.delivery.service import Queue
from relay.core.delivery.split import Piece, Search
from relay.core.delivery.suspicion import Suspicion
from relay.core.event import Attempt, Claimed, Entry, Rest
from relay.core.notices import CallAnswered, CallsPaused, ItemsRemarked, PaceChanged
from relay.core.tiktok.reply import Call, Reply
from relay.core.tiktok.verdict import Judgement, Stored, Verdict, judge
from relay.engine.gatekeeper import Gatekeeper
from relay.engine.second_look import LONG_S, SecondLook
from relay.engine.settle import Settling
from relay.engine.standby import Standby
from relay.engine.suppression import Suppression
from relay.ports import Clock, Sender, Tell

SLICE = 100
"""Entries mapped before intake gets its turn on the event loop: about 4 ms, unless they are of the dearest kind."""
STEP = 10
"""After every so many entries the clock is asked whether it has been too long already."""
OLDEST_MS = 600_000
"""What was judged sendable longer ago is given back and judged again: the machine may have slept between two calls.
Wall clock, because a monotonic one stands still meanwhile."""
GIVES_BACK_AFTER_S = 5.0
"""A throttling pause longer than this is not waited for with a lease in hand."""


class Destination(Protocol):
    """What is needed of a destination here (``delivery.Destination``)."""

    @property
    def name(self) -> str:
        """As in the configuration."""
        ...

    @property
    def sender(self) -> Sender:
        """Its own connections."""
        ...

    @property
    def rules(self) -> Rules:
        """Mapping, clocks, limits."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What all consignments of one destination share."""

    destination: Destination
    settling: Settling
    keeper: Gatekeeper
    standby: Standby
    governor: Governor
    suspicion: Suspicion
    bell: asyncio.Event  # rings when a call ended, time passed, or a stop was asked for
    mapping: asyncio.Lock
    stopping: asyncio.Event
    suppression: Suppression
    clock: Clock
    tell: Tell


class Consignment:
    """Carries one claimed lease to its end. Every reply is judged once; whatever has no ending stays owed."""

    def __init__(self, desk: Desk, claimed: Claimed, asked_at: float, era: int) -> None:
        self._desk = desk
        self._claimed = claimed
        self._account = Account(claimed, desk.destination.rules, desk.suppression.screen)
        self._look = SecondLook(claimed.entries, desk.suppression, desk.clock)
        self._judged_ms = desk.clock.now_ms()
        self._era = era  # of the gate, when the claim was permitted
        self._attempts: list[Attempt] = []  # calls that are not in the log yet
        self._held = True
        lease = claimed.lease
        self._span_s = (lease.due_ms - claimed.now_ms) / 1000
        self._renewed_at = asked_at  # before the claim was asked for: on the safe side of the store's own time

    async def carry(self, *, sample: bool = False) -> None:
        """From claim to settlement. Of a ``sample`` only the last entry is sent, the others are given back."""
        try:
            await self._map()
            await self._send(self._account.parcels[-1:] if sample else self._account.parcels)
            await self._settle(self._account.rest)
        except asyncio.CancelledError:
            # Called off in mid-call: TikTok may have it. A few tries; else the lease falls due by itself.
            self._account.unknown(Stored.UNKNOWN)
            await self._settle(self._account.rest, leaving=True)
            raise

    @property
    def returned(self) -> Queue | None:
        """The queue that some of its entries went back to; None when all have ended."""
        stream, lane = self._claimed.lease.stream, self._claimed.lease.lane
        return Queue(stream.klass, lane) if self._account.left else None

    async def give_back(self) -> None:
        """Nothing was sent after all."""
        await self._settle(self._account.rest)

    async def _map(self) -> None:
        # One lease at a time, in the order of their claims: the first call leaves while the next one is mapped.
        async with self._desk.mapping:
            rested, clock = self._desk.clock.monotonic(), self._desk.clock
            for number, part in enumerate(_slices(self._claimed.entries), 1):
                self._account.add(part)
                if number % (SLICE // STEP) == 0 or clock.monotonic() - rested > LONG_S:
                    await asyncio.sleep(0)
                    rested = clock.monotonic()

    async def _send(self, parcels: Sequence[Parcel]) -> None:
        """Make calls until all have a verdict, or one says that this is not the time."""
        rules = self._desk.destination.rules
        search = Search(batches(parcels, rules.test_event_code, rules.limits))
        piece = search.next()
        while piece is not None and await self._cleared(piece):
            if self._still_owed(piece):
                judgement = await self._call(piece.batch)
                if not self._read(search, piece, judgement):
                    self._account.unknown(judgement.stored)
                    return
            piece = search.next()
            if piece is not None:
                await self._settle(Rest.KEEP)

    def _still_owed(self, piece: Piece) -> bool:
        """Take out of a call, as it leaves, whom the list refuses since its entries were mapped; False: none is left.

        However fast the list grows, delivery goes on: a lease that was given back would be out of date just as soon.
        """
        if not self._look.due:
            return True
        kept = self._account.withdraw(piece.batch.parcels, self._look.refuses)
        piece.keep(kept)
        return bool(kept)

    def _read(self, search: Search, piece: Piece, judgement: Judgement) -> bool:
        """Book what a reply ends; False when nothing further may be sent now."""
        match judgement.verdict:
            case Verdict.DELIVERED:
                search.accepted(piece)
                self._book_accepted(piece.batch, judgement)
            case Verdict.SPLIT | Verdict.DEAD_LETTER:
                culprit = search.refused(piece, judgement, doubted=self._desk.suspicion.rising)
                if culprit is not None:
                    self._account.refused(culprit, judgement)
                elif judgement.stored is not Stored.NO:
                    self._account.unknown(judgement.stored)
            case Verdict.RETRY | Verdict.SLOW_DOWN | Verdict.HOLD:
                return False
        return True

    def _book_accepted(self, batch: Batch, judgement: Judgement) -> None:
        if judgement.failed_items:
            self._book_partly(batch, judgement)
        else:
            for parcel in batch.parcels:
                self._account.accepted(parcel)
        for remark, items in self._account.take_remarks().items():
            self._desk.tell(ItemsRemarked(self._desk.destination.name, remark, items))

    def _book_partly(self, batch: Batch, judgement: Judgement) -> None:
        """All of it, but for the items a partial success names."""
        failed, index = set(judgement.failed_items), 0
        for parcel in batch.parcels:
            for item in parcel.items:
                one = parcel._replace(items=(item,))
                if index in failed:
                    self._account.refused(one, judgement)
                else:
                    self._account.accepted(one)
                index += 1

    async def _cleared(self, piece: Piece) -> bool:
        """Wait until a call may leave; False when it should not leave any more."""
        desk = self._desk
        while self._held and self._still_wanted():
            await self._renew()
            now = desk.clock.monotonic()
            if desk.governor.paused_for(now) or not desk.governor.room:
                desk.bell.clear()
                await desk.bell.wait()
            elif wait := desk.governor.wait_for_rate(now):
                await desk.clock.sleep(wait)
            elif self._look.due and not self._look.ready(piece.batch.parcels):
                await self._look.read(piece.batch.parcels)
            else:
                return self._held
        return False

    def _still_wanted(self) -> bool:
        """Whether the gate is as it was at the claim, and nothing asks to give the lease back."""
        desk = self._desk
        paused_s = desk.governor.paused_for(desk.clock.monotonic())
        fresh = desk.clock.now_ms() - self._judged_ms <= OLDEST_MS
        usual = fresh and desk.keeper.era == self._era and not desk.keeper.paused
        usual = usual and not desk.settling.stuck
        return usual and not desk.stopping.is_set() and paused_s <= GIVES_BACK_AFTER_S

    async def _renew(self) -> None:
        """Past half of the lease: nobody else may think us dead while we work."""
        if self._desk.clock.monotonic() - self._renewed_at > self._span_s / 2:
            await self._settle(Rest.KEEP)

    async def _call(self, batch: Batch) -> Judgement:
        """One call, judged once for everybody who wants to know."""
        desk, started, at_ms = self._desk, self._desk.clock.monotonic(), self._desk.clock.now_ms()
        desk.governor.started(started)
        try:
            reply = await desk.destination.sender.send(
                Call(desk.destination.name, body_of(batch, desk.destination.rules.mapping.event_source_id), batch.items)
            )
        except asyncio.CancelledError:
            desk.governor.stopped()
            self._attempts.append(attempt_of(self._claimed, batch, at_ms, None, None))
            raise
        now = desk.clock.monotonic()
        judgement = self._suspect(self._judged(reply, batch, started), batch, now)
        self._attempts.append(attempt_of(self._claimed, batch, at_ms, judgement, reply))
        self._pace(judgement, started, now)
        desk.tell(_answered(desk.destination.name, reply, judgement, batch.items))
        entries, pause_s = len(batch.parcels), desk.governor.paused_for(now)
        if await desk.keeper.heard(judgement, self._era, entries=entries, storm=desk.governor.storm, pause_s=pause_s):
            self._era += 1  # our own news moved the gate: what it permits from here on is ours
        desk.bell.set()
        return judgement

    def _judged(self, reply: Reply, batch: Batch, started: float) -> Judgement:
        """What the reply says; a refusal of a token says nothing about one that came after it."""
        judgement = judge(reply, batch.items)
        outdated = judgement.verdict is Verdict.HOLD and started < self._desk.keeper.secret_at
        return replace(judgement, verdict=Verdict.RETRY) if outdated else judgement

    def _suspect(self, judgement: Judgement, batch: Batch, now: float) -> Judgement:
        """Single after single refused alike: the configuration is at fault, hold instead of burying."""
        if judgement.verdict is Verdict.DELIVERED:
            self._desk.suspicion.accepted(now)
        elif judgement.verdict is Verdict.DEAD_LETTER:
            complaint = f"{judgement.label} {judgement.message}"
            if self._desk.suspicion.refused(batch.parcels[0].entry_id, complaint, now):
                return replace(judgement, verdict=Verdict.HOLD)
        return judgement

    def _pace(self, judgement: Judgement, started: float, now: float) -> None:
        governor = self._desk.governor
        silent = governor.paused_for(now)
        reason = governor.answered(judgement, started, now)
        if not silent and (pause_s := governor.paused_for(now)):
            self._desk.tell(CallsPaused(self._desk.destination.name, pause_s, governor.presumed))
        if reason:
            self._desk.tell(PaceChanged(self._desk.destination.name, governor.limit, reason))

    async def _settle(self, rest: Rest, *, leaving: bool = False) -> None:
        """Settle what has ended; a lost lease ends the work on it."""
        account = self._account
        endings = account.take_endings()
        if not self._held or (rest is Rest.KEEP and not account.left and not len(endings)):
            return
        asked_at, attempts, self._attempts = self._desk.clock.monotonic(), self._attempts, []
        self._held = await self._desk.settling.settle(
            self._claimed, endings, rest, account.left, attempts=attempts, leaving=leaving
        )
        self._renewed_at = asked_at


def _slices(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), STEP):
        yield entries[start : start + STEP]


def _answered(destination: str, reply: Reply, judgement: Judgement, items: int) -> CallAnswered:
    return CallAnswered(
        destination,
        judgement.verdict.value,
        judgement.label,
        items,
        reply.seconds,
        reply.request_id,
        reply.log_id,
        judgement.message,
    )
