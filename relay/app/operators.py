"""What operators can do to a running relay, as the admin port calls it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from relay.adapters.web.admin_answers import Declined
from relay.app.mappings import LiveMapping
from relay.core.delivery.prospect import Prospect
from relay.core.errors import StoreMisused
from relay.core.event import JsonObject
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.engine.intake import Intake
from relay.engine.prospects import Prospects
from relay.ports import Clock

ADMIN_SOURCE = "admin"


class Operators:
    """Events and previews through the operators' port; both go the way that real events go."""

    def __init__(
        self,
        intake: Intake,
        prospects: Prospects,
        mappings: Mapping[str, LiveMapping],
        clock: Clock,
        max_events: int,
        depth: int,
    ) -> None:
        self._intake, self._prospects, self._mappings, self._clock = intake, prospects, mappings, clock
        self._max_events, self._depth = max_events, depth

    async def receive(self, body: bytes) -> Mapping[str, int]:
        """``POST /api/events``: any shape a webhook may have; events by outcome.

        What comes through this port comes out of a file, so its clocks run since Segment received it (``receivedAt``).
        """
        decoded = self._decoded(body)
        try:
            receipt = await self._intake.backfill(decoded, ADMIN_SOURCE)
        except StoreMisused as refusal:
            raise Declined(503, "store_unavailable", f"The store refused these events: {refusal}") from None
        if receipt.refused:
            raise Declined(400, receipt.refused.value, "Nothing in the body is an event.")
        return {name: getattr(receipt, name) for name in ("accepted", "duplicate", "filtered", "dead")}

    async def foresee(self, body: bytes) -> JsonObject:
        """``POST /api/events?dry_run=true``: what would become of these events, by destination; nothing is stored."""
        foreseen = await self._prospects.foresee(self._decoded(body))
        return {
            "events": foreseen.events,
            "misfits": {why.value: count for why, count in foreseen.misfits.items()},
            "filtered": {why.value: count for why, count in foreseen.filtered.items()},
            "destinations": {name: outcomes_of(foreseen.wanted.get(name)) for name in self._mappings},
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


def outcomes_of(prospect: Prospect | None) -> JsonObject:
    """Outcome → entries and their value in micro-units, which add up exactly over many requests."""
    shares = prospect.shares if prospect else {}
    return {
        outcome: {"entries": share.entries, "value_micros": dict(share.value_micros)}
        for outcome, share in shares.items()
    }
