"""The id by which repetitions of an event are recognised (Segment sheet section 2.6)."""

from __future__ import annotations

import hashlib
import json

from relay.core.event import JsonObject

# These differ between two deliveries of one and the same event.
TRANSPORT = frozenset({"sentAt", "receivedAt", "_metadata", "writeKey"})
DERIVED_PREFIX = "relay-"


def identify(event: JsonObject) -> str:
    """``messageId`` as text, else RudderStack's ``message_id``, else a hash of everything but transport fields.

    A derived id is stable over retries, but Segment's own copy of that event carries another id that nobody here can
    know, so TikTok cannot recognise the two as one.
    """
    own = event.get("messageId")
    if isinstance(own, str) and own:
        return own
    if isinstance(own, int) and not isinstance(own, bool):
        return str(own)
    other = event.get("message_id")
    if isinstance(other, str) and other:
        return other
    return DERIVED_PREFIX + hashlib.blake2b(_canonical(event), digest_size=16).hexdigest()


def _canonical(event: JsonObject) -> bytes:
    kept = {name: value for name, value in event.items() if name not in TRANSPORT}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()
