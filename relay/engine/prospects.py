"""A dry run: the selection, the worth and the clocks that real events meet, without storing anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from relay.core.delivery.account import Rules
from relay.core.delivery.prospect import Prospect
from relay.core.event import Entry, Event
from relay.core.notices import Why
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.decode import Misfit
from relay.core.segment.select import Route, select
from relay.core.segment.timing import received_at
from relay.core.segment.worth import appraise
from relay.engine.suppression import Suppression
from relay.ports import Clock

STEP = 10
"""Events judged before everybody else gets a turn on the event loop: about a millisecond."""


@dataclass(slots=True)
class Foreseen:
    """What would become of some events. ``wanted``: destination → what would become of its entries."""

    events: int = 0
    misfits: Counter[Why] = field(default_factory=Counter)
    filtered: Counter[Why] = field(default_factory=Counter)
    wanted: dict[str, Prospect] = field(default_factory=dict)


class Prospects:
    """Judges events as ``Intake.backfill`` and delivery would. ``rules`` of a destination by its name.

    ``suppression``: whose events are refused.
    """

    def __init__(
        self,
        routes: Callable[[str], Sequence[Route]],
        rules: Callable[[str], Rules],
        clock: Clock,
        suppression: Suppression,
        categories: frozenset[str] = ADVERTISING,
    ) -> None:
        self._routes, self._rules, self._clock, self._suppression = routes, rules, clock, suppression
        self._categories = categories

    async def foresee(self, decoded: Collection[Event | Misfit], source: str) -> Foreseen:
        """All of a request, as events of ``source``. Never raises for what an event holds."""
        foreseen, now_ms, routes = Foreseen(), self._clock.now_ms(), self._routes(source)
        for part in _parts(decoded):
            self._judge(part, routes, foreseen, now_ms)
            await asyncio.sleep(0)
        return foreseen

    def _judge(self, part: Sequence[Event | Misfit], routes: Sequence[Route], foreseen: Foreseen, now_ms: int) -> None:
        entries: dict[str, list[Entry]] = {}
        for item in part:
            foreseen.events += 1
            if isinstance(item, Misfit):
                self._judge_misfit(item, foreseen)
                continue
            wanted, why = select(item.body, routes, False, self._categories)
            if wanted and self._suppression.refuses(item.body):
                wanted, why = [], Why.SUPPRESSED
            if not wanted:
                foreseen.filtered[why] += 1
            for stream in wanted:
                worth = appraise(item.body).worth
                entry = Entry(str(foreseen.events), item.raw, received_at(item.body, now_ms), "", worth)
                entries.setdefault(stream.destination, []).append(entry)
        for name, some in entries.items():
            prospect = foreseen.wanted.setdefault(name, Prospect(self._rules(name), now_ms))
            prospect.add(some)

    def _judge_misfit(self, item: Misfit, foreseen: Foreseen) -> None:
        if self._suppression.refuses_raw(item.raw, loose=True):
            foreseen.filtered[Why.SUPPRESSED] += 1
        else:
            foreseen.misfits[item.why] += 1


def _parts(decoded: Collection[Event | Misfit]) -> Iterator[list[Event | Misfit]]:
    rest = iter(decoded)
    while part := list(islice(rest, STEP)):
        yield part
