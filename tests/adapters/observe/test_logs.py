from __future__ import annotations

import io
import json
import typing
from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.observe.logs import BUDGET, DEBUG, INFO, WINDOW_S, Logs
from relay.core import notices as told
from relay.core.event import DeadReason, EntryClass, Lane, StreamKey
from relay.core.notices import Notice, Outcome, Why
from tests.adapters.observe.notices import BACKLOG, EVERY, NOW_MS, PURCHASES, VIEWS, surveyed
from tests.twins.clock import FakeClock


class Desk:
    """Logs on a stream that can be read back."""

    def __init__(self, level: str = "info", form: str = "json") -> None:
        self.clock = FakeClock(NOW_MS)
        self.stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # a C locale
        self.logs = Logs(self.stream, self.clock, level=level, form=form)

    def tell(self, *notices: Notice) -> None:
        for notice in notices:
            self.logs(notice)

    def window(self) -> None:
        self.clock.jump(WINDOW_S)
        self.logs(told.LoopLagged(0.0))

    def text(self) -> str:
        self.stream.flush()
        buffer = self.stream.buffer
        assert isinstance(buffer, io.BytesIO)
        found = buffer.getvalue().decode("ascii")
        buffer.seek(0)
        buffer.truncate()
        return found

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


def test_every_kind_of_notice_is_read_in_both_forms() -> None:
    assert {type(notice) for notice in EVERY} == set(typing.get_args(Notice))
    for form in ("json", "console"):
        desk = Desk("debug", form)
        desk.tell(*EVERY)
        desk.window()
        text = desk.text()
        for word in ("gate_moved", "entries_buried", "events_received", "entries_delivered", "backlog_standing"):
            assert word in text


def test_a_line_has_time_level_event_and_fields() -> None:
    desk = Desk()
    desk.tell(told.GateMoved("tiktok", "closed", "open", "http_502"))
    (line,) = desk.lines()
    assert line == {
        "timestamp": "2026-02-02T02:40:00.000Z",
        "level": "warning",
        "event": "gate_moved",
        "destination": "tiktok",
        "before": "closed",
        "after": "open",
        "reason": "http_502",
    }


def test_a_refused_mapping_lists_its_problems_without_what_people_wrote() -> None:
    desk = Desk()
    desk.tell(told.MappingRefused("shop", 7, ("/etc/m.json: Lead: /a has an invalid directive: @bar.", "is 'Jane D.'")))
    (line,) = desk.lines()
    assert (line["level"], line["event"], line["destination"]) == ("warning", "mapping_refused", "shop")
    assert line["count"] == 7
    assert line["problems"] == ["/etc/m.json: Lead: /a has an invalid directive: @bar.", "is '[value]'"]


def test_shedding_is_one_warning_a_window() -> None:
    desk = Desk()
    desk.tell(*[told.EntriesShed(VIEWS, 250)] * 40)
    assert desk.lines() == []
    desk.window()
    (line,) = desk.lines()
    assert (line["event"], line["level"], line["count"]) == ("entries_shed", "warning", 10_000)
    assert (line["destination"], line["class"]) == ("tiktok", "engagement")


def test_good_news_are_no_warnings() -> None:
    desk = Desk()
    desk.tell(
        told.GateMoved("tiktok", "probing", "closed", ""), told.EmbeddedChanged("started"), told.EmbeddedChanged("died")
    )
    assert [line["level"] for line in desk.lines()] == ["info", "info", "error"]


def test_a_busy_window_is_a_handful_of_lines() -> None:
    desk = Desk()
    for _ in range(10_000):
        desk.tell(told.EventsReceived("segment", Outcome.ACCEPTED, 1, seconds=0.001))
        desk.tell(told.EntriesDelivered(PURCHASES, Lane.LIVE, (0.2, 0.4)))
        desk.tell(told.CallAnswered("tiktok", "delivered", "0", 2, 0.1))
    assert desk.lines() == []
    desk.window()
    received, delivered = desk.lines()
    assert (received["event"], received["level"], received["accepted"]) == ("events_received", "info", 10_000)
    assert received["per_second"] == 1000
    assert delivered | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "entries_delivered",
        "destination": "tiktok",
        "class": "conversion",
        "count": 20_000,
        "mean_delay": 0.3,
        "longest_delay": 0.4,
        "live": 20_000,
    }
    desk.window()
    assert desk.lines() == [], "a quiet window says nothing"


def test_refusals_make_the_summary_a_warning_with_reasons() -> None:
    desk = Desk()
    desk.tell(told.EventsReceived("segment", Outcome.REFUSED, 2, Why.BAD_JSON))
    desk.window()
    (line,) = desk.lines()
    assert (line["level"], line["refused"], line["reasons"]) == ("warning", 2, {"bad_json": 2})


def test_who_asks_for_debug_lines_gets_all_of_them() -> None:
    answered = [told.RequestAnswered("intake", 200, f"proxy-{number}") for number in range(3 * BUDGET)]
    for level, lines in ((DEBUG, 3 * BUDGET), (INFO, 0)):
        desk = Desk(level)
        for notice in answered:
            desk.tell(notice)
        desk.window()
        assert [line["event"] for line in desk.lines()] == ["request_answered"] * lines


def test_a_storm_of_burials_is_cut_and_the_rest_counted() -> None:
    desk = Desk()
    for number in range(1000):
        desk.tell(told.EntriesBuried(PURCHASES, DeadReason.REFUSED, 1, 40002, "bad", f"{number}-0"))
    desk.tell(told.EntriesBuried(PURCHASES, DeadReason.EXPIRED, 1))
    assert [line["reason"] for line in desk.lines()] == ["refused"] * BUDGET + ["expired"]
    desk.window()
    (line,) = desk.lines()
    assert (line["event"], line["kind"], line["lines"]) == ("lines_withheld", "entries_buried", 1000 - BUDGET)
    desk.tell(told.EntriesBuried(PURCHASES, DeadReason.REFUSED, 1, 40002, "bad", "x"))
    assert len(desk.lines()) == 1, "the next window has a budget of its own"


def test_what_is_below_the_level_costs_no_budget_and_no_line() -> None:
    desk = Desk()
    desk.tell(*[told.PaceChanged("tiktok", 8, "clean second")] * 1000)
    desk.window()
    assert desk.lines() == []


def test_a_standing_backlog_is_said_every_window() -> None:
    desk = Desk()
    desk.tell(surveyed(BACKLOG, gate="open"))
    desk.window()
    (line,) = desk.lines()
    assert (line["event"], line["backlog"], line["oldest_age"]) == ("backlog_standing", 20, 90.0)
    assert (line["gate"], line["drain_eta"]) == ("open", 12.5)


def test_what_a_paused_destination_is_owed_is_a_standing_backlog() -> None:
    desk = Desk()
    desk.tell(surveyed(replace(BACKLOG, backlog=0), gate="paused"))
    desk.window()
    (line,) = desk.lines()
    assert (line["event"], line["backlog"], line["gate"]) == ("backlog_standing", 30, "paused")


def test_stopping_says_what_was_left_to_say() -> None:
    desk = Desk()
    desk.tell(told.EventsReceived("segment", Outcome.ACCEPTED, 7), told.ServiceStopped(clean=True, seconds=1.0))
    assert [line["event"] for line in desk.lines()] == ["events_received", "service_stopped"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_forges_a_line_or_leaks_a_person(form: str) -> None:
    desk = Desk(form=form)
    evil = "no\n2026 [info] all is well \x1b[31m jane@example.com ünïcode \udc80"
    desk.tell(
        told.CallAnswered("tiktok", "dead_letter", "40002", 1, 0.1, message=evil),
        told.EntriesBuried(StreamKey("tiktok", EntryClass.CONVERSION), DeadReason.REFUSED, 1, 40002, evil, "1-0"),
        told.SenderRefused("a\nb", Why.UNKNOWN_SOURCE, 503, 0),
    )
    text = desk.text()
    assert text.count("\n") == 3
    assert "\x1b" not in text
    assert "jane" not in text


def test_infinite_forecasts_are_valid_json() -> None:
    desk = Desk()
    notice = told.StoreSurveyed(surveyed(BACKLOG).survey, {}, {}, {"tiktok": float("inf")})
    desk.tell(notice)
    desk.window()
    (line,) = desk.lines()
    assert line["drain_eta"] is None


def test_unmatched_entries_name_their_stream() -> None:
    desk = Desk()
    desk.tell(told.EntriesUnmatched(VIEWS, 3))
    (line,) = desk.lines()
    assert (line["destination"], line["class"], line["count"]) == ("tiktok", "engagement", 3)


def test_moved_letters_leave_minutes() -> None:
    desk = Desk()
    desk.tell(told.DeadLettersMoved("tiktok", "release", 4, "all reason=overlap event=Order\nCompleted", {"EUR": 12.5}))
    (line,) = desk.lines()
    assert (line["event"], line["action"], line["count"], line["value"]) == (
        "dead_letters_moved",
        "release",
        4,
        {"EUR": 12.5},
    )
    assert line["chosen"].startswith("all reason=overlap event=Order")
    assert "\n" not in line["chosen"]
