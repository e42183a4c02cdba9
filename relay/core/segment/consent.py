"""Whether the sender or the visitor forbids a destination."""

from __future__ import annotations

from relay.core.event import JsonObject

ADVERTISING = frozenset({"Advertising"})


def forbidden_by_integrations(event: JsonObject, names: frozenset[str], *, sdk: bool) -> bool:
    """Whether ``integrations`` turns off a destination that is known under ``names``.

    From SDKs the full rule holds: a destination that is not named follows ``All``. What comes through a Segment webhook
    has already passed that rule for the webhook's own name, and Replay and Engage rewrite the object to
    ``{"All": false, "<the webhook>": true}``: there only an explicit false for TikTok is a refusal.
    """
    flags = event.get("integrations")
    if not flags or type(flags) is not dict:
        return False  # null, and PHP's [] for an empty object, forbid nothing
    named = [flags[name] for name in names if name in flags]
    if any(flag is False for flag in named):
        return True
    return sdk and not named and flags.get("All") is False


def forbidden_by_consent(event: JsonObject, categories: frozenset[str]) -> bool:
    """Whether the visitor refused one of ``categories`` in ``context.consent.categoryPreferences``."""
    context = event.get("context")
    consent = context.get("consent") if type(context) is dict else None
    preferences = consent.get("categoryPreferences") if type(consent) is dict else None
    if type(preferences) is not dict:
        return False  # most events say nothing about consent
    return any(preferences.get(category) is False for category in categories)
