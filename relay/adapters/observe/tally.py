"""A counter for the hottest path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """Counts by label values in a plain dictionary: it is asked once for every request.

    ``counts`` may be written directly; there is no lock, because one event loop writes and renders.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self.counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def add(self, count: int, *labels: str) -> None:
        """Count; a series exists from its first addition, which may be 0."""
        self.counts[labels] = self.counts.get(labels, 0) + count

    def collect(self) -> Iterable[Metric]:
        """What Prometheus scrapes."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, count in self.counts.items():
            family.add_metric(labels, count)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Name and labels only, so that registering two of one name fails early."""
        return [CounterMetricFamily(self._name, self._text, labels=self._labels)]
