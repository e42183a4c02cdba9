"""What operators can do to a running relay, as the admin port calls it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from relay.adapters.web.admin_answers import Declined
from relay.app.mappings import LiveMapping
from relay.core.errors import StoreMisused
from relay.core.event import JsonObject
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.engine.intake import Intake
from relay.ports import Clock

ADMIN_SOURCE = "admin"


class Operators:
    """Events and previews through the operators' port; both go the way that real events go."""

    def __init__(
        self, intake: Intake, mappings: Mapping[str, LiveMapping], clock: Clock, max_events: int, depth: int
    ) -> None:
        self._intake, self._mappings, self._clock = intake, mappings, clock
        self._max_events, self._depth = max_events, depth

    async def receive(self, body: bytes) -> Mapping[str, int]:
        """``POST /api/events``: any shape a webhook may have; events by outcome."""
        opened = open_envelope(body, self._max_events)
        if isinstance(opened, Unreadable):
            raise Declined(400, opened.why.value, opened.message or "These are no events.")
        finish = partial(webhook_event, raw=opened.raw, max_depth=self._depth)
        try:
            receipt = await self._intake.receive(Decoded(opened.items, finish), ADMIN_SOURCE, sdk=False)
        except StoreMisused as refusal:
            raise Declined(503, "store_unavailable", f"The store refused these events: {refusal}") from None
        if receipt.refused:
            raise Declined(400, receipt.refused.value, "Nothing in the body is an event.")
        return {name: getattr(receipt, name) for name in ("accepted", "duplicate", "filtered", "dead")}

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
