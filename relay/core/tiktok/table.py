"""What TikTok's answers mean, as data (TikTok sheet section 5.5). Nothing here decides; ``verdict.py`` reads it.

``stored`` says whether TikTok may keep something of the call although it did not say ``OK``: parameter, permission
and throttling codes are given before anything is written (no), faults inside TikTok may come after (unknown).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What to do about a reply."""

    DELIVERED = "delivered"  # the call is over; entries named in failed_events are refused
    RETRY = "retry"  # TikTok's trouble: everything stays owed
    SLOW_DOWN = "slow_down"  # throttled: everything stays owed, the governor waits
    HOLD = "hold"  # token or configuration fault: keep everything, stop this destination
    SPLIT = "split"  # something in the call is bad: find it, send the rest
    DEAD_LETTER = "dead_letter"  # a split of a call with one item: that item is bad


class Stored(StrEnum):
    """Whether TikTok may have kept items of the call."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class Row(NamedTuple):
    """One line of the table. ``patience``: how often the same call is sent before a verdict of splitting counts."""

    verdict: Verdict
    stored: Stored
    patience: int = 1
    wait_s: int = 0  # the gate stays open at least this long
    too_big: bool = False  # the call is at fault, not an item of it: halves may both be fine


OK = Row(Verdict.DELIVERED, Stored.YES)
AGAIN = Row(Verdict.RETRY, Stored.UNKNOWN)
AGAIN_NOT_STORED = Row(Verdict.RETRY, Stored.NO)
SLOW = Row(Verdict.SLOW_DOWN, Stored.NO)
HOLD = Row(Verdict.HOLD, Stored.NO)
SPLIT = Row(Verdict.SPLIT, Stored.NO)
TOO_BIG = Row(Verdict.SPLIT, Stored.NO, too_big=True)
THRICE = Row(Verdict.SPLIT, Stored.NO, patience=3)

CODES: dict[int, Row] = {
    0: OK,
    20001: OK,  # partial success: failed_events are refused, the rest accepted
    40000: SPLIT,  # invalid parameters
    40001: HOLD,  # no permission on the pixel or event set
    40002: SPLIT,  # parameter error; HOLD when the message names the call itself (NAMES_THE_CALL)
    40003: HOLD,
    40006: HOLD,  # version or parameters mismatch
    40007: HOLD,  # object does not exist
    40008: HOLD,  # endpoint not implemented
    40009: HOLD,  # sandbox: the wrong host
    40010: HOLD,  # domain not supported in this version
    40011: TOO_BIG,  # too many ids in one call
    40012: OK,  # nothing to update
    40013: HOLD,
    40014: HOLD,
    40016: SLOW,  # too frequent, app level
    40050: OK,  # duplicate requests: delivered before
    40051: HOLD,  # invalid API version
    40061: TOO_BIG,  # invalid batch size
    40062: SPLIT,  # personal data not hashed
    40063: HOLD,  # invalid partner name
    40065: THRICE,
    40100: SLOW,
    **dict.fromkeys((40101, 40106, 40108, 40109, 40110, 40112, 40114, 40115, 40116, 40117, 40119), HOLD),
    40102: HOLD,  # token expired
    40103: HOLD,
    40104: HOLD,  # token missing
    40105: HOLD,  # token invalid or revoked
    40107: HOLD,
    40113: HOLD,  # app blocked or gone
    40118: HOLD,  # not on the allow-list
    **dict.fromkeys((40124, 40125, 40130, 40131), HOLD),  # developer or scope permission
    40132: SLOW,  # pixel-level limit
    40133: SLOW,  # advertiser-level limit
    40200: AGAIN,
    40201: AGAIN,
    40202: AGAIN,  # write conflict
    40300: HOLD,  # advertiser missing
    40301: HOLD,  # advertiser mismatched
    40400: HOLD,  # route not found
    40502: THRICE,
    40700: Row(Verdict.SPLIT, Stored.UNKNOWN, patience=3),  # internal service validation
    41000: HOLD,  # caller's IP in a banned country
    41001: HOLD,  # endpoint offline
    41002: SPLIT,  # field no longer in use
    50000: AGAIN,
    50002: AGAIN,
    51305: AGAIN,
    **dict.fromkeys((*range(51000, 51068), 51099), AGAIN),  # internal service faults
    **dict.fromkeys((*range(52000, 52004), *range(52100, 52104), *range(52201, 52205), 53102, 53103), AGAIN),  # storage
    60001: Row(Verdict.RETRY, Stored.UNKNOWN, wait_s=300),  # maintenance: five minutes at least
    61000: SLOW,
    70001: HOLD,  # invalid business auth type
}

RANGES: tuple[tuple[range, Row], ...] = (
    (range(40900, 41000), THRICE),  # ad and file codes, not for events
    (range(40000, 50000), SPLIT),  # client error range
    (range(50000, 70000), AGAIN),  # service error range
)
UNHEARD_OF = AGAIN  # a code of no known range: unknown means retry, or one new code empties the store into dead letters

STATUSES: dict[int, Row] = {  # only for answers without a JSON code
    401: HOLD,
    403: HOLD,
    404: HOLD,  # wrong path
    405: HOLD,  # wrong method
    408: AGAIN,
    413: TOO_BIG,  # body too big
    429: SLOW,
}
STATUS_RANGES: tuple[tuple[range, Row], ...] = (
    (range(400, 500), SPLIT),
    # 2xx is a proxy's page or a truncated body, 3xx a proxy's doing, 5xx a fault: same event_id again
    (range(100, 600), AGAIN),
)

# A parameter error that names one of these is about the call, not about an item: the configuration is at fault.
# ``event_source`` also begins ``event_source_id``; an item's own ``lead_event_source`` does not match.
NAMES_THE_CALL = re.compile(r"\b(?:event_source|partner_name)")


def row_of(status: int | None, code: int | None) -> Row:
    """The line for an answer: the JSON code when there is one, else the HTTP status, else (no answer) retry."""
    if code is not None:
        return CODES.get(code) or _in(RANGES, code)
    if status is not None:
        return STATUSES.get(status) or _in(STATUS_RANGES, status)
    return AGAIN


def _in(ranges: tuple[tuple[range, Row], ...], number: int) -> Row:
    return next((row for span, row in ranges if number in span), UNHEARD_OF)
