"""One call to TikTok as the log keeps it: about 110 bytes of text, so that 50,000 calls are 8 MB in all.

``class initial|first id|last id|whole|items|ms|verdict|label|lease number|request id|log id``; ``%`` and ``|`` in names
are escaped, and ``%`` alone for a log id says that it is the request id, as with TikTok it mostly is.
"""

from __future__ import annotations

from relay.adapters.redis.memo import escape, unescape
from relay.core.event import Attempt, EntryClass

LONGEST_ID = 80
"""Characters of a request or log id. They come from the other side, and TikTok's have 34."""
CLASSES = {klass.value[0]: klass for klass in EntryClass}
SAME = "%"  # no escaped name is just that


def write(attempt: Attempt) -> bytes:
    """The text of field ``a``."""
    klass, first_id, last_id, whole, items, at_ms, verdict, label, request_id, log_id, number = attempt
    request, log = escape(request_id[:LONGEST_ID]), escape(log_id[:LONGEST_ID])
    text = (
        f"{klass.value[0]}|{first_id}|{last_id}|{whole:d}|{items}|{at_ms}|{verdict}|{escape(label)}|{number}|{request}|"
        f"{SAME if log and log == request else log}"
    )
    return text.encode("utf-8", "surrogatepass")


def read(text: bytes) -> Attempt | None:
    """The call again; None for what another version wrote."""
    try:
        klass, first_id, last_id, whole, items, at_ms, verdict, label, number, request, log = text.decode(
            "utf-8", "surrogatepass"
        ).split("|")
        return Attempt(
            klass=CLASSES[klass],
            first_id=first_id,
            last_id=last_id,
            whole=whole == "1",
            items=int(items),
            at_ms=int(at_ms),
            verdict=verdict,
            label=unescape(label),
            request_id=unescape(request),
            log_id=unescape(request if log == SAME else log),
            number=int(number),
        )
    except (ValueError, KeyError):
        return None
