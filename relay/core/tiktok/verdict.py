"""From a reply to what it means: ``judge`` reads the table and the message, and decides nothing about entries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from relay.core.tiktok.reply import Reply
from relay.core.tiktok.table import AGAIN_NOT_STORED, HOLD, NAMES_THE_CALL, Stored, Verdict, row_of

__all__ = ["Judgement", "Stored", "Verdict", "judge", "named_item"]

PARTIAL = 20001
PARAMETER_ERROR = 40002
HIGHEST_CODE = 100_000
LONGEST_RETRY_AFTER_S = 900.0
MESSAGE_LENGTH = 500
"""A message is kept with every dead letter: a page of HTML has no place there."""

# Zero-based in every form seen (TikTok sheet section 5.3). The first match in this order counts; what it names is sent
# alone before it is believed, so a wrong guess costs one call and no event.
INDEX_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bdata\s?\[\s?(\d{1,4})\s?\]",
        r"\bdata\.(\d{1,4})(?=\D|$)",
        r"\bbatch\.(\d{1,4})(?=\D|$)",
        r"\bbatch\s?\[\s?(\d{1,4})\s?\]",
        r"\bindex(?:\s|=|:|\sis)*\s?(\d{1,4})\b",
    )
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reply means for the call it answers.

    ``label`` is TikTok's code, ``http_502`` style without one, or an error name: a closed set fit for metrics.
    ``bad_item`` is the zero-based index the message names; ``failed_items`` those of a partial success. ``wait_s`` is
    a floor for the next call: TikTok's word or the table's.
    """

    verdict: Verdict
    stored: Stored
    label: str
    message: str = ""
    code: int | None = None
    bad_item: int | None = None
    failed_items: tuple[int, ...] = ()
    patience: int = 1
    wait_s: float = 0.0
    too_big: bool = False
    request_id: str = ""


def judge(reply: Reply, items: int) -> Judgement:
    """Judge the reply to a call of ``items`` items."""
    row = AGAIN_NOT_STORED if reply.error and not reply.sent else row_of(reply.status, reply.code)
    if reply.code == PARAMETER_ERROR and NAMES_THE_CALL.search(reply.message):
        row = HOLD
    single = row.verdict is Verdict.SPLIT and items == 1
    return Judgement(
        verdict=Verdict.DEAD_LETTER if single else row.verdict,
        stored=row.stored,
        label=label_of(reply),
        message=reply.message[:MESSAGE_LENGTH],
        code=reply.code,
        bad_item=named_item(reply.message, items) if row.verdict is Verdict.SPLIT else None,
        failed_items=failed_items(reply, items),
        patience=row.patience,
        wait_s=max(float(row.wait_s), min(reply.retry_after or 0.0, LONGEST_RETRY_AFTER_S)),
        too_big=row.too_big,
        request_id=reply.request_id,
    )


def label_of(reply: Reply) -> str:
    """How metrics call this answer."""
    if reply.code is not None:
        return str(reply.code) if 0 <= reply.code < HIGHEST_CODE else "other"
    if reply.error:
        return reply.error
    return f"http_{reply.status}" if reply.status is not None else "no_answer"


def failed_items(reply: Reply, items: int) -> tuple[int, ...]:
    """The items a partial success refused. A list that names an item the call never had is not believed at all."""
    if reply.code != PARTIAL or reply.failed_items is None:
        return ()
    if any(not 0 <= index < items for index in reply.failed_items):
        return ()
    return tuple(sorted(set(reply.failed_items)))


def named_item(message: str, items: int) -> int | None:
    """The zero-based index of the item a message names, when it names one that the call had."""
    for form in INDEX_FORMS:
        found = form.search(message)
        if found is not None and int(found[1]) < items:
            return int(found[1])
    return None
