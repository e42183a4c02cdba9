"""TikTok's side of one call: outage, token, limits, JSON, top level, permission, partner, size, items, count.

The order is that of the TikTok sheet, section 10. No network and no clock: moments and dice are arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from relay.simulator.answers import Envelope, no_permission
from relay.simulator.checks import PARAMETER, PARTIAL, Fault, item_faults, partner_fault, size_fault, top_fault
from relay.simulator.control import TOKEN_CODES, Control, updated
from relay.simulator.counting import Counting, Fate
from relay.simulator.limits import Windows
from relay.simulator.outage import STORED_FIRST, TOO_LARGE, Page, Sick, Silence, is_on, symptom

Answer = Envelope | Page | Silence


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call arrives: seconds since the epoch (without the offset), a steady clock, and a dice from [0, 1)."""

    now: float
    steady: float
    dice: float = 0.0


class Platform:
    """All state of one simulator."""

    def __init__(self, control: Control, steady: float) -> None:
        self.control = control
        self.counting = Counting()
        self.requests = 0
        self.by_code: Counter[str] = Counter()
        self._windows = Windows()
        self._outage_set = steady

    def change(self, changes: Mapping[str, Any], steady: float) -> Control:
        """Move switches; raises ``ControlFault`` and moves none when one is wrong."""
        self.control = updated(self.control, changes)
        if "outage" in changes:
            self._outage_set = steady
        if "limits" in changes:
            self._windows.clear()
        return self.control

    def forget(self) -> None:
        """Begin counting afresh."""
        self.counting, self.requests, self.by_code = Counting(), 0, Counter()

    def summary(self) -> dict[str, Any]:
        """What ``GET /counted`` shows."""
        return {**self.counting.summary(), "requests": self.requests, "by_code": dict(self.by_code)}

    def track(self, token: str | None, raw: bytes, moment: Moment) -> Answer:
        """One POST to ``/event/track/``."""
        self.requests += 1
        self.counting.called(self._now_ms(moment))
        outage = self.control.outage
        ill = is_on(outage, moment.steady - self._outage_set, moment.dice)
        if ill and outage.kind in STORED_FIRST:
            self._served(token, raw, moment)  # its answer exists, and nobody will read it
        answer = _ill_answer(outage.kind) if ill else self._served(token, raw, moment)
        self.by_code[_label(answer, outage.kind)] += 1
        return answer

    def pixel(self, source_id: str, event: str, event_id: str, moment: Moment) -> Fate:
        """The browser's pixel sent an event by itself."""
        return self.counting.pixel(source_id, event, event_id, self._now_ms(moment), self._window_ms())

    def _now_ms(self, moment: Moment) -> int:
        return int((moment.now + self.control.clock_offset_s) * 1000)

    def _window_ms(self) -> int:
        return int(self.control.dedupe_hours * 3_600_000) if self.control.dedupe else 0

    def _served(self, token: str | None, raw: bytes, moment: Moment) -> Answer:
        control, now = self.control, moment.now + self.control.clock_offset_s
        if refused := _token_fault(token, control):
            return refused
        if throttled := self._windows.token(token or "", control.limits, now):
            return Envelope(*throttled)
        if control.max_body and len(raw) > control.max_body:
            return TOO_LARGE
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return Envelope(PARAMETER, "Invalid request body: not valid JSON.")
        if fault := top_fault(body, control):
            return _refusal(fault, control)
        return self._judged(token or "", body, moment, now)

    def _judged(self, token: str, body: dict[str, Any], moment: Moment, now: float) -> Answer:
        control, source_id = self.control, body["event_source_id"]
        allowed = control.permissions.get(token)
        if TOKEN_CODES.get(control.token_state) == 40001 or (allowed is not None and source_id not in allowed):
            return no_permission(source_id)
        if throttled := self._windows.pixel(source_id, control.limits, now):
            return Envelope(*throttled)
        if fault := partner_fault(body, control) or size_fault(body, control):
            return _refusal(fault, control)
        return self._items(body, moment, now)

    def _items(self, body: dict[str, Any], moment: Moment, now: float) -> Envelope:
        control, items = self.control, body["data"]
        failed: dict[int, Fault] = {}
        for fault in item_faults(items, body["event_source"], control, now):
            if control.batch_mode == "all_or_nothing" and fault.code != PARTIAL:
                return _refusal(fault, control)
            failed[fault.index or 0] = fault
        kept = [item for index, item in enumerate(items) if index not in failed] if failed else items
        self._count(body, kept, moment)
        if failed:
            return _partial(failed, len(items), control)
        return Envelope(0)

    def _count(self, body: dict[str, Any], items: list[dict[str, Any]], moment: Moment) -> None:
        if body.get("test_event_code") and self.control.test_events == "left_out":
            self.counting.test_events += len(items)
            return
        window, remember = self._window_ms(), self.control.remember_ids
        self.counting.api(body["event_source_id"], items, self._now_ms(moment), window, remember)


def _token_fault(token: str | None, control: Control) -> Envelope | None:
    code = TOKEN_CODES.get(control.token_state)
    if not token or code == 40104:
        return Envelope(40104)
    if token.startswith("Bearer ") or (control.tokens and token not in control.tokens):
        return Envelope(40105)
    return Envelope(code) if code in {40102, 40105} else None


def _refusal(fault: Fault, control: Control) -> Envelope:
    return Envelope(fault.code, fault.message(control.index_style))


def _partial(failed: Mapping[int, Fault], items: int, control: Control) -> Envelope:
    """Some refused, the rest stored; all refused is 40000, as the app routes have it (TikTok sheet section 5.3)."""
    listed = [
        {"order_in_batch": index, "error_code": fault.code, "reason": fault.message(control.index_style)}
        for index, fault in failed.items()
    ]
    return Envelope(40000 if len(failed) == items else PARTIAL, data={"failed_events": listed})


def _ill_answer(kind: str) -> Answer:
    answer = symptom(kind)
    return Envelope(answer.code) if isinstance(answer, Sick) else answer


def _label(answer: Answer, outage_kind: str) -> str:
    """``0``, ``40002``, ``http_502``, ``hang``, ``reset``, ``lost``, ``lost_hang``."""
    if isinstance(answer, Envelope):
        return str(answer.code)
    return f"http_{answer.status}" if isinstance(answer, Page) else outage_kind
