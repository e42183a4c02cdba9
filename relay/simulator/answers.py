"""TikTok's envelope around every answer, and the HTTP status it travels with (TikTok sheet sections 5.1 and 5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

# Seen verbatim where TikTok's wording is known (TikTok sheet section 5.4).
MESSAGES = {
    0: "OK",
    20001: "Partial success.",
    40000: "Invalid parameters.",
    40102: "Access token has expired.",
    40104: "Access token is null, you should set it in http header with key Access-Token.",
    40105: "Access token is incorrect or has been revoked.",
    50000: "System error.",
    50002: "Internal error, please try again later.",
    51010: "Internal service timed out.",
    60001: "The system is under maintenance.",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One JSON answer."""

    code: int
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """The bytes of the answer."""
        message = self.message or MESSAGES.get(self.code, f"Error {self.code}.")
        return orjson.dumps({"code": self.code, "message": message, "request_id": request_id, "data": self.data})

    def status(self, http_mode: str) -> int:
        """200 for everything, or the mapping that some clients report."""
        if http_mode == "mapped" and self.code == 40002:
            return 400
        return 401 if http_mode == "mapped" and 40100 <= self.code <= 40109 else 200


def no_permission(source_id: str) -> Envelope:
    """The answer to a token whose user lost the role on the pixel, or never had it."""
    return Envelope(
        40001,
        f"No permission to operate pixel code: {source_id}. "
        "You must be an admin or operator of this advertiser account.",
    )


def request_id(now: float, dice: int) -> str:
    """UTC time and upper-case hex, as TikTok's look; ``now`` in seconds, ``dice`` a random integer of 64 bits."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M%S}{dice:016X}"
