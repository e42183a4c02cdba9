"""A call to TikTok and what came back, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One POST to ``/event/track/``: compact JSON, at most 500 items and 900 KB."""

    destination: str
    body: bytes
    items: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What TikTok answered. ``code`` is the integer of the JSON body whatever the HTTP status (TikTok sheet §5.2).

    ``error`` names a transport failure (``timeout``, ``reset``, ``refused``, ``dns``, ``tls``, ``other``), '' if none;
    ``sent`` is False only when it is certain that no byte of the request reached TikTok.
    """

    status: int | None
    code: int | None
    message: str = ""
    failed_items: tuple[int, ...] | None = None  # data.failed_events[].order_in_batch of a 20001
    request_id: str = ""
    log_id: str = ""
    retry_after: float | None = None
    error: str = ""
    sent: bool = True
    seconds: float = 0.0
