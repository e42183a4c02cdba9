"""A mapping and a TikTok small enough for tests of the engine: both do what the event or the test says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from relay.core.event import NO_WORTH, JsonObject, Worth
from relay.core.tiktok.reply import Call, Reply

OK = Reply(200, 0, "OK", request_id="R")
TIMEOUT = Reply(None, None, error="timeout")
REFUSED = Reply(None, None, error="refused", sent=False)
BAD_GATEWAY = Reply(502, None)
THROTTLED = Reply(200, 40100, "Too many requests. Please retry in some time.")
REVOKED = Reply(200, 40105, "Access token is incorrect or has been revoked.")


@dataclass(frozen=True, slots=True)
class PlainItem:
    """An item as delivery sees it."""

    subscription: str
    event_source: str
    test_event_code: str
    error: str | None
    body: bytes
    event_time: int | None
    remarks: tuple[str, ...] = ()
    event: str = ""
    worth: Worth = NO_WORTH


class PlainMapping:
    """Events are ``{"id", "time", "names", "broken", "test", "source", "bad"}``: one item a name."""

    event_source_id = "PIXEL"

    def items(self, event: JsonObject, received_s: int) -> Sequence[PlainItem]:
        return [self._item(event, name, received_s) for name in event.get("names", ["Purchase"])]

    def _item(self, event: JsonObject, name: str, received_s: int) -> PlainItem:
        time = event.get("time", received_s)
        data = {"event": name, "event_id": event["id"], "event_time": time, "bad": event.get("bad", False)}
        return PlainItem(
            subscription=name,
            event_source=event.get("source", "web"),
            test_event_code=event.get("test", ""),
            error="cannot be mapped" if name in event.get("broken", ()) else None,
            body=orjson.dumps(data),
            event_time=time,
            event=name,
            worth=Worth(round(event.get("value", 0) * 1_000_000), event.get("currency", "")),
        )


@dataclass
class ScriptedTikTok:
    """Answers by ``script`` (a reply, or a function of the decoded items), remembers what was received."""

    script: Callable[[list[JsonObject]], Reply] = field(default=lambda _: OK)
    calls: list[list[str]] = field(default_factory=list)
    bodies: list[JsonObject] = field(default_factory=list)
    stored: Counter[str] = field(default_factory=Counter)

    async def send(self, call: Call) -> Reply:
        body = orjson.loads(call.body)
        items = body["data"]
        assert len(items) == call.items
        self.bodies.append(body)
        self.calls.append([item["event_id"] for item in items])
        reply = self.script(items)
        if reply.code == 0:
            self.stored.update(f"{item['event']}/{item['event_id']}" for item in items)
        return reply


def refuses_bad(items: list[JsonObject], style: str = "") -> Reply:
    """A call with a bad item is refused whole; ``style`` names its index, e.g. ``data[{}]``."""
    for index, item in enumerate(items):
        if item["bad"]:
            where = style.format(index) if style else "something"
            return Reply(200, 40002, f"Invalid value for {where}.properties.value", request_id="B")
    return OK
