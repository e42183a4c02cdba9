"""A histogram for hot paths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Distribution(Collector):
    """Own collector, because a call settles up to 500 entries and the library's histogram takes them one by one.

    Measured: 0.16 µs a delay here, 0.77 µs there, on a path that moves tens of thousands a second. There is no lock:
    one event loop writes and renders.
    """

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._bounds = tuple(bounds)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def ensure(self, *labels: str) -> None:
        """Let the series exist, at zero."""
        self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
        self._sums.setdefault(labels, 0.0)

    def observe(self, value: float, *labels: str) -> None:
        """Count one value in its bucket. The series must exist."""
        self._counts[labels][bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def observe_all(self, values: Iterable[float], *labels: str) -> None:
        """Count each value in its bucket."""
        self.ensure(*labels)
        counts, bounds, total = self._counts[labels], self._bounds, 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sums[labels] += total

    def collect(self) -> Iterable[Metric]:
        """What Prometheus scrapes: cumulative buckets."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, counts in self._counts.items():
            family.add_metric(labels, self._cumulative(counts), self._sums[labels])
        yield family

    def describe(self) -> Iterable[Metric]:
        """Name and labels only, so that registering two of one name fails early."""
        return [HistogramMetricFamily(self._name, self._text, labels=self._labels)]

    def _cumulative(self, counts: Sequence[int]) -> list[tuple[str, float]]:
        edges = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        total, buckets = 0, []
        for edge, count in zip(edges, counts, strict=True):
            total += count
            buckets.append((edge, float(total)))
        return buckets
