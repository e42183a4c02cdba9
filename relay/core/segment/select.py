"""Which destinations want an event, and how it ranks there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from relay.core.event import EntryClass, JsonObject, StreamKey
from relay.core.notices import Why
from relay.core.segment.consent import ADVERTISING, forbidden_by_consent, forbidden_by_integrations

EVENT_TESTER = "segment-test-message-"


class Route:
    """A destination as intake sees it.

    ``matches`` names the TikTok events of the subscriptions that match an event; ``conversions`` says which of those
    names earn money; ``integration_names`` are the keys that mean this destination in an ``integrations`` object.
    """

    __slots__ = ("conversion", "conversions", "engagement", "integration_names", "matches")

    def __init__(
        self,
        name: str,
        integration_names: frozenset[str],
        matches: Callable[[JsonObject], tuple[str, ...]],
        conversions: frozenset[str],
    ) -> None:
        self.integration_names = integration_names
        self.matches = matches
        self.conversions = conversions
        # Made once: whoever groups entries by stream need only look whether it is the same object again.
        self.conversion = StreamKey(name, EntryClass.CONVERSION)
        self.engagement = StreamKey(name, EntryClass.ENGAGEMENT)


Selection = tuple[list[StreamKey], Why]


def select(
    event: JsonObject,
    routes: Sequence[Route],
    sdk: bool,  # noqa: FBT001 - which of two doors
    categories: frozenset[str] = ADVERTISING,
) -> Selection:
    """The stream of every route that wants ``event``; with none, the reason why nobody gets it.

    ``sdk`` is True for events straight from an SDK, whose ``integrations`` nobody has applied yet.
    """
    if why := _never_sent(event):
        return [], why
    wanted: list[StreamKey] = []
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
            # A name that only the mapping of the whole event would tell ('') may be a purchase's.
            engagement = route.conversions.isdisjoint(names) and "" not in names
            wanted.append(route.engagement if engagement else route.conversion)
    return wanted, Why.NONE if wanted else why


def keepable(
    event: JsonObject,
    why: Why,
    routes: Sequence[Route],
    sdk: bool,  # noqa: FBT001 - which of two doors
    categories: frozenset[str] = ADVERTISING,
) -> bool:
    """Whether a filtered event may be archived: only that no subscription matched stands against sending it.

    Who refused, the visitor or the sender, and be it for one destination, is not kept: a mapping of tomorrow must not
    find it.
    """
    if why is not Why.NO_SUBSCRIPTION or forbidden_by_consent(event, categories):
        return False
    return not any(forbidden_by_integrations(event, route.integration_names, sdk=sdk) for route in routes)


def _never_sent(event: JsonObject) -> Why:
    message_id = event.get("messageId")
    if type(message_id) is str and message_id.startswith(EVENT_TESTER):
        return Why.EVENT_TESTER
    return Why.DELETE_CALL if event.get("type") == "delete" else Why.NONE
