"""What is measured of token sources, for every system that collects measures; no secret is in it.

The label `identity` is the short hash that events and logs name an identity by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vathos.token_source import Source

__all__ = ["COUNTERS", "GAUGES", "Measure", "gauges"]


class Measure(NamedTuple):
    """A measure: its name without the prefix `vathos_`, and what it says."""

    name: str
    description: str


COUNTERS = {
    "token_requests": Measure("token_requests", "Token requests that were sent."),
    "renewals": Measure("token_renewals", "Tokens that were obtained."),
    "renewal_failures": Measure("token_renewal_failures", "Renewals that failed."),
    "served_stale": Measure(
        "token_served_stale", "Failed renewals after which the old token was still used."
    ),
    "replays": Measure("request_replays", "API requests that were sent again after a 401."),
    "refusals": Measure("credentials_refusals", "Times that the credentials were refused."),
}
"""Counters, by their names in `vathos.events.Stats`."""

GAUGES = {
    "longest_wait": Measure(
        "token_longest_wait_seconds", "The longest that a caller has waited for a token."
    ),
    "expiry": Measure(
        "token_expiry_timestamp_seconds", "When the token at hand expires; 0 if there is none."
    ),
}
"""Measures that go up and down, in seconds."""


def gauges(source: Source) -> Iterator[tuple[Measure, float]]:
    """Reads the gauges of a source, without asking the server or the store."""
    yield GAUGES["longest_wait"], source.stats().longest_wait
    yield GAUGES["expiry"], source.expires_at or 0.0
