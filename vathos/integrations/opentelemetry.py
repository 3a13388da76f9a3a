"""Measures of token sources for OpenTelemetry, by its API; the SDK is the program's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from vathos.integrations.measures import COUNTERS, GAUGES, Measure, gauges
from vathos.token_source import Source

__all__ = ["measure_sources"]


def measure_sources(*sources: Source, meter_provider: MeterProvider | None = None) -> None:
    """Creates observable instruments for the counters of sources, and for when tokens expire.

    ```python
    robot = vathos.source("picking-robot", "robot-secret")
    measure_sources(robot)
    ```

    The names are those of `vathos.integrations.prometheus`, with dots; the attribute
    `vathos.identity` names the identity.

    Args:
        *sources: What `vathos.source` returned.
        meter_provider: Where the meter comes from; the global one by default.
    """
    meter = get_meter("vathos", meter_provider=meter_provider)

    def counted(field: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [_seen(source, getattr(source.stats(), field)) for source in sources]

        return observe

    def gauged(measure: Measure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [_seen(source, dict(gauges(source))[measure]) for source in sources]

        return observe

    for field, measure in COUNTERS.items():
        meter.create_observable_counter(
            f"vathos.{measure.name}", [counted(field)], description=measure.description
        )
    for measure in GAUGES.values():
        meter.create_observable_gauge(
            f"vathos.{measure.name.removesuffix('_seconds')}",
            [gauged(measure)],
            unit="s",
            description=measure.description,
        )


def _seen(source: Source, value: float) -> Observation:
    return Observation(value, {"vathos.identity": source.name})
