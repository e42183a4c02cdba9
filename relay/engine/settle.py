"""The only place where an entry ends.

Decide (``Account``), act (one fenced script), tell. What is told is what the store says it removed, so notices and
books cannot drift apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from relay.core.delivery.account import Endings
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import Attempt, Burial, Claimed, DeadReason, Rest, Settled, Settlement, Worth
from relay.core.notices import (
    ArchiveMissed,
    EntriesBuried,
    EntriesDelivered,
    EntriesForgotten,
    EntriesReturned,
    EntriesUnmatched,
    LeaseLost,
    StoreWarned,
)
from relay.ports import Clock, Owed, Tell

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0
TRIES_WITH_ENDINGS = 1_800
"""About an hour: what TikTok accepted is worth settling when Redis is back. After that the lease has long fallen due,
and a repeat is removed by TikTok."""
TRIES_WITHOUT = 4
"""Nothing ended: the lease falls due by itself, and only the time of first claim is kept longer than needed."""
MISUSED_S = 30.0
"""Between two tries of what the store refused: a damaged key waits for a person."""


class Settling:
    """Gives the entries of one destination's leases their endings."""

    def __init__(self, owed: Owed, clock: Clock, tell: Tell) -> None:
        self._owed, self._clock, self._tell = owed, clock, tell
        self._refused = 0  # settlements in hand that the store refused
        self._refused_until = float("-inf")

    @property
    def stuck(self) -> bool:
        """The store refused to note an ending: send nothing whose own it would refuse."""
        return self._refused > 0 or self._clock.monotonic() < self._refused_until

    async def settle(
        self,
        claimed: Claimed,
        endings: Endings,
        rest: Rest,
        left: int,
        *,
        attempts: Sequence[Attempt] = (),
        leaving: bool = False,
    ) -> bool:
        """Apply endings and leave the ``left`` others as ``rest`` says; False when the lease is not ours any more.

        ``attempts``: the calls behind it, for the log; it travels along and never decides anything.
        ``leaving``: the process is going down and cannot wait for a store that is away.
        """
        settlement = Settlement(endings.delivered, endings.dead, endings.unmatched, rest, attempts, endings.forgotten)
        patient = len(endings) and not leaving
        settled = await (self._persist if patient else self._apply)(claimed, settlement)
        if settled is None:
            return False
        if not settled.held:
            self._tell(LeaseLost(claimed.lease.stream, claimed.lease.first_id))
            return False
        self._tell_endings(claimed, endings, settled)
        if settled.forgotten:
            self._tell(EntriesForgotten(claimed.lease.stream, settled.forgotten))
        if settled.unarchived:
            self._tell(ArchiveMissed(settled.unarchived))
        if left and rest is not Rest.KEEP:
            self._tell(EntriesReturned(claimed.lease.stream, left, ambiguous=rest is Rest.RELEASE))
        return True

    async def _persist(self, claimed: Claimed, settlement: Settlement) -> Settled | None:
        """Settle endings. What the store refuses is kept in hand until a person has mended it, however long."""
        try:
            return await self._try(claimed, settlement, TRIES_WITH_ENDINGS)
        except StoreMisused as refusal:
            self._complain(claimed, refusal)
        self._refused += 1
        try:
            while True:
                await self._clock.sleep(MISUSED_S)
                try:
                    return await self._try(claimed, settlement, TRIES_WITH_ENDINGS)
                except StoreMisused as refusal:
                    self._complain(claimed, refusal)
        finally:
            self._refused -= 1

    async def _apply(self, claimed: Claimed, settlement: Settlement) -> Settled | None:
        """Settle where nothing need be kept: None when the store refused it, too, and the lease falls due by itself."""
        try:
            return await self._try(claimed, settlement, TRIES_WITHOUT)
        except StoreMisused as refusal:
            self._complain(claimed, refusal)
            return None

    async def _try(self, claimed: Claimed, settlement: Settlement, tries: int) -> Settled | None:
        """Settle, waiting for a store that is away; None when it stayed away. Raises StoreMisused."""
        wait = FIRST_WAIT_S
        for _ in range(tries):
            try:
                return await self._owed.settle(claimed.lease, settlement)
            except StoreUnavailable:
                await self._clock.sleep(wait)
                wait = min(LONGEST_WAIT_S, 2 * wait)
        return None

    def _complain(self, claimed: Claimed, refusal: StoreMisused) -> None:
        """Once for all that was refused at about the same time."""
        now = self._clock.monotonic()
        if now >= self._refused_until:
            self._refused_until = now + MISUSED_S
            text = f"the store refused to note endings; nothing is sent until it takes them: {refusal}"
            self._tell(StoreWarned(claimed.lease.stream.destination, text))

    def _tell_endings(self, claimed: Claimed, endings: Endings, settled: Settled) -> None:
        stream, lane = claimed.lease.stream, claimed.lease.lane
        # A settlement that was repeated after a lost answer says less than it did: then nothing is told apart.
        sold = _sold(endings) if settled.delivered == len(endings.delivered) else {}
        if settled.delivered or sold:
            now, received = self._clock.now_ms(), {entry.id: entry.received_ms for entry in claimed.entries}
            delays = tuple([max(0, now - received[id_]) / 1000 for id_ in endings.delivered[: settled.delivered]])
            self._tell(EntriesDelivered(stream, lane, delays, sold))
        if settled.unmatched:
            self._tell(EntriesUnmatched(stream, settled.unmatched))
        worths = {entry.id: entry.worth for entry in claimed.entries} if endings.dead else {}
        for (reason, code, message), group in groupby(sorted(endings.dead[: settled.dead], key=_kind), key=_kind):
            burials = list(group)
            sample, worth = burials[0].entry_id, _worth(worths[burial.entry_id] for burial in burials)
            self._tell(EntriesBuried(stream, DeadReason(reason), len(burials), code or None, message, sample, worth))


def _kind(burial: Burial) -> tuple[str, int, str]:
    """What burials are told together. A mapping's own message may quote the event: it stays in the dead letter."""
    message = "" if burial.reason is DeadReason.UNMAPPABLE else burial.message
    return burial.reason.value, burial.code or 0, message


def _sold(endings: Endings) -> dict[tuple[str, str], tuple[int, int]]:
    """What TikTok took: event, currency → items, micro-units."""
    return {key: (items, micros) for key, (items, micros) in endings.sold.items()}


def _worth(worths: Iterable[Worth]) -> dict[str, int]:
    """Micro-units by currency; what is worth nothing is left out."""
    total = Counter[str]()
    for micros, currency in worths:
        total[currency] += micros
    return {currency: micros for currency, micros in total.items() if micros}
