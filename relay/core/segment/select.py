"""Which destinations want an event, and how it ranks there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from relay.core.event import EntryClass, JsonObject
from relay.core.notices import Why
from relay.core.segment.consent import ADVERTISING, forbidden_by_consent, forbidden_by_integrations

EVENT_TESTER = "segment-test-message-"


@dataclass(frozen=True, slots=True)
class Route:
    """A destination as intake sees it.

    ``matches`` names the TikTok events of the subscriptions that match an event; ``conversions`` says which of those
    names earn money; ``integration_names`` are the keys that mean this destination in an ``integrations`` object.
    """

    name: str
    integration_names: frozenset[str]
    matches: Callable[[JsonObject], tuple[str, ...]]
    conversions: frozenset[str]


Selection = tuple[list[tuple[Route, EntryClass]], Why]


def select(
    event: JsonObject,
    routes: Sequence[Route],
    sdk: bool,  # noqa: FBT001 - which of two doors
    categories: frozenset[str] = ADVERTISING,
) -> Selection:
    """Every route that wants ``event`` with its class; with none, the reason why nobody gets it.

    ``sdk`` is True for events straight from an SDK, whose ``integrations`` nobody has applied yet.
    """
    if why := _never_sent(event):
        return [], why
    wanted: list[tuple[Route, EntryClass]] = []
    why = Why.NO_SUBSCRIPTION
    for route in routes:
        names = route.matches(event)
        if not names:
            continue
        if forbidden_by_integrations(event, route.integration_names, sdk=sdk):
            why = Why.INTEGRATION_OFF
        elif forbidden_by_consent(event, categories):
            why = Why.CONSENT_REFUSED
        else:
            engagement = route.conversions.isdisjoint(names)
            wanted.append((route, EntryClass.ENGAGEMENT if engagement else EntryClass.CONVERSION))
    return wanted, Why.NONE if wanted else why


def _never_sent(event: JsonObject) -> Why:
    message_id = event.get("messageId")
    if type(message_id) is str and message_id.startswith(EVENT_TESTER):
        return Why.EVENT_TESTER
    return Why.DELETE_CALL if event.get("type") == "delete" else Why.NONE
