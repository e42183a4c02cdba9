"""Every metric there is: name, help, labels. Names are an outside contract: alert rules rely on them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics

from relay.adapters.observe.distribution import Distribution
from relay.adapters.observe.tally import Tally

REQUEST_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 4, 8, 16)  # TikTok answers in 0.12 … 8 s
# Fine where a healthy relay lives (well under a second), then an outage's worth: TikTok's 48 h, and a week.
DELAY_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 172_800, 604_800)
INTAKE_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)  # Segment waits 5 s


class Families:
    """The metric objects on one registry, grouped by who looks at them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # The text format turns creation times into gauges of their own: a third more series that nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        self._registry = registry
        self._intake()
        self._delivery()
        self._calls()
        self._owed()
        self._store()
        self._archive()
        self._mappings()
        self._process()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"relay_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"relay_{name}", text, labels, registry=self._registry)

    def _intake(self) -> None:
        self.received = Tally(
            "relay_events_received_total",
            "Events that arrived, by what became of them at the door.",
            ("source", "outcome"),
            self._registry,
        )
        self.turned_away = Tally(
            "relay_events_turned_away_total",
            "Events filtered, refused or deferred at the door, by reason.",
            ("source", "outcome", "why"),
            self._registry,
        )
        self.intake_seconds = Distribution(
            "relay_intake_seconds", "Time from request to answer at the intake port.", (), INTAKE_BOUNDS, self._registry
        )
        self.intake_seconds.ensure()
        self.sender_refused = self._gauge(
            "sender_refused_seconds", "How long a sender has failed verification; 0 when it does not.", "source"
        )
        self.connections_cut = self._counter(
            "connections_cut_total", "Connections ended before their time, by reason.", "port", "reason"
        )
        self.connections = self._gauge("intake_connections", "Connections open at the intake port.")
        self.in_flight = self._gauge("intake_in_flight_bytes", "Memory of larger requests being read or answered.")
        self.queued = self._gauge("intake_queued_bytes", "Events that wait for the store.")
        self.worth_ignored = self._counter(
            "worth_ignored_total", "Values or currencies too odd for the books; their events went on.", "source"
        )

    def _delivery(self) -> None:
        self.delivered = self._counter(
            "events_delivered_total", "Entries that TikTok accepted.", "destination", "class", "lane"
        )
        self.dead_letters = self._counter(
            "dead_letters_total", "Entries that became dead letters.", "destination", "reason"
        )
        self.settled = self._counter(
            "entries_settled_total", "Entries that met their ending, whichever.", "destination", "class", "ending"
        )
        self.repaired = self._counter(
            "items_repaired_total",
            "Items that Segment would have rejected and TikTok took, by the rule that made it possible.",
            "destination",
            "rule",
        )
        self.doubted = self._counter(
            "items_doubted_total", "Items that TikTok took and that are odd, by what is odd.", "destination", "caution"
        )
        self.returned = self._counter(
            "entries_returned_total",
            "Entries that stayed owed after a call; ambiguous when TikTok may have stored them.",
            "destination",
            "class",
            "ambiguous",
        )
        self.leases_lost = self._counter("leases_lost_total", "Settlements that came too late.", "destination", "class")
        self.delay = Distribution(
            "relay_delivery_delay_seconds",
            "Time from receipt to acceptance by TikTok.",
            ("destination", "class"),
            DELAY_BOUNDS,
            self._registry,
        )

    def _calls(self) -> None:
        self.requests = self._counter(
            "tiktok_requests_total", "Calls to TikTok, by verdict and code.", "destination", "verdict", "code"
        )
        self.request_seconds = Distribution(
            "relay_tiktok_request_seconds",
            "Time TikTok took to answer a call.",
            ("destination",),
            REQUEST_BOUNDS,
            self._registry,
        )
        self.gate = self._gauge("gate_state", "1 for the state a gate is in.", "destination", "state")
        self.concurrency = self._gauge("concurrency_limit", "Calls that may be in flight.", "destination")
        self.incident_open = self._gauge(
            "incident_open", "1 while an incident of the destination is open.", "destination"
        )

    def _owed(self) -> None:
        self.backlog = self._gauge(
            "backlog_events", "Entries owed, by lane; standby: nobody sends them.", "destination", "class", "lane"
        )
        self.oldest = self._gauge(
            "backlog_oldest_age_seconds",
            "Age of the oldest entry owed that does not stand by; 0 when there is none.",
            "destination",
            "class",
        )
        self.mode = self._gauge("destination_mode", "1 for the mode a destination is in.", "destination", "mode")
        self.value = self._gauge(
            "backlog_value", "Value of the entries owed, in units of the currency.", "destination", "currency"
        )
        self.drain_eta = self._gauge(
            "drain_eta_seconds",
            "Forecast: until the backlog is gone; +Inf while it does not shrink, or is paused.",
            "destination",
        )
        self.limit_breach = self._gauge(
            "limit_breach_entries", "Forecast: entries too old to be sent before their turn comes.", "destination"
        )
        self.limit_breach_seconds = self._gauge(
            "limit_breach_seconds", "Forecast: until the first of them passes its limit; +Inf if none.", "destination"
        )
        self.letters_kept = self._gauge("dead_letters_kept", "Dead letters in the store.", "destination")
        self.letters_moved = self._counter(
            "dead_letters_moved_total", "Dead letters requeued or discarded by an operator.", "destination", "action"
        )
        self.letters_limit = self._gauge(
            "dead_letters_limit_ratio",
            "How far dead letters are on their way to their age or byte limit.",
            "destination",
        )
        self.trimmed = self._counter(
            "records_trimmed_total", "Dead letters and reports given up beyond their limits.", "destination", "what"
        )
        self.books = self._gauge(
            "books_entries", "The ledger, line by line, as it stands in the store.", "destination", "class", "line"
        )
        self.unbalanced = self._gauge(
            "books_unbalanced", "Entries the books cannot account for; anything but 0 is a bug.", "destination"
        )

    def _store(self) -> None:
        self.journal = self._gauge("journal_bytes", "Memory the store uses.")
        self.journal_limit = self._gauge("journal_limit_bytes", "Memory the store may use; 0 when no limit is known.")
        self.full_eta = self._gauge("journal_full_seconds", "Forecast: until the store is full; +Inf if it never is.")
        self.disk_free = self._gauge("disk_free_bytes", "Free space where the embedded store writes.")
        self.disk_floor = self._gauge("disk_floor_bytes", "Free space below which intake answers 503.")
        self.clock_skew = self._gauge("clock_skew_seconds", "Clock of the store minus clock of this process.")
        self.redis_up = self._gauge("redis_up", "1 while the store answers.")
        self.embedded = self._counter("embedded_changes_total", "What happened to the embedded Valkey.", "change")

    def _archive(self) -> None:
        self.archived = self._gauge("archive_events", "Delivered and filtered events kept for replays.", "class")
        self.archive_bytes = self._gauge("archive_bytes", "Memory the archive uses, about.")
        self.archive_shed = self._counter("archive_shed_total", "Archived events given up because the store was full.")
        self.archive_missed = self._counter(
            "archive_missed_total", "Delivered or filtered events that could not be archived."
        )
        self.replayed = self._counter(
            "replayed_entries_total", "Entries owed again by a replay.", "destination", "class"
        )

    def _mappings(self) -> None:
        self.mapping_reloads = self._counter(
            "mapping_reloads_total", "Mapping files that were read again, by what came of it.", "destination", "result"
        )
        self.mapping_refused = self._gauge(
            "mapping_refused", "1 while the mapping file cannot be used and an older one is in force.", "destination"
        )

    def _process(self) -> None:
        self.loop_lag = self._gauge("event_loop_lag_seconds", "How late the event loop came back in the last second.")
        self.crashed = self._counter("tasks_crashed_total", "Tasks of ours that ended by an exception.", "task")
        self.telling_failed = self._counter("telling_failures_total", "Notices that broke a reader.", "reader")
        self.build = self._gauge("build_info", "1, labelled with what is running.", "version", "role")
