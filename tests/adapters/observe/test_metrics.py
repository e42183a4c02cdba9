from __future__ import annotations

import typing
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from relay.adapters.observe.families import DELAY_BOUNDS
from relay.adapters.observe.metrics import MOST_CODES, Labels, Metrics
from relay.core import notices as told
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.event import ArchiveSurvey, DeadReason, EntryClass, Lane, StreamSurvey
from relay.core.forecast import Breach
from relay.core.notices import Notice, Outcome, Why
from tests.adapters.observe.notices import BACKLOG, EVERY, NOW_MS, PURCHASES, VIEWS, surveyed
from tests.twins.clock import FakeClock

# The outside contract: alert rules, dashboards and scripts rely on these names and labels.
CONTRACT = {
    "relay_events_received_total": {"source", "outcome"},
    "relay_events_delivered_total": {"destination", "class", "lane"},
    "relay_dead_letters_total": {"destination", "reason"},
    "relay_backlog_events": {"destination", "class", "lane"},
    "relay_backlog_oldest_age_seconds": {"destination", "class"},
    "relay_backlog_value": {"destination", "currency"},
    "relay_gate_state": {"destination", "state"},
    "relay_tiktok_requests_total": {"destination", "verdict", "code"},
    "relay_tiktok_request_seconds_count": {"destination"},
    "relay_delivery_delay_seconds_count": {"destination", "class"},
    "relay_intake_seconds_count": set(),
    "relay_archive_events": {"class"},
    "relay_archive_bytes": set(),
    "relay_archive_shed_total": set(),
    "relay_archive_missed_total": set(),
    "relay_replayed_entries_total": {"destination", "class"},
    "relay_journal_bytes": set(),
    "relay_journal_limit_bytes": set(),
    "relay_journal_full_seconds": set(),
    "relay_concurrency_limit": {"destination"},
    "relay_drain_eta_seconds": {"destination"},
    "relay_limit_breach_entries": {"destination"},
    "relay_limit_breach_seconds": {"destination"},
    "relay_books_unbalanced": {"destination"},
    "relay_disk_free_bytes": set(),
    "relay_disk_floor_bytes": set(),
    "relay_clock_skew_seconds": set(),
    "relay_event_loop_lag_seconds": set(),
    "relay_redis_up": set(),
    "relay_build_info": {"version", "role"},
    "relay_sender_refused_seconds": {"source"},
    "relay_entries_settled_total": {"destination", "class", "ending"},
    "relay_mapping_reloads_total": {"destination", "result"},
    "relay_mapping_refused": {"destination"},
    "relay_incident_open": {"destination"},
    "relay_destination_mode": {"destination", "mode"},
}


class Scrape:
    """What Prometheus would read."""

    def __init__(self, metrics: Metrics) -> None:
        families = text_string_to_metric_families(metrics.render().decode())
        self.samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        found = [one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()]
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0]

    def labels(self, name: str) -> list[dict[str, str]]:
        return [sample.labels for sample in self.samples if sample.name == name]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_MS)


@pytest.fixture
def metrics(clock: FakeClock) -> Metrics:
    labels = Labels(("tiktok", "second"), ("segment", "ios"), ("USD", "EUR"), version="0.1.0")
    return Metrics(labels, clock, disk_floor_bytes=4096)


def test_every_kind_of_notice_is_read(metrics: Metrics) -> None:
    assert {type(notice) for notice in EVERY} == set(typing.get_args(Notice))
    for notice in EVERY:
        metrics(notice)
    assert metrics.render()


def test_names_and_labels_are_the_contract(metrics: Metrics) -> None:
    for notice in EVERY:
        metrics(notice)
    scrape = Scrape(metrics)
    for name, labels in CONTRACT.items():
        rows = scrape.labels(name)
        assert rows, f"{name} is missing"
        assert all(set(row) == labels for row in rows), name


def test_series_of_the_configuration_exist_from_the_start(metrics: Metrics) -> None:
    scrape = Scrape(metrics)
    for outcome in Outcome:
        assert scrape("relay_events_received_total", source="ios", outcome=outcome) == 0
    for destination in ("tiktok", "second"):
        for reason in DeadReason:
            assert scrape("relay_dead_letters_total", destination=destination, reason=reason) == 0
        for lane in Lane:
            assert scrape("relay_backlog_events", destination=destination, **{"class": "conversion"}, lane=lane) == 0
        assert scrape("relay_gate_state", destination=destination, state="closed") == 1
        assert scrape("relay_gate_state", destination=destination, state="held") == 0
        assert scrape("relay_backlog_value", destination=destination, currency="OTHER") == 0
        assert (
            scrape("relay_entries_settled_total", destination=destination, **{"class": "conversion"}, ending="dead")
            == 0
        )
    assert scrape("relay_disk_floor_bytes") == 4096


def test_no_series_of_creation_times(metrics: Metrics) -> None:
    assert b"_created" not in metrics.render()


def test_intake(metrics: Metrics) -> None:
    metrics(told.EventsReceived("segment", Outcome.ACCEPTED, 3, seconds=0.004))
    metrics(told.EventsReceived("segment", Outcome.ACCEPTED, 2))
    metrics(told.EventsReceived("segment", Outcome.FILTERED, 4, Why.NO_SUBSCRIPTION))
    metrics(told.EventsReceived("segment", Outcome.DEAD, 1, Why.NOT_AN_EVENT))
    scrape = Scrape(metrics)
    assert scrape("relay_events_received_total", source="segment", outcome="accepted") == 5
    assert scrape("relay_intake_seconds_count") == 1
    assert scrape("relay_events_turned_away_total", source="segment", why="no_subscription") == 4
    assert scrape("relay_dead_letters_total", destination="-", reason="rejected") == 1


def test_made_up_sources_and_codes_make_no_series_without_end(metrics: Metrics) -> None:
    for number in range(1000):
        metrics(told.EventsReceived(f"guess-{number}", Outcome.REFUSED, 1, Why.UNKNOWN_SOURCE))
        metrics(told.SenderRefused(f"guess-{number}", Why.UNKNOWN_SOURCE, 503, NOW_MS))
        metrics(told.CallAnswered("tiktok", "retry", f"http_{number}", 1, 0.1))
    scrape = Scrape(metrics)
    assert scrape("relay_events_received_total", source="other", outcome="refused") == 1000
    assert len(scrape.labels("relay_sender_refused_seconds")) == 3
    assert len(scrape.labels("relay_tiktok_requests_total")) == MOST_CODES + 1 + 2
    assert scrape("relay_tiktok_requests_total", code="other") == 1000 - MOST_CODES


def test_endings_are_counted_once_each_way(metrics: Metrics) -> None:
    metrics(told.EntriesDelivered(PURCHASES, Lane.BACKLOG, (0.2, 7.0, 200_000.0)))
    metrics(told.EntriesBuried(PURCHASES, DeadReason.REFUSED, 2))
    metrics(told.EntriesUnmatched(VIEWS, 4))
    scrape = Scrape(metrics)
    assert scrape("relay_events_delivered_total", lane="backlog", destination="tiktok", **{"class": "conversion"}) == 3
    assert (
        scrape("relay_entries_settled_total", destination="tiktok", **{"class": "conversion"}, ending="delivered") == 3
    )
    assert scrape("relay_entries_settled_total", destination="tiktok", **{"class": "conversion"}, ending="dead") == 2
    assert (
        scrape("relay_entries_settled_total", destination="tiktok", **{"class": "engagement"}, ending="unmatched") == 4
    )
    assert scrape("relay_dead_letters_total", destination="tiktok", reason="refused") == 2


def test_delays_are_cumulative_buckets(metrics: Metrics) -> None:
    metrics(told.EntriesDelivered(PURCHASES, Lane.LIVE, (0.05, 0.2, 7.0, 10**7)))
    scrape = Scrape(metrics)
    labels = {"destination": "tiktok", "class": "conversion"}
    bucket = "relay_delivery_delay_seconds_bucket"
    assert scrape(bucket, **labels, le="0.05") == 1, "the bound belongs to its bucket"
    assert scrape(bucket, **labels, le="0.1") == 1
    assert scrape(bucket, **labels, le="0.25") == 2
    assert scrape(bucket, **labels, le="10.0") == 3
    assert scrape(bucket, **labels, le="604800.0") == 3
    assert scrape(bucket, **labels, le="+Inf") == 4
    assert scrape("relay_delivery_delay_seconds_sum", **labels) == pytest.approx(10**7 + 7.25)
    assert len([row for row in scrape.labels(bucket) if row["destination"] == "second"]) == 2 * (len(DELAY_BOUNDS) + 1)


def test_a_survey_sets_the_gauges(metrics: Metrics) -> None:
    metrics(surveyed(BACKLOG, gate="open"))
    scrape = Scrape(metrics)
    labels = {"destination": "tiktok", "class": "conversion"}
    assert scrape("relay_backlog_events", **labels, lane="backlog") == 20
    assert scrape("relay_backlog_events", **labels, lane="live") == 10
    assert scrape("relay_backlog_oldest_age_seconds", **labels) == 90
    assert scrape("relay_backlog_value", destination="tiktok", currency="USD") == 12.5
    assert scrape("relay_backlog_value", destination="tiktok", currency="EUR") == 0
    assert scrape("relay_backlog_value", destination="tiktok", currency="OTHER") == 4, "unlisted and unknown ones"
    assert scrape("relay_books_unbalanced", destination="tiktok") == 1
    assert scrape("relay_books_entries", **labels, line="delivered") == 68
    assert scrape("relay_gate_state", destination="tiktok", state="open") == 1
    assert scrape("relay_gate_state", destination="tiktok", state="closed") == 0
    assert scrape("relay_concurrency_limit", destination="tiktok") == 4
    assert scrape("relay_drain_eta_seconds", destination="tiktok") == 12.5
    assert scrape("relay_limit_breach_entries", destination="tiktok") == 7
    assert scrape("relay_limit_breach_seconds", destination="tiktok") == 90
    assert scrape("relay_journal_full_seconds") == float("inf")
    assert scrape("relay_redis_up") == 1


def test_a_later_survey_leaves_nothing_of_the_first(metrics: Metrics) -> None:
    metrics(surveyed(BACKLOG))
    empty = StreamSurvey(PURCHASES, 0, 0, 0, None, {}, {"accepted": 1, "delivered": 1})
    metrics(surveyed(empty))
    scrape = Scrape(metrics)
    labels = {"destination": "tiktok", "class": "conversion"}
    assert scrape("relay_backlog_events", **labels, lane="backlog") == 0
    assert scrape("relay_backlog_oldest_age_seconds", **labels) == 0
    assert scrape("relay_backlog_value", destination="tiktok", currency="USD") == 0
    assert scrape("relay_backlog_value", destination="tiktok", currency="OTHER") == 0
    assert scrape("relay_books_unbalanced", destination="tiktok") == 0


def test_what_stands_by_is_a_lane_of_its_own(metrics: Metrics) -> None:
    standing = StreamSurvey(PURCHASES, 30, 4, 0, NOW_MS - 5_000, {}, {"accepted": 30}, 20, NOW_MS - 9_000_000)
    modes = {"tiktok": ModeRecord(Mode.FAILOVER, 2, 5)}
    metrics(told.StoreSurveyed(surveyed(standing).survey, {}, {}, modes=modes))
    metrics(told.EntriesLapsed(PURCHASES, 700))
    scrape, labels = Scrape(metrics), {"destination": "tiktok", "class": "conversion"}
    lanes = {lane: scrape("relay_backlog_events", **labels, lane=lane) for lane in ("live", "backlog", "standby")}
    assert lanes == {"live": 6, "backlog": 4, "standby": 20}
    assert scrape("relay_backlog_oldest_age_seconds", **labels) == 5
    assert {mode: scrape("relay_destination_mode", destination="tiktok", mode=mode) for mode in Mode} == {
        Mode.ACTIVE: 0,
        Mode.STANDBY: 0,
        Mode.FAILOVER: 1,
        Mode.FAILBACK: 0,
    }
    assert scrape("relay_entries_settled_total", **labels, ending="lapsed") == 700
    assert not [row for row in scrape.labels("relay_dead_letters_total") if "lapsed" in row.values()]


def test_what_is_shed_is_an_ending_of_engagement_that_is_there_from_the_start(metrics: Metrics) -> None:
    engagement = {"destination": "tiktok", "class": "engagement", "ending": "shed"}
    assert Scrape(metrics)("relay_entries_settled_total", **engagement) == 0
    metrics(told.EntriesShed(VIEWS, 250))
    assert Scrape(metrics)("relay_entries_settled_total", **engagement) == 250
    rows = Scrape(metrics).labels("relay_entries_settled_total")
    assert {row["class"] for row in rows if row["ending"] == "shed"} == {"engagement"}


def test_what_is_archived_and_what_comes_of_it(metrics: Metrics) -> None:
    engagement = {"destination": "tiktok", "class": "engagement"}
    assert Scrape(metrics)("relay_replayed_entries_total", **engagement) == 0
    assert Scrape(metrics)("relay_archive_events", **{"class": "conversion"}) == 0
    kept = ArchiveSurvey({EntryClass.CONVERSION: 3, EntryClass.ENGAGEMENT: 5}, 2_000, NOW_MS)
    metrics(replace(surveyed(), survey=replace(surveyed().survey, archive=kept)))
    for notice in (told.ArchiveShed(7), told.ArchiveMissed(2), told.EntriesReplayed(VIEWS, 250)):
        metrics(notice)
    scrape = Scrape(metrics)
    assert scrape("relay_archive_events", **{"class": "conversion"}) == 3
    assert scrape("relay_archive_bytes") == 2_000
    assert (scrape("relay_archive_shed_total"), scrape("relay_archive_missed_total")) == (7, 2)
    assert scrape("relay_replayed_entries_total", **engagement) == 250


def test_a_surplus_does_not_hide_a_deficit(metrics: Metrics) -> None:
    metrics(
        surveyed(
            StreamSurvey(PURCHASES, 0, 0, 0, None, {}, {"accepted": 2}),
            StreamSurvey(VIEWS, 2, 0, 0, None, {}, {}),
        )
    )
    assert Scrape(metrics)("relay_books_unbalanced", destination="tiktok") == 4


def test_a_refused_mapping_is_shown_until_a_good_one_comes(metrics: Metrics) -> None:
    assert Scrape(metrics)("relay_mapping_refused", destination="second") == 0
    metrics(told.MappingRefused("tiktok", 1, ("x",)))
    scrape = Scrape(metrics)
    assert scrape("relay_mapping_refused", destination="tiktok") == 1
    assert scrape("relay_mapping_reloads_total", destination="tiktok", result="refused") == 1
    assert scrape("relay_mapping_refused", destination="second") == 0
    metrics(told.MappingReloaded("tiktok", 3))
    scrape = Scrape(metrics)
    assert scrape("relay_mapping_refused", destination="tiktok") == 0
    assert scrape("relay_mapping_reloads_total", destination="tiktok", result="reloaded") == 1
    assert scrape("relay_mapping_reloads_total", destination="tiktok", result="refused") == 1


def test_clock_skew_is_the_store_minus_this_process(metrics: Metrics, clock: FakeClock) -> None:
    clock.jump(7)
    metrics(surveyed())
    assert Scrape(metrics)("relay_clock_skew_seconds") == -7


def test_redis_down_and_up(metrics: Metrics) -> None:
    metrics(surveyed())
    metrics(told.StoreLost("journal_full", "x"))
    assert Scrape(metrics)("relay_redis_up") == 1, "a full store is not an absent one"
    metrics(told.StoreLost("redis_unreachable", "x"))
    assert Scrape(metrics)("relay_redis_up") == 0
    metrics(told.StoreRestored(1.0))
    assert Scrape(metrics)("relay_redis_up") == 1


def test_a_refused_sender_ages_until_it_is_good_again(metrics: Metrics, clock: FakeClock) -> None:
    metrics(told.SenderRefused("segment", Why.BAD_SIGNATURE, 503, NOW_MS))
    clock.jump(60)
    metrics(told.LoopLagged(0.0))
    assert Scrape(metrics)("relay_sender_refused_seconds", source="segment") == 60
    metrics(told.EventsReceived("segment", Outcome.DEFERRED, 1, Why.UNVERIFIED))
    assert Scrape(metrics)("relay_sender_refused_seconds", source="segment") == 60
    metrics(told.EventsReceived("segment", Outcome.DUPLICATE, 1))
    assert Scrape(metrics)("relay_sender_refused_seconds", source="segment") == 0


def test_a_refused_sender_that_gave_up_is_let_go(metrics: Metrics, clock: FakeClock) -> None:
    metrics(told.SenderRefused("nobody", Why.UNKNOWN_SOURCE, 503, NOW_MS))
    clock.jump(299)
    metrics(told.LoopLagged(0.0))
    assert Scrape(metrics)("relay_sender_refused_seconds", source="other") == 299
    clock.jump(2)
    metrics(told.LoopLagged(0.0))
    assert Scrape(metrics)("relay_sender_refused_seconds", source="other") == 0


def test_without_a_breach_there_is_no_moment(metrics: Metrics) -> None:
    assert Scrape(metrics)("relay_limit_breach_seconds", destination="tiktok") == float("inf")
    metrics(surveyed(BACKLOG))
    metrics(replace(surveyed(BACKLOG), breaches={"tiktok": Breach()}))
    assert Scrape(metrics)("relay_limit_breach_entries", destination="tiktok") == 0
    assert Scrape(metrics)("relay_limit_breach_seconds", destination="tiktok") == float("inf")
