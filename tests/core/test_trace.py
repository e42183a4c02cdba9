from __future__ import annotations

from dataclasses import replace

import pytest

from relay.core.delivery.clocks import DEDUPE_MS
from relay.core.delivery.gate import GateRecord, GateState
from relay.core.event import Attempt, DeadLetter, DeadReason, Entry, EntryClass, Lane, Worth
from relay.core.notices import Why
from relay.core.trace import (
    Fate,
    Place,
    Searched,
    Standing,
    Trace,
    Weather,
    ended_words,
    filtered_words,
    letter_next,
    letter_words,
    limit_of,
    of_entry,
    owed_next,
    owed_words,
    seconds,
    unseen_words,
    unsure_words,
)

NOW = 1_770_000_000_000
HOUR = 3_600_000
DAY_S = 86_400
ENTRY = Entry("5-0", b"{}", NOW - HOUR, "web")
LIVE = Standing(Lane.LIVE, NOW)
LETTER = DeadLetter(
    id="9-1",
    destination="shop",
    klass=EntryClass.CONVERSION,
    reason="refused",
    message="bad value",
    code=40002,
    request_id="R",
    died_ms=NOW,
    received_ms=NOW,
    first_ms=0,
    source="web",
    worth=Worth(),
    accepted=(),
    raw=b"{}",
)


@pytest.mark.parametrize(
    ("entry", "claimed_ms", "event_time_s", "shared", "limit_ms"),
    [
        (ENTRY, 0, None, False, None),
        (ENTRY, 0, 1000, False, 1000_000 + 7 * DAY_S * 1000),
        (ENTRY, 0, NOW // 1000, True, ENTRY.received_ms + DEDUPE_MS),
        (ENTRY, NOW, NOW // 1000, False, NOW + DEDUPE_MS),
        (ENTRY._replace(first_ms=77), NOW, None, True, 77 + DEDUPE_MS),
        (ENTRY._replace(first_ms=77, released=True), NOW, None, True, None),
        (ENTRY._replace(released=True), 0, 1000, True, 1000_000 + 7 * DAY_S * 1000),
    ],
)
def test_the_first_of_three_clocks_counts(
    entry: Entry, claimed_ms: int, event_time_s: int | None, shared: object, limit_ms: int | None
) -> None:
    assert limit_of(entry, claimed_ms, event_time_s, 7 * DAY_S, shared=bool(shared)) == limit_ms


@pytest.mark.parametrize(
    ("gate", "paused", "said"),
    [
        (GateRecord(), True, "paused by an operator; `relay resume shop`"),
        (
            GateRecord(GateState.OPEN, until_ms=NOW + 12_000, reason="50002", since_ms=NOW),
            False,
            "probe is due in 12 s",
        ),
        (GateRecord(GateState.OPEN, until_ms=NOW, reason="http_502", since_ms=NOW), False, "http_502"),
        (GateRecord(GateState.HELD, until_ms=NOW + 1, reason="40105", since_ms=NOW), False, "held (40105)"),
        (GateRecord(GateState.PROBING), False, "the gate is probing"),
        (GateRecord(), False, "the gate is closed: it goes out when those before it have"),
    ],
)
def test_what_happens_next_depends_on_the_gate(gate: GateRecord, paused: object, said: str) -> None:
    words = owed_next("shop", LIVE, Weather(gate, bool(paused), NOW), NOW + HOUR)
    assert said in words
    assert words.endswith("; it will pass its limit at 2026-02-02T03:40:00Z")
    assert "limit" not in owed_next("shop", LIVE, Weather(gate, bool(paused), NOW), None)


def test_what_is_past_its_limit_waits_for_nothing_else() -> None:
    words = owed_next("shop", LIVE, Weather(GateRecord(), True, NOW), NOW)
    assert "past its limit" in words
    assert "resume" not in words


def test_a_lease_says_who_has_it_and_who_had_it() -> None:
    held = Standing(Lane.BACKLOG, NOW, NOW + 5_000, NOW - 1_000)
    assert "a relay has it in hand, at the latest until 2026-02-02T02:40:05Z" in owed_words(
        EntryClass.CONVERSION, held, 1_204
    )
    assert "1,204 of its class are before it" in owed_words(EntryClass.CONVERSION, held, 1_204)
    assert "it is being sent" in owed_next("shop", held, Weather(GateRecord(), False, NOW), None)
    due = held._replace(due_ms=NOW)
    assert "TikTok may have got it then" in owed_words(EntryClass.ENGAGEMENT, due, 0)
    assert owed_words(EntryClass.ENGAGEMENT, LIVE, 0) == "owed, live engagement; 0 of its class are before it"
    assert owed_words(EntryClass.ENGAGEMENT, LIVE, None) == "owed, live engagement"


@pytest.mark.parametrize("reason", list(DeadReason))
def test_every_dead_letter_has_a_way_out(reason: DeadReason) -> None:
    letter = replace(LETTER, reason=reason.value, first_ms=NOW - HOUR)
    assert "relay dead-letters requeue shop 9-1" in letter_next(letter)
    doubles = reason in (DeadReason.OVERLAP, DeadReason.AMBIGUOUS)
    assert ("--accept-doubling" in letter_next(letter)) is doubles
    assert ("relay dead-letters discard shop 9-1" in letter_next(letter)) is doubles
    assert "TikTok may have it since 2026-02-02T01:40:00Z" in letter_words(letter)


def test_a_letter_says_what_tiktok_said() -> None:
    assert letter_words(LETTER) == "a dead letter since 2026-02-02T02:40:00Z: refused, 40002: bad value"
    assert "no message" in letter_words(replace(LETTER, code=None, message=""))
    assert letter_next(replace(LETTER, reason="bad_shape")) == "nothing by itself", "{braces} or no words: no trouble"


def test_delivered_is_a_conclusion() -> None:
    plain = ended_words((NOW - HOUR, NOW), {"unmatched": 0, "discarded": 0})
    assert "the calls log cannot name it. Delivered: every other ending" in plain
    assert "between 2026-02-02T01:40:00Z and 2026-02-02T02:40:00Z" in plain
    assert "unless it is one of these of its class: 3 discarded" in ended_words(
        (NOW, NOW), {"unmatched": 0, "discarded": 3}
    )


def test_words_for_what_is_not_here() -> None:
    assert "(no_subscription)" in filtered_words(Why.NO_SUBSCRIPTION, NOW)
    assert "never accepted here" in unseen_words()
    assert "though for app" in unseen_words("app")
    searched = Searched(1_000, 2, 10.0, complete=False)
    assert "it was accepted (conversion)" in unsure_words([EntryClass.CONVERSION], searched)
    assert "not accepted lately" in unsure_words([], searched)
    assert "1,000 owed entries and 2 dead letters" in unsure_words([], searched)


def test_calls_are_those_whose_range_holds_the_entry() -> None:
    def call(first_id: str, last_id: str, klass: EntryClass = EntryClass.CONVERSION) -> Attempt:
        return Attempt(klass, first_id, last_id, True, 1, 0, "retry", "x", "", "", 1)

    inside = [call("9-5", "10-0"), call("10-0", "10-0"), call("10-0", "100-0"), call("9-99", "10-1")]
    outside = [call("9-0", "9-99"), call("10-1", "11-0"), call("10-0", "10-0", EntryClass.ENGAGEMENT)]
    assert list(of_entry(inside + outside, EntryClass.CONVERSION, "10-0")) == inside


def test_waits_are_rounded_up() -> None:
    assert [seconds(ms) for ms in (-5, 0, 1, 1000, 1001)] == [
        "due now",
        "due now",
        "due in 1 s",
        "due in 1 s",
        "due in 2 s",
    ]


def test_what_was_met_anywhere_was_seen() -> None:
    def trace(*places: Place) -> Trace:
        return Trace("m", tuple(Fate("d", place, "", "") for place in places), Searched(0, 0, 0.0, complete=True))

    assert not trace(Place.UNSEEN, Place.UNSURE).seen
    assert not trace().seen
    assert all(trace(Place.UNSEEN, place).seen for place in set(Place) - {Place.UNSEEN, Place.UNSURE})


def test_a_pace_needs_something_searched() -> None:
    assert Searched(50, 49, 1.0, complete=True).seconds_per_million is None
    assert Searched(500_000, 500_000, 8.0, complete=True).seconds_per_million == 8.0
