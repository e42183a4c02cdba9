"""What is known about each entry of one lease while its calls are made. Pure: it decides endings, ``settle`` acts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import orjson

from relay.core.delivery.batch import Limits, Parcel, Sendable, pack, parcels_of
from relay.core.delivery.clocks import Clocks
from relay.core.event import Burial, Claimed, DeadReason, Entry, JsonObject, Rest
from relay.core.tiktok.verdict import Judgement, Stored

# What a bug in the mapping of one event may raise. It must end that event, not stop the destination for ever.
POISON = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class ItemMapping(Protocol):
    """A compiled mapping of one destination (``relay.core.mapping.destination.DestinationMapping``)."""

    @property
    def event_source_id(self) -> str:
        """Pixel code, app id or event set id: top level of each call."""
        ...

    def items(self, event: JsonObject, received_s: int) -> Sequence[Sendable]:
        """One item per matching subscription; none when nothing matches any more."""
        ...


class Rules(NamedTuple):
    """What a destination's configuration says about its entries."""

    mapping: ItemMapping
    clocks: Clocks
    test_event_code: str
    limits: Limits


Screen = Callable[[JsonObject], bool]
"""Whether an event is to be forgotten instead of sent."""


class Fault(NamedTuple):
    """Why an entry will end as a dead letter once its other items have a verdict."""

    reason: DeadReason
    message: str
    code: int | None = None
    request_id: str = ""


FORGOTTEN = Fault(DeadReason.UNMAPPABLE, "")
"""Not a fault: in its place, for an entry that ends because its person asked for it."""


@dataclass(slots=True)
class Owing:
    """An entry with several items, or with some that cannot be sent. It ends when ``waiting`` is 0."""

    waiting: int
    accepted: tuple[str, ...]
    fault: Fault | None = None
    taken: bool = False  # TikTok took an item of it under this lease
    in_doubt: bool = False  # TikTok refused an item of it and may have kept it all the same


@dataclass(slots=True)
class Endings:
    """Entries that have ended and are not settled yet; ``sold``: event, currency → items TikTok took, micro-units."""

    delivered: list[str] = field(default_factory=list)
    dead: list[Burial] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    sold: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.delivered) + len(self.dead) + len(self.unmatched) + len(self.forgotten)


class Account:
    """The entries of one lease: parcels still to send, endings still to settle, doubt."""

    def __init__(self, claimed: Claimed, rules: Rules, screen: Screen | None = None) -> None:
        """``screen`` is asked about each event; None: nobody is to be forgotten."""
        self.endings = Endings()
        self.parcels: list[Parcel] = []
        self.left = len(claimed.entries)  # entries without an ending
        self._rules = rules
        self._screen = screen
        self._now_ms = claimed.now_ms
        self._claimed_ms = claimed.lease.first_ms
        self._brought: dict[str, int] = {}  # entries that were in doubt before this lease, and since when
        self._owing: dict[str, Owing] = {}
        self._remarks: Counter[str] = Counter()
        self._withdrawn: set[str] = set()  # forgotten after they were mapped
        self._doubt = not claimed.fresh  # a former holder may have sent anything of it

    def add(self, entries: Sequence[Entry]) -> None:
        """Map entries: each becomes a parcel, or ends. Hot loop: once per entry."""
        rules, endings, parcels = self._rules, self.endings, self.parcels
        for entry in entries:
            if entry.first_ms:
                self._brought[entry.id] = entry.first_ms
            items = self._items(entry)
            if items is FORGOTTEN:
                endings.forgotten.append(entry.id)
                self.left -= 1
            elif isinstance(items, Fault):
                self._bury(entry.id, items, entry.accepted)
            elif not items:
                endings.unmatched.append(entry.id)
                self.left -= 1
            elif late := rules.clocks.ended(
                event_time_s=items[0].event_time,
                received_ms=entry.received_ms,
                first_ms=self._first_ms(entry.id, doubt=self._doubt),
                now_ms=self._now_ms,
                released=entry.released,
            ):
                self._bury(entry.id, Fault(*late), entry.accepted)
            elif len(items) == 1 and items[0].error is None and not entry.accepted:
                parcels.append(Parcel(entry.id, (pack(items[0]),)))
            else:
                self._owe(entry, items)

    def accepted(self, parcel: Parcel) -> None:
        """TikTok took the parcel."""
        sold = self.endings.sold
        for item in parcel.items:  # hot loop: once per item
            if item.remarks:
                self._remarks.update(item.remarks)
            micros, currency = item.worth
            row = sold.get((item.event, currency))
            if row is None:
                row = sold[item.event, currency] = [0, 0]
            row[0] += 1
            row[1] += micros
        owing = self._owing.get(parcel.entry_id)
        if owing is None:
            self.endings.delivered.append(parcel.entry_id)
            self.left -= 1
            return
        owing.accepted += tuple(item.subscription for item in parcel.items)
        owing.waiting -= len(parcel.items)
        owing.taken = True
        self._end_if_done(parcel.entry_id, owing)

    def refused(self, parcel: Parcel, judgement: Judgement) -> None:
        """TikTok said no to this very item, the only one of the parcel."""
        fault = Fault(DeadReason.REFUSED, judgement.message or judgement.label, judgement.code, judgement.request_id)
        in_doubt = judgement.stored is Stored.UNKNOWN
        owing = self._owing.get(parcel.entry_id)
        if owing is None:
            self._bury(parcel.entry_id, fault, (), in_doubt=in_doubt)
            return
        owing.waiting -= len(parcel.items)
        owing.in_doubt |= in_doubt
        owing.fault = fault
        self._end_if_done(parcel.entry_id, owing)

    def unknown(self, stored: Stored) -> None:
        """A call brought no ending; unless it proves that TikTok stored nothing, what is left is in doubt."""
        self._doubt |= stored is not Stored.NO

    def withdraw(self, parcels: Sequence[Parcel], refused: Callable[[str], bool]) -> list[Parcel]:
        """Those of ``parcels`` that may still be sent; an entry that is ``refused`` by now ends as forgotten."""
        kept = []
        for parcel in parcels:
            if parcel.entry_id in self._withdrawn:
                continue
            if refused(parcel.entry_id):
                self._withdrawn.add(parcel.entry_id)
                self._owing.pop(parcel.entry_id, None)
                self.endings.forgotten.append(parcel.entry_id)
                self.left -= 1
            else:
                kept.append(parcel)
        return kept

    def take_endings(self) -> Endings:
        """Hand over what has ended since."""
        endings, self.endings = self.endings, Endings()
        return endings

    def take_remarks(self) -> Counter[str]:
        """Hand over how many of the items that TikTok took since had been repaired or were odd, by rule and caution."""
        remarks, self._remarks = self._remarks, Counter()
        return remarks

    @property
    def rest(self) -> Rest:
        """How to leave what has not ended: the time of the first claim may be forgotten only without any doubt."""
        doubt = self._doubt or any(owing.taken for owing in self._owing.values())
        return Rest.RELEASE if doubt else Rest.UNCLAIM

    def _items(self, entry: Entry) -> Sequence[Sendable] | Fault:
        """What the mapping makes of the entry today."""
        try:
            event = decode(entry.raw)
            if not isinstance(event, dict):
                return Fault(DeadReason.UNMAPPABLE, "the stored event is not a JSON object")
            if self._screen is not None and self._screen(event):
                return FORGOTTEN
            return self._rules.mapping.items(event, entry.received_ms // 1000)
        except POISON as error:
            return Fault(DeadReason.UNMAPPABLE, f"the mapping failed on this event: {type(error).__name__}")

    def _owe(self, entry: Entry, items: Sequence[Sendable]) -> None:
        """An entry with more than one plain item: skip what TikTok has, send what can be sent, remember the rest."""
        wanted = [item for item in items if item.subscription not in entry.accepted]
        good = [item for item in wanted if item.error is None]
        errors = "; ".join(f"{item.subscription}: {item.error}" for item in wanted if item.error is not None)
        owing = Owing(len(good), entry.accepted, Fault(DeadReason.UNMAPPABLE, errors) if errors else None)
        self.parcels += parcels_of(entry.id, good, self._rules.test_event_code, self._rules.limits)
        self._owing[entry.id] = owing
        self._end_if_done(entry.id, owing)

    def _end_if_done(self, entry_id: str, owing: Owing) -> None:
        if owing.waiting:
            return
        del self._owing[entry_id]
        if owing.fault is not None:
            self._bury(entry_id, owing.fault, owing.accepted, in_doubt=owing.in_doubt)
        else:
            self.endings.delivered.append(entry_id)
            self.left -= 1

    def _bury(self, entry_id: str, fault: Fault, accepted: tuple[str, ...], *, in_doubt: bool = False) -> None:
        first_ms = self._first_ms(entry_id, doubt=in_doubt or self._doubt)
        self.endings.dead.append(
            Burial(entry_id, fault.reason, fault.message, fault.code, fault.request_id, accepted, first_ms)
        )
        self.left -= 1

    def _first_ms(self, entry_id: str, *, doubt: bool) -> int:
        """The earliest time TikTok may have got an entry, 0 when it cannot have it."""
        brought, leased = self._brought.get(entry_id, 0), self._claimed_ms if doubt else 0
        return min(brought, leased) if brought and leased else brought or leased


def decode(raw: bytes) -> object:
    """The stored text as JSON; the standard library reads what orjson refuses (NaN and Infinity of old senders)."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)
