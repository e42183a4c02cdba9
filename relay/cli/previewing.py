"""What a preview finds for one event, and how it is put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from relay.core.event import JsonObject
from relay.core.mapping import Item, Rejected, Request, compile_destination, compile_subscription
from relay.core.mapping.subscription import KITS
from relay.core.tiktok.validity import WORDS

_HASHED = {"email": "email", "phone": "phone", "external_id": "user id", "first_name": "first name"}
_PLAIN = {"ttclid": "TikTok click id", "ttp": "TikTok cookie", "idfa": "IDFA", "gaid": "GAID", "ip": "IP address"}
_MOST_CONTENTS = 3


@dataclass(frozen=True, slots=True)
class Result:
    """One subscription's answer: a request or an error.

    ``doubt``: why TikTok cannot take Segment's own request; ``warnings``: what is odd about a request it can take.
    """

    subscription: str
    request: JsonObject | None
    error: str | None
    repairs: tuple[str, ...] = ()
    doubt: str = ""
    warnings: tuple[str, ...] = ()

    def document(self) -> JsonObject:
        """The stable form."""
        return {
            "subscription": self.subscription,
            "request": self.request,
            "error": self.error,
            "repairs": list(self.repairs),
        }


class Previewer:
    """All subscriptions of a destination, each on its own."""

    def __init__(self, slug: str, source_id: str, subscriptions: Sequence[Mapping[str, Any]], *, repair: bool) -> None:
        """Raises MappingError with the problems of all subscriptions."""
        self._destination = compile_destination(slug, source_id, subscriptions, repair=repair)
        self._source_id = source_id
        self._repair = repair
        settings = {"accessToken": "", KITS[slug].source_setting.name: source_id}
        enabled = [subscription for subscription in subscriptions if subscription.get("enabled", True) is not False]
        self._runs = [compile_subscription(slug, settings, _as_preset(subscription)) for subscription in enabled]

    def results(self, event: JsonObject, received_s: int) -> list[Result]:
        """What the relay would send, or (without repair) what Segment would send; nothing for who does not match."""
        items = self._destination.items(event, received_s)
        if self._repair:
            return [self._sent(item) for item in items]
        answers = [answer for run in self._runs if (answer := run(event, received_s)) is not None]
        return [_answered(item, answer) for item, answer in zip(items, answers, strict=True)]

    def _sent(self, item: Item) -> Result:
        repairs = tuple(map(str, item.repairs))
        return Result(item.subscription, self._request(item), item.error, repairs, warnings=_warnings(item))

    def _request(self, item: Item) -> JsonObject | None:
        if item.data is None:
            return None
        request: JsonObject = {"event_source": item.event_source, "event_source_id": self._source_id}
        if item.test_event_code:
            request["test_event_code"] = item.test_event_code
        return {**request, "data": [item.data]}


def _as_preset(subscription: Mapping[str, Any]) -> dict[str, Any]:
    """Segment's Public API says "trigger" and "settings" for what presets call "subscribe" and "mapping"."""
    return {
        "subscribe": subscription.get("subscribe", subscription.get("trigger", "")),
        "mapping": subscription.get("mapping", subscription.get("settings")),
    }


def _answered(item: Item, answer: Request | Rejected) -> Result:
    if isinstance(answer, Rejected):
        return Result(item.subscription, None, answer.message)
    return Result(item.subscription, answer.body, None, doubt=item.error or "", warnings=_warnings(item))


def _warnings(item: Item) -> tuple[str, ...]:
    return tuple(WORDS[caution] for caution in item.cautions)


def described(index: int, event: JsonObject, results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """Lines with their style."""
    kind, name = (text if isinstance(text, str) else "" for text in (event.get("type"), _name(event)))
    yield "bold", f"{index + 1}. {kind or '(no type)'} {name}".rstrip()
    if not results:
        yield "dim", "   no subscription wants it: nothing is sent"
    for result in results:
        if result.error is not None:
            yield "red", f"   {result.subscription}: cannot be sent: {result.error}"
        elif result.request is not None:
            yield from _request_lines(result)


def _name(event: JsonObject) -> Any:
    return event.get("event") or event.get("name")


def _request_lines(result: Result) -> Iterator[tuple[str, str]]:
    item = (result.request or {})["data"][0]
    yield "green", f"   {result.subscription}: TikTok gets {item['event']} at {_moment(item['event_time'])}"
    if "event_id" in item:
        yield "", f"      deduplicated by: {item['event_id']}"
    yield (
        "",
        f"      matched to a person by: {', '.join(_identifiers(item['user'])) or 'nothing, so it cannot be matched'}",
    )
    properties = item["properties"]
    if "value" in properties or "currency" in properties:
        yield "", f"      value: {properties.get('value', 'none')} {properties.get('currency', '(no currency)')}"
    if properties["contents"]:
        yield "", f"      contents: {_contents(properties['contents'])}"
    if url := item.get("page", {}).get("url"):
        yield "", f"      page: {url}"
    for repair in result.repairs:
        yield "yellow", f"      repaired: {repair}"
    if result.doubt:
        yield "yellow", f"      warning: Segment sends this, but TikTok cannot take it: {result.doubt}"
    for warning in result.warnings:
        yield "yellow", f"      warning: {warning}"


def _moment(seconds: int | None) -> str:
    """A time, as far as the calendar of people goes."""
    if seconds is None:
        return "an unreadable time"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} seconds since 1970"


def _identifiers(user: JsonObject) -> Iterator[str]:
    """What TikTok can match on, by name: hashes say nothing to people, and the rest is personal."""
    for key, words in _HASHED.items():
        if user.get(key):
            yield f"{words} (hashed)"
    for key, words in _PLAIN.items():
        if user.get(key):
            yield words


def _contents(contents: Sequence[JsonObject]) -> str:
    shown = [
        f"{content.get('quantity', 1)} × {content.get('content_name') or content.get('content_id') or '(no id)'}"
        for content in contents[:_MOST_CONTENTS]
    ]
    more = len(contents) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
