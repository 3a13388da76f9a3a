"""Measures of token sources for Prometheus, by `prometheus-client`."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector, CollectorRegistry

from vathos.integrations.measures import COUNTERS, GAUGES, gauges
from vathos.token_source import Source

__all__ = ["SourceCollector"]


class SourceCollector(Collector):
    """Exports the counters of sources, and when their tokens expire.

    ```python
    robot = vathos.source("picking-robot", "robot-secret")
    SourceCollector(robot)
    prometheus_client.start_http_server(9464)
    ```

    Nothing is asked of a server or a store when it is scraped.

    Args:
        *sources: What `vathos.source` returned.
        registry: Where it registers itself; the process's own registry by default.
    """

    def __init__(self, *sources: Source, registry: CollectorRegistry = REGISTRY) -> None:
        self._sources = sources
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Reads the measures; called by the registry.

        Yields:
            One family for each measure, with the label `identity`.
        """
        for field, measure in COUNTERS.items():
            name = f"vathos_{measure.name}"
            counter = CounterMetricFamily(name, measure.description, labels=["identity"])
            for source in self._sources:
                counter.add_metric([source.name], getattr(source.stats(), field))
            yield counter
        families = {
            measure: GaugeMetricFamily(
                f"vathos_{measure.name}", measure.description, labels=["identity"]
            )
            for measure in GAUGES.values()
        }
        for source in self._sources:
            for measure, value in gauges(source):
                families[measure].add_metric([source.name], value)
        yield from families.values()
