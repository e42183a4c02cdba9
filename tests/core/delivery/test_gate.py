from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.delivery.gate import (
    FREE,
    LADDER,
    LONGEST_HOLD_MS,
    LONGEST_WAIT_MS,
    MOVES,
    PROBER_MS,
    SLOW_PROBE_MS,
    STOP,
    GateRecord,
    GateState,
    News,
    Permit,
    Signal,
    after,
    passed,
    permit,
)
from tests.twins.clock import Dice

NOW = 1_770_000_000_000
DICE = Dice(1)


def moved(
    record: GateRecord, signal: Signal, now_ms: int = NOW, *, reason: str = "", floor_s: float = 0.0
) -> GateRecord:
    after_it = after(record, News(signal, now_ms, reason, floor_s, "me"), DICE)
    assert after_it is not None
    return after_it


def test_every_state_can_be_reached_and_left() -> None:
    for state in GateState:
        assert any(to is state for (frm, _), to in MOVES.items() if frm is not state)
        assert any(to is not state for (frm, _), to in MOVES.items() if frm is state)


@settings(max_examples=100)
@given(st.sampled_from(GateState), st.sampled_from(Signal))
def test_the_table_is_the_whole_behaviour(state: GateState, signal: Signal) -> None:
    record = after(GateRecord(state), News(signal, NOW), DICE)
    assert (record.state if record else None) == MOVES.get((state, signal))


def test_an_outage_from_trip_to_close() -> None:
    record = moved(GateRecord(version=7), Signal.TRIPPED, reason="http_502")
    assert (record.state, record.reason, record.since_ms) == (GateState.OPEN, "http_502", NOW)
    assert NOW + 1_000 <= record.until_ms <= NOW + 3_000
    assert permit(record, "me", record.until_ms - 1) == STOP
    assert permit(record, "me", record.until_ms) == Permit(limit=1, probe=True, take=True)
    now = record.until_ms
    record = moved(record, Signal.DUE, now)
    for size in LADDER:
        assert permit(record, "me", now) == Permit(limit=size, probe=True)
        assert permit(record, "other", now) == STOP
        record = moved(record, passed(record, size), now)
    assert record == GateRecord(version=7)
    assert permit(record, "other", now) == FREE


def test_waits_grow_with_decorrelated_jitter_up_to_a_minute() -> None:
    record, now, waits = moved(GateRecord(), Signal.TRIPPED), NOW, []
    for _ in range(30):
        now = record.until_ms
        record = moved(moved(record, Signal.DUE, now), Signal.FAILED, now)
        waits.append(record.until_ms - now)
    assert all(1_000 <= wait <= LONGEST_WAIT_MS for wait in waits)
    assert max(waits) > 20_000
    assert len(set(waits)) > 10


def test_a_passed_rung_forgets_the_back_off_and_a_failed_one_starts_below() -> None:
    record = GateRecord(GateState.PROBING, step=2, wait_ms=60_000, prober="me", since_ms=5)
    assert moved(record, Signal.PASSED).wait_ms == 0
    failed = moved(record, Signal.FAILED, reason="timeout")
    assert (failed.state, failed.step, failed.reason, failed.since_ms) == (GateState.OPEN, 0, "timeout", 5)


def test_too_few_entries_prove_nothing_for_the_next_rung() -> None:
    record = GateRecord(GateState.PROBING, step=2, prober="me")
    assert passed(record, 49) is Signal.SERVED
    assert passed(record, 49, served=3) is Signal.SERVED
    assert passed(record, 49, served=4) is Signal.PASSED  # five in a row: there is no more traffic than that
    assert passed(record, 50) is Signal.PASSED
    assert (moved(record, Signal.SERVED).step, moved(record, Signal.PASSED).step) == (2, 3)
    assert passed(replace(record, step=3), 250) is Signal.CLIMBED


def test_what_tiktok_asks_for_is_a_floor() -> None:
    assert moved(GateRecord(), Signal.TRIPPED, floor_s=300).until_ms >= NOW + 300_000


def test_held_is_probed_slowly_and_stays_held_until_a_probe_passes() -> None:
    held = moved(GateRecord(), Signal.FAULT, reason="40105")
    assert (held.state, held.until_ms) == (GateState.HELD, NOW + SLOW_PROBE_MS)
    now = held.until_ms
    assert permit(held, "me", now - 1) == STOP
    probing = moved(held, Signal.DUE, now)
    assert probing.state is GateState.HELD
    assert permit(probing, "me", now) == Permit(limit=1, probe=True)
    again = moved(probing, Signal.FAULT, now, reason="40105")
    assert (again.until_ms, again.since_ms) == (now + SLOW_PROBE_MS, NOW)
    assert moved(probing, Signal.FAILED, now).until_ms == now + SLOW_PROBE_MS
    assert moved(probing, Signal.PASSED, now).state is GateState.PROBING


def test_waking_makes_the_probe_due_and_drops_an_older_prober() -> None:
    probing = moved(moved(GateRecord(), Signal.FAULT), Signal.DUE)
    woken = moved(probing, Signal.WOKEN)
    assert permit(woken, "other", NOW) == Permit(limit=1, probe=True, take=True)
    assert after(GateRecord(), News(Signal.WOKEN, NOW), DICE) is None


def test_a_vanished_prober_is_replaced() -> None:
    probing = GateRecord(GateState.PROBING, step=1, prober="gone", prober_until_ms=NOW + PROBER_MS)
    assert permit(probing, "me", NOW + PROBER_MS - 1) == STOP
    assert permit(probing, "me", NOW + PROBER_MS) == Permit(limit=10, probe=True, take=True)
    taken = moved(probing, Signal.DUE, NOW + PROBER_MS)
    assert (taken.prober, taken.step) == ("me", 1)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(Signal), max_size=40))
def test_after_any_history_a_wait_ends_and_good_news_closes(signals: list[Signal]) -> None:
    record, now = GateRecord(), NOW
    for signal in signals:
        record = after(record, News(signal, now, replica="me"), DICE) or record
        now += 1_000
    for _ in range(2 * len(LADDER)):
        now = max(now, record.until_ms, record.prober_until_ms)
        allowed = permit(record, "me", now)
        assert allowed.limit
        if allowed.take:
            record = moved(record, Signal.DUE, now)
        if record.state is not GateState.CLOSED:
            record = moved(record, passed(record, LADDER[record.step]), now)
    assert record.state is GateState.CLOSED


@pytest.mark.parametrize("state", GateState)
def test_asking_changes_nothing(state: GateState) -> None:
    record = GateRecord(state, version=3, until_ms=NOW)
    before = replace(record)
    permit(record, "me", NOW)
    assert record == before


def test_a_clock_that_was_set_back_does_not_keep_the_gate_shut() -> None:
    record = GateRecord(state=GateState.OPEN, until_ms=NOW)
    assert permit(record, "me", NOW - LONGEST_HOLD_MS) == STOP
    assert permit(record, "me", NOW - LONGEST_HOLD_MS - 1) == Permit(limit=1, probe=True, take=True)
