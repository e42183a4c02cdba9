from __future__ import annotations

from dataclasses import replace

import pytest

from relay.core.delivery.mode import Mode, ModeRecord, declared, failed_back, failed_over, next_step

STANDBY = ModeRecord(Mode.STANDBY, 3)
OVER = ModeRecord(Mode.FAILOVER, 4, since_ms=500)
BACK = ModeRecord(Mode.FAILBACK, 5, since_ms=500, until_ms=900)


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.STANDBY])
def test_a_new_destination_begins_as_configured(mode: Mode) -> None:
    assert declared(None, mode) == ModeRecord(mode)


@pytest.mark.parametrize("record", [STANDBY, OVER, BACK, replace(BACK, closed=True)])
def test_a_restart_changes_nothing_but_a_changed_configuration_does(record: ModeRecord) -> None:
    assert declared(record, Mode.STANDBY) is None
    assert declared(record, Mode.ACTIVE) == ModeRecord(Mode.ACTIVE, record.version)


def test_who_was_active_finishes_everything_first() -> None:
    assert declared(ModeRecord(version=2), Mode.STANDBY) == ModeRecord(Mode.FAILBACK, 2, since_ms=0)
    assert declared(ModeRecord(version=2), Mode.ACTIVE) is None


def test_a_failover_only_reaches_further_back() -> None:
    assert failed_over(STANDBY, 500) == ModeRecord(Mode.FAILOVER, 3, since_ms=500)
    assert failed_over(OVER, 500) is None
    assert failed_over(OVER, 501) is None
    assert failed_over(OVER, 499) == replace(OVER, since_ms=499)
    assert failed_over(BACK, 1000) == ModeRecord(Mode.FAILOVER, 5, since_ms=500), "what is unfinished is not forgotten"
    assert failed_over(BACK, 100) == ModeRecord(Mode.FAILOVER, 5, since_ms=100)
    assert failed_over(ModeRecord(), 500) is None


def test_a_failback_closes_and_then_stands_by() -> None:
    assert failed_back(OVER) == ModeRecord(Mode.FAILBACK, 4, since_ms=500)
    assert [failed_back(record) for record in (STANDBY, BACK, ModeRecord())] == [None, None, None]
    assert next_step(BACK) == replace(BACK, closed=True)
    assert next_step(replace(BACK, closed=True)) == ModeRecord(Mode.STANDBY, 5)
    assert [next_step(record) for record in (STANDBY, OVER, ModeRecord())] == [None, None, None]
