from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.tiktok.reply import Reply
from relay.core.tiktok.table import CODES, row_of
from relay.core.tiktok.verdict import Stored, Verdict, judge, named_item

CLASSES = {
    "ACK": Verdict.DELIVERED,
    "RETRY": Verdict.RETRY,
    "SLOW": Verdict.SLOW_DOWN,
    "PAUSE": Verdict.HOLD,
    "BISECT": Verdict.SPLIT,
    "DLQ": Verdict.SPLIT,  # of a batch: split until the item is alone
}


def sheet_rows(shared: Path) -> list[tuple[list[int], str]]:
    """The table of TikTok sheet section 5.5: codes of each line and its class."""
    text = (shared / "facts" / "tiktok_events_api.md").read_text(encoding="utf-8")
    section = text[text.index("### 5.5") : text.index("## 6. Rate limits")]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.match(r"\d{1,5}[\d, –]*$", cells[0]):
            rows.append(([code for part in cells[0].split(",") for code in span(part)], cells[3]))
    return rows


def span(part: str) -> list[int]:
    first, _, last = part.strip().partition("–")
    return list(range(int(first), int(last or first) + 1))


def test_every_code_of_the_sheet_has_the_sheets_class(shared: Path) -> None:
    rows = sheet_rows(shared)
    assert sum(len(codes) for codes, _ in rows) > 130
    for codes, text in rows:
        wanted = CLASSES[re.split(r"\W", text)[0]]
        for code in codes:
            row = row_of(200, code)
            if code == 40700:  # RETRY x3, then BISECT: patience comes first in the split
                assert (row.verdict, row.patience) == (Verdict.SPLIT, 3)
            else:
                assert (code, row.verdict) == (code, wanted)
            assert "3 tries" not in text or row.patience == 3
            assert "5 min" not in text or row.wait_s >= 300


@pytest.mark.parametrize(
    ("status", "code", "verdict", "stored"),
    [
        (200, 0, Verdict.DELIVERED, Stored.YES),
        (500, 0, Verdict.DELIVERED, Stored.YES),
        (401, 40100, Verdict.SLOW_DOWN, Stored.NO),  # the body outranks the status: throttled, not a bad token
        (401, 40105, Verdict.HOLD, Stored.NO),
        (200, 40002, Verdict.SPLIT, Stored.NO),
        (400, 40002, Verdict.SPLIT, Stored.NO),
        (200, 40950, Verdict.SPLIT, Stored.NO),
        (200, 43210, Verdict.SPLIT, Stored.NO),
        (200, 55555, Verdict.RETRY, Stored.UNKNOWN),
        (200, 62000, Verdict.RETRY, Stored.UNKNOWN),
        (200, 99, Verdict.RETRY, Stored.UNKNOWN),
        (200, -1, Verdict.RETRY, Stored.UNKNOWN),
        (200, None, Verdict.RETRY, Stored.UNKNOWN),
        (302, None, Verdict.RETRY, Stored.UNKNOWN),
        (401, None, Verdict.HOLD, Stored.NO),
        (403, None, Verdict.HOLD, Stored.NO),
        (404, None, Verdict.HOLD, Stored.NO),
        (405, None, Verdict.HOLD, Stored.NO),
        (408, None, Verdict.RETRY, Stored.UNKNOWN),
        (413, None, Verdict.SPLIT, Stored.NO),
        (422, None, Verdict.SPLIT, Stored.NO),
        (429, None, Verdict.SLOW_DOWN, Stored.NO),
        (502, None, Verdict.RETRY, Stored.UNKNOWN),
        (None, None, Verdict.RETRY, Stored.UNKNOWN),
    ],
)
def test_body_first_then_status(status: int | None, code: int | None, verdict: Verdict, stored: Stored) -> None:
    judgement = judge(Reply(status, code), items=2)
    assert (judgement.verdict, judgement.stored) == (verdict, stored)


def test_a_transport_error_is_a_retry_in_doubt_unless_nothing_left() -> None:
    assert judge(Reply(None, None, error="timeout"), 2).stored is Stored.UNKNOWN
    assert judge(Reply(None, None, error="dns", sent=False), 2).stored is Stored.NO
    assert judge(Reply(None, None, error="dns", sent=False), 2).verdict is Verdict.RETRY


def test_a_truncated_answer_is_in_doubt_whatever_its_status() -> None:
    assert judge(Reply(200, None, error="reset"), 2) == judge(Reply(None, None, error="reset"), 2)


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("Invalid value for event_source: must be web, app or offline.", Verdict.HOLD),
        ("Invalid value for event_source_id: not a valid string.", Verdict.HOLD),
        ("partner_name is not registered", Verdict.HOLD),
        ("Invalid value for event_id: not a valid string.", Verdict.SPLIT),
        ("Batch.0.lead.lead_event_source: Not a valid string", Verdict.SPLIT),
        ("", Verdict.SPLIT),
    ],
)
def test_a_parameter_error_about_the_call_holds(message: str, verdict: Verdict) -> None:
    assert judge(Reply(200, 40002, message), 2).verdict is verdict


def test_a_refused_single_is_a_dead_letter() -> None:
    assert judge(Reply(200, 40002, "data[0] is bad"), 1).verdict is Verdict.DEAD_LETTER
    assert judge(Reply(413, None), 1).verdict is Verdict.DEAD_LETTER


@pytest.mark.parametrize(
    ("message", "index"),
    [
        ("Invalid value for data[2].properties.value", 2),
        ("Invalid value for data.2.event_time", 2),
        ("data.2", 2),
        ("Error at index 2: event_time", 2),
        ("index: 2", 2),
        ("index=2", 2),
        ("index is 2", 2),
        ("Batch.0.properties.contents.0.content_id: Not a valid string", 0),
        ("Batch.3.properties.contents.0.content_id: Not a valid string", 3),
        ("batch[3].user", 3),
        ("data[9]", None),  # the call had five items
        ("data[9] and index 4", 4),
        ("metadata.2.x", None),
        ("reindex 2", None),
        ("Missing required field(s): event", None),
        ("data[99999999999]", None),
        ("", None),
    ],
)
def test_the_named_item_in_every_known_form(message: str, index: int | None) -> None:
    assert named_item(message, 5) == index


@settings(max_examples=100)
@given(st.text(), st.integers(min_value=1, max_value=1000))
def test_a_named_item_is_always_one_of_the_call(message: str, items: int) -> None:
    index = named_item(f"data[{message}] {message}", items)
    assert index is None or 0 <= index < items


@pytest.mark.parametrize(
    ("failed", "believed"),
    [((1, 3), (1, 3)), ((3, 1, 1), (1, 3)), (None, ()), ((), ()), ((1, 5), ()), ((-1,), ())],
)
def test_partial_success_is_believed_when_every_index_fits(
    failed: tuple[int, ...] | None, believed: tuple[int, ...]
) -> None:
    judgement = judge(Reply(200, 20001, failed_items=failed), 5)
    assert (judgement.verdict, judgement.failed_items) == (Verdict.DELIVERED, believed)


def test_failed_items_count_only_for_a_partial_success() -> None:
    assert judge(Reply(200, 0, failed_items=(1,)), 5).failed_items == ()


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        (Reply(200, 40105), "40105"),
        (Reply(502, None), "http_502"),
        (Reply(None, None, error="timeout"), "timeout"),
        (Reply(None, None), "no_answer"),
        (Reply(200, 123456789), "other"),
    ],
)
def test_labels_are_a_closed_set(reply: Reply, label: str) -> None:
    assert judge(reply, 2).label == label


def test_what_tiktok_asks_for_is_a_floor_within_reason() -> None:
    assert judge(Reply(200, 40100, retry_after=7.0), 2).wait_s == 7.0
    assert judge(Reply(503, None, retry_after=1e9), 2).wait_s == 900.0
    assert judge(Reply(200, 60001), 2).wait_s == 300.0


def test_no_code_is_delivered_but_those_tiktok_took() -> None:
    assert {code for code, row in CODES.items() if row.stored is Stored.YES} == {0, 20001, 40012, 40050}
