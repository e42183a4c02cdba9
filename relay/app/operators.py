"""What operators can do to a running relay, as the admin port calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from relay.adapters.web.admin_answers import Declined
from relay.app.mappings import LiveMapping
from relay.core.delivery.gate import PAUSED
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.delivery.prospect import SENDABLE, Prospect
from relay.core.errors import StoreMisused
from relay.core.event import JsonObject
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.engine.intake import Intake
from relay.engine.prospects import Prospects
from relay.ports import Clock

ADMIN_SOURCE = "admin"


class Senders(NamedTuple):
    """The names of the sources there are. ``apart``: not all of them feed the same destinations as everybody else."""

    names: Sequence[str]
    apart: bool

    def source(self, named: str | None) -> str:
        """The source whose events these are; Declined when there is none of that name, or one has to be named.

        Without a name they would be owed to every destination: what a shop's web page said, to its app as well.
        """
        there = ", ".join(self.names)
        if named is None and self.apart:
            told = f"Not every source feeds every destination here, so say whose events these are. Sources: {there}."
            raise Declined(409, "source_needed", told)
        if named is not None and named not in self.names:
            raise Declined(400, "no_such_source", f"There is no source of that name. Sources: {there}.")
        return ADMIN_SOURCE if named is None else named


class Operators:
    """Events and previews through the operators' port; both go the way that real events go."""

    def __init__(
        self,
        intake: Intake,
        prospects: Prospects,
        mappings: Mapping[str, LiveMapping],
        senders: Senders,
        waits: Callable[[], Mapping[str, str]],
        clock: Clock,
        max_events: int,
        depth: int,
    ) -> None:
        """``waits``: destinations that send nothing now, and why: ``standing_by`` or ``paused``."""
        self._intake, self._prospects, self._mappings, self._clock = intake, prospects, mappings, clock
        self._senders, self._waits, self._max_events, self._depth = senders, waits, max_events, depth

    async def receive(self, body: bytes, named: str | None) -> Mapping[str, int]:
        """``POST /api/events``: any shape a webhook may have; events by outcome.

        ``named``: the source they go as. What comes through this port comes out of a file, so its clocks run since
        Segment received it (``receivedAt``).
        """
        source, decoded = self._senders.source(named), self._decoded(body)
        try:
            receipt = await self._intake.backfill(decoded, source)
        except StoreMisused as refusal:
            raise Declined(503, "store_unavailable", f"The store refused these events: {refusal}") from None
        if receipt.refused:
            raise Declined(400, receipt.refused.value, "Nothing in the body is an event.")
        return {name: getattr(receipt, name) for name in ("accepted", "duplicate", "filtered", "dead")}

    async def foresee(self, body: bytes, named: str | None) -> JsonObject:
        """``POST /api/events?dry_run=true``: what would become of these events, by destination; nothing is stored."""
        foreseen = await self._prospects.foresee(self._decoded(body), self._senders.source(named))
        waits = self._waits()
        return {
            "events": foreseen.events,
            "misfits": {why.value: count for why, count in foreseen.misfits.items()},
            "filtered": {why.value: count for why, count in foreseen.filtered.items()},
            "destinations": {name: outcomes_of(foreseen.wanted.get(name), waits.get(name)) for name in self._mappings},
        }

    def _decoded(self, body: bytes) -> Decoded:
        """The events of a body; Declined when it holds none."""
        opened = open_envelope(body, self._max_events)
        if isinstance(opened, Unreadable):
            raise Declined(400, opened.why.value, opened.message or "These are no events.")
        return Decoded(opened.items, partial(webhook_event, raw=opened.raw, max_depth=self._depth))

    def preview(self, document: JsonObject) -> JsonObject:
        """``POST /api/preview``: what each destination would send for ``{"events": […]}``."""
        events = document.get("events")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise Declined(400, "bad_shape", 'Expected {"events": [{…}, …]}.')
        now_s = self._clock.now_ms() // 1000
        shown = [{"index": index, "results": self._results(event, now_s)} for index, event in enumerate(events)]
        return {"success": True, "events": shown}

    def _results(self, event: JsonObject, now_s: int) -> list[JsonObject]:
        return [
            {"destination": name, "subscription": item.subscription, "item": item.data, "error": item.error}
            for name, mapping in self._mappings.items()
            for item in mapping.items(event, now_s)
        ]


def waits(modes: Mapping[str, ModeRecord], gates: Mapping[str, str]) -> dict[str, str]:
    """The destinations that would keep what is put in now, without sending it: ``standing_by`` or ``paused``."""
    idle = dict.fromkeys((name for name, gate in gates.items() if gate == PAUSED), "paused")
    standing = (name for name, record in modes.items() if record.mode in (Mode.STANDBY, Mode.FAILBACK))
    return idle | dict.fromkeys(standing, "standing_by")


def outcomes_of(prospect: Prospect | None, waits: str | None) -> JsonObject:
    """Outcome → entries and their value in micro-units, which add up exactly over many requests.

    ``waits``: why a destination sends nothing now, in place of ``sendable``.
    """
    shares = prospect.shares if prospect else {}
    return {
        (waits or outcome) if outcome == SENDABLE else outcome: {
            "entries": share.entries,
            "value_micros": dict(share.value_micros),
        }
        for outcome, share in shares.items()
    }
