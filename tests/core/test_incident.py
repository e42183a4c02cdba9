from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.delivery.gate import PAUSED
from relay.core.event import EntryClass, StoreSurvey, StreamKey, StreamSurvey
from relay.core.incident import (
    BACKLOG,
    FAILOVER,
    GATE,
    Incident,
    Look,
    Patience,
    Peak,
    Standing,
    Vigil,
    closed,
    counted,
    due,
    look_at,
    opened,
    over,
    sampled,
    troubled,
    watched,
    wrong,
)
from relay.core.notices import StoreSurveyed

NOW = 1_770_000_000_000
MINUTE = 60_000
PATIENCE = Patience()


def look(
    at_ms: int = NOW,
    gate: str = "closed",
    *,
    owed: int = 0,
    backlog: int = 0,
    oldest: int | None = None,
    mode: str = "active",
    books: Mapping[str, int] | None = None,
) -> Look:
    return Look(Standing(at_ms, owed, {"USD": owed * 10}, dict(books or {})), gate, backlog, oldest, mode)


def begun(at: Look, *causes: str) -> Incident:
    return replace(opened("d", 1, at, causes or (GATE,), PATIENCE, since_ms=0, reason="http_502"), version=1)


def test_a_look_adds_up_the_classes_of_one_destination() -> None:
    streams = [
        StreamSurvey(StreamKey("d", EntryClass.CONVERSION), 3, 1, 0, NOW - 500, {"USD": 7}, {"accepted": 5}),
        StreamSurvey(StreamKey("d", EntryClass.ENGAGEMENT), 2, 2, 0, NOW - 900, {"USD": 1, "EUR": 2}, {"accepted": 4}),
        StreamSurvey(StreamKey("other", EntryClass.ENGAGEMENT), 50, 50, 0, 1, {"USD": 99}, {"accepted": 77}),
    ]
    replayed = look_at(
        StoreSurveyed(StoreSurvey(tuple(streams), {}, 0, 0, NOW), {}, {}),
        "d",
        replayed=sum(one.backlog for one in streams),
    )
    assert not replayed.stands
    found = look_at(StoreSurveyed(StoreSurvey(tuple(streams), {}, 0, 0, NOW), {"d": "held"}, {}), "d")
    assert found == Look(Standing(NOW, 5, {"USD": 8, "EUR": 2}, {"accepted": 9}), "held", 3, NOW - 900)
    assert found.oldest_age_ms == 900


@pytest.mark.parametrize(
    ("seen", "causes"),
    [
        (look(), ()),
        (look(gate="open"), (GATE,)),
        (look(gate="probing"), (GATE,)),
        (look(gate="held", mode="failover"), (GATE, FAILOVER)),
        (look(mode="failover"), (FAILOVER,)),
        (look(mode="standby", owed=10, backlog=10), ()),
        (look(gate=PAUSED, owed=10), ()),
        (look(owed=10, backlog=10), ()),  # not for long enough yet
    ],
)
def test_what_opens(seen: Look, causes: tuple[str, ...]) -> None:
    assert wrong(watched(Vigil(), seen, None), seen, PATIENCE) == causes


def test_a_backlog_opens_only_when_it_stands() -> None:
    vigil = watched(Vigil(), look(backlog=5, owed=5), None)
    later = look(NOW + MINUTE - 1, backlog=5, owed=5)
    assert wrong(watched(vigil, later, None), later, PATIENCE) == ()
    then = look(NOW + MINUTE, backlog=5, owed=5)
    assert wrong(watched(vigil, then, None), then, PATIENCE) == (BACKLOG,)
    gone = watched(vigil, look(NOW + MINUTE - 1), None)
    assert wrong(watched(gone, then, None), then, PATIENCE) == (), "it began anew"
    paused = look(NOW + MINUTE, PAUSED, backlog=5, owed=5)
    assert wrong(watched(vigil, paused, None), paused, PATIENCE) == (), "an operator wanted that"


def test_it_closes_when_the_backlog_of_that_time_is_settled() -> None:
    incident = begun(look(gate="open"))
    incident = troubled(incident, look(NOW + 5 * MINUTE, "open", owed=9))
    assert incident.troubled_ms == NOW + 5 * MINUTE
    vigil = Vigil()
    for at, seen in (
        ("shut", look(NOW + 6 * MINUTE, "probing")),
        ("backlog", look(NOW + 6 * MINUTE, owed=4, backlog=4, oldest=NOW + 7 * MINUTE)),
        ("owed of that time", look(NOW + 6 * MINUTE, owed=1, oldest=NOW + 5 * MINUTE)),
        ("paused", look(NOW + 6 * MINUTE, PAUSED)),
        ("fail-over", look(NOW + 6 * MINUTE, mode="failover")),
        ("its end", look(NOW + 6 * MINUTE, mode="failback")),
    ):
        vigil = watched(vigil, seen, incident)
        assert not vigil.calm_since_ms, at
    fresh = look(NOW + 7 * MINUTE, owed=3, oldest=NOW + 7 * MINUTE - 100)
    vigil = watched(vigil, fresh, incident)
    assert vigil.calm_since_ms == NOW + 7 * MINUTE, "what is fresh is owed all the time"
    assert not over(vigil, fresh, PATIENCE)
    at_last = look(NOW + 8 * MINUTE)
    vigil = watched(vigil, at_last, incident)
    assert over(vigil, at_last, PATIENCE)
    done, _ = closed(incident, vigil, at_last)
    assert (done.settled_ms, done.closed_ms, done.ongoing) == (NOW + 7 * MINUTE, NOW + 8 * MINUTE, False)


def test_what_stands_by_keeps_no_incident_open() -> None:
    incident = troubled(begun(look(mode="failover"), FAILOVER), look(NOW + MINUTE, mode="failback"))
    seen = look(NOW + 2 * MINUTE, mode="standby", owed=9, backlog=9, oldest=NOW)
    assert watched(Vigil(), seen, incident).calm_since_ms
    assert not watched(Vigil(), seen, incident).backlog_since_ms
    assert troubled(incident, seen) == incident
    assert not watched(Vigil(), replace(seen, mode="active"), incident).calm_since_ms


def test_a_second_outage_during_the_drain_is_the_same_incident() -> None:
    incident = begun(look(gate="open"))
    vigil = watched(Vigil(), look(NOW + MINUTE), incident)
    again = look(NOW + MINUTE + 30_000, "open", owed=3, oldest=NOW)
    vigil = watched(vigil, again, incident)
    assert not vigil.calm_since_ms
    assert not over(vigil, again, PATIENCE)


def test_a_sample_is_due_once_an_interval_and_for_a_new_cause() -> None:
    incident = begun(look(gate="open"))
    assert NOW % MINUTE == 0
    assert not due(incident, look(NOW + MINUTE - 1), (GATE,))
    assert due(incident, look(NOW + MINUTE), (GATE,))
    assert due(incident, look(NOW + 1), (GATE, FAILOVER))
    assert not due(incident, look(NOW - 1), (GATE,)), "another replica's older look"
    assert due(incident, look(NOW - 10 * MINUTE), (GATE,)), "the clock was set back"


def test_since_when_it_is_shut_is_believed_only_if_it_can_be() -> None:
    for since, expected in ((NOW - 5000, NOW - 5000), (0, NOW), (NOW + 1, NOW)):
        assert opened("d", 1, look(), (GATE,), PATIENCE, since_ms=since, reason="").opened_ms == expected


NAMES = ("accepted", "requeued", "delivered", "dead:expired", "dead:refused", "unmatched", "shed")
STEPS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**6)), st.integers(1, 600_000)), max_size=30
)


@given(STEPS, st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**9)))
def test_samples_add_up_to_what_the_books_moved_by(
    steps: list[tuple[dict[str, int], int]], start: dict[str, int]
) -> None:
    """However many intervals are missing in between."""
    books, now = Counter(start), NOW
    incident, total = begun(look(now, "open", books=books)), Counter[str]()
    until = now
    for growth, later in steps:
        books.update(growth)
        now += later
        seen = look(now, "open", owed=sum(growth.values()), books=books)
        if not due(incident, seen, (GATE,)):
            continue
        incident, sample = sampled(incident, Vigil(), seen, (GATE,))
        assert sample.since_ms == until
        assert all(sample.counts.values())
        until = sample.at_ms
        total.update(sample.counts)
    incident, last = closed(incident, Vigil(calm_since_ms=now), look(now + 1, books=books))
    total.update(last.counts)
    assert {name: total[name] for name in NAMES} == {name: books[name] - start.get(name, 0) for name in NAMES}
    assert all(counted(incident, name) == total[name] for name in NAMES)
    assert counted(incident, *NAMES) == sum(total.values())


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 10**6)), min_size=1))
def test_the_peak_is_the_worst_look(seen: list[tuple[int, int]]) -> None:
    incident, vigil = begun(look(gate="open")), Vigil()
    for at, (owed, age) in enumerate(seen, 1):
        vigil = watched(vigil, look(NOW + at, "open", owed=owed, oldest=NOW + at - age), incident)
    end = look(NOW + len(seen) + 1, "open")
    incident, _ = sampled(incident, vigil, end, (GATE,))
    assert incident.peak.owed == max(owed for owed, _ in seen)
    assert incident.peak.oldest_ms == max(age for _, age in seen)
    assert incident.peak.value_micros == {"USD": incident.peak.owed * 10}


def test_peaks_are_kept_apart() -> None:
    assert Peak(5, 1, {"A": 1}, 10).worse(Peak(4, 2, {"A": 2}, 30)) == Peak(5, 1, {"A": 1}, 30)
    assert Peak(5, 1, {"A": 1}, 30).worse(Peak(6, 2, {"A": 2}, 10)) == Peak(6, 2, {"A": 2}, 30)
