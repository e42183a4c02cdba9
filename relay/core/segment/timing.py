"""Time of an event that comes straight from an SDK: what Segment does at its own door (Segment sheet section 2.3).

``timestamp = receivedAt - (sentAt - originalTimestamp)`` takes the error of the client's clock out, because sentAt and
originalTimestamp were read from the same clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from relay.core.event import JsonObject

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# Beyond this the two clocks are not "a bit wrong": either the device's date was never set (then both of its times are
# equally wrong and the correction is right), or sentAt alone is rubbish (then the correction would do the damage).
ABSURD_SKEW_MS = 30 * 86_400_000
LONGEST_WAIT_MS = 28 * 86_400_000  # TikTok takes nothing older, so a longer wait on the device makes no difference
SMALLEST_EPOCH_MS = 100_000_000_000  # numbers below are seconds: as milliseconds they would lie before March 1973
LAST_MS = 253_402_300_799_999  # 9999-12-31, the last day that can be written
# Characters without the blanks around them; the longest that ``Date.prototype.toString`` writes are about 70. Patterns
# and parsers below need the square of a text's length for some texts, and here anybody's text comes by.
LONGEST = 128

TIMES = ("receivedAt", "timestamp", "originalTimestamp", "sentAt")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
ISO_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")
GO_STRING = re.compile(r"(\S+ [\d:]+)(\.\d+)? ([+-]\d{4}) \S+( m=\S+)?")  # time.Time.String()
BRACKETS = re.compile(r"\s*\([^)]*\)\s*$")
JS_STRING = re.compile(r"(\w{3}) (\w{3}) (\d\d) (\d{4}) ([\d:]{8}) GMT([+-]\d{4})")  # Date.prototype.toString()


def correct_time(event: JsonObject, sent_at: Any, received_ms: int) -> JsonObject:
    """Members to set: ``receivedAt``, ``originalTimestamp``, ``timestamp``, ``sentAt``; ``event`` stays as it is.

    ``sent_at`` is the envelope's; an item's own wins. A time that nobody can read is handed on unread. A clock that is
    absurdly wrong is flagged with ``clockSkewMs``, and its sentAt is believed only if the correction makes sense.
    """
    sent_at = event.get("sentAt") or sent_at
    original = event.get("timestamp") or event.get("originalTimestamp")
    changes: JsonObject = {"receivedAt": format_time(received_ms)}
    if sent_at:
        changes["sentAt"] = sent_at
    if not original:
        changes["timestamp"] = changes["receivedAt"]
        return changes
    changes["originalTimestamp"] = original
    changes["timestamp"] = original
    corrected_ms, skew_ms = _corrected(read_time(original), read_time(sent_at), received_ms)
    if skew_ms is not None:
        changes["clockSkewMs"] = skew_ms
    if corrected_ms is not None and 0 <= corrected_ms <= LAST_MS:
        changes["timestamp"] = format_time(corrected_ms)
    return changes


def _corrected(original_ms: int | None, sent_ms: int | None, received_ms: int) -> tuple[int | None, int | None]:
    """The corrected time, and the skew of the clock where it is absurd."""
    if original_ms is None or sent_ms is None:
        return original_ms, None
    skew_ms, waited_ms = sent_ms - received_ms, sent_ms - original_ms
    if abs(skew_ms) <= ABSURD_SKEW_MS:
        return received_ms - waited_ms, None
    return received_ms - waited_ms if 0 <= waited_ms <= LONGEST_WAIT_MS else original_ms, skew_ms


def format_time(epoch_ms: int) -> str:
    """ISO 8601 with milliseconds and Z, as Segment writes times."""
    moment = EPOCH + epoch_ms * MILLISECOND
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def read_time(value: Any) -> int | None:
    """Epoch milliseconds of the spellings that SDKs and hand-written clients use; None when unreadable.

    ISO 8601 (no zone means UTC), epoch seconds or milliseconds, RFC 2822, and what JavaScript and Go print by default.
    A longer text than ``LONGEST`` is no date.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return _read_text(value.strip()) if isinstance(value, str) else _epoch(float(value))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _read_text(text: str) -> int | None:
    if len(text) > LONGEST:
        return None
    if NUMBER.fullmatch(text) and not ISO_DATE.fullmatch(text):
        return _epoch(float(text))
    return _moment(_iso(text) if ISO_DATE.match(text) else _words(text))


def received_at(event: JsonObject, now_ms: int) -> int:
    """When Segment received an event that comes out of an archive; now, where it tells no time in the past.

    Without a ``receivedAt`` it was received when it happened: taken for new, an old purchase would count twice.
    """
    own_ms = told_time(event)
    return own_ms if own_ms is not None and 0 < own_ms < now_ms else now_ms


def told_time(event: JsonObject) -> int | None:
    """The first time an event tells that can be read, its receipt before all others, in epoch milliseconds."""
    return next((at for name in TIMES if (at := read_time(event.get(name))) is not None), None)


def _epoch(number: float) -> int:
    if abs(number) > LAST_MS:
        raise ValueError("no date that can be written")
    return int(number if abs(number) >= SMALLEST_EPOCH_MS else number * 1000)


def _moment(moment: datetime) -> int:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (zoned - EPOCH) // MILLISECOND


def _iso(text: str) -> datetime:
    found = GO_STRING.fullmatch(text)
    if found:
        fraction = (found[2] or "")[:7]  # nanoseconds: fromisoformat reads six digits
        return datetime.fromisoformat(f"{found[1]}{fraction}{found[3]}")
    return datetime.fromisoformat(text)


def _words(text: str) -> datetime:
    found = JS_STRING.fullmatch(BRACKETS.sub("", text))
    if found:
        return parsedate_to_datetime(f"{found[1]}, {found[3]} {found[2]} {found[4]} {found[5]} {found[6]}")
    return parsedate_to_datetime(text)
