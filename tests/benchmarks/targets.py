"""What was promised, held against what was measured in the same run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.benchmarks.contenders import BASE, CONTENDERS, OURS
from tests.benchmarks.overhead import MANY
from tests.benchmarks.report import DASH, TIMES, Table
from tests.benchmarks.starts import IN_MEMORY, PACKAGE, PARENT, PRINTING
from tests.benchmarks.worker import DOZEN

__all__ = ["TARGETS", "Target", "table"]

_CALLS = 1_000_000


class Target(NamedTuple):
    """A promise.

    Attributes:
        title: What it is about.
        figure: The name of the figure.
        most: What it may be at most.
        unit: Its unit, as it is written after the figure.
        one: What one of that unit is.
    """

    title: str
    figure: str
    most: float
    unit: str
    one: float = 1.0

    def told(self, value: float) -> str:
        """Writes a figure in the unit."""
        return f"{value / self.one:,.2f}{self.unit}"


_BY_BASE = f" {TIMES} {CONTENDERS[BASE].title}"
_BY_PARENT = f" {TIMES} `{PARENT}`"
_ROUND_TRIPS = f" {TIMES} a token request"

TARGETS = (
    Target(
        f"Call without a network, {DOZEN} variables: time", f"null {DOZEN} {OURS}", 0.25, _BY_BASE
    ),
    Target("the same, in instructions", f"instructions {DOZEN}", 0.55, _BY_BASE),
    Target(
        f"Call without a network, {MANY} variables: time", f"null {MANY} {OURS}", 0.35, _BY_BASE
    ),
    Target("the same, in instructions", f"instructions {MANY}", 0.35, _BY_BASE),
    Target("Call over loopback", f"loopback {OURS}", 0.58, _BY_BASE),
    Target("Putting the token on a request", f"attach {OURS}", 3e-6, " µs", 1e-6),
    Target(f"Memory gained over {_CALLS:,} calls", "memory KiB", 1024, " MiB", 1024),
    Target(f"`{PACKAGE}`", f"by bare {PACKAGE}", 2.0, f" {TIMES} bare Python"),
    Target(
        f"`{CONTENDERS[OURS].imports}`", f"by parent {CONTENDERS[OURS].imports}", 1.05, _BY_PARENT
    ),
    Target("`vathos token`, a token in the store", f"command {IN_MEMORY}", 0.45, _BY_PARENT),
    Target("Printing a token from the store", PRINTING, 1.15, f" {TIMES} building a session"),
    Target("16 processes, a token in the store", f"processes warm {OURS}", 0.6, _ROUND_TRIPS),
    Target("16 processes, no token", f"processes cold {OURS}", 1.8, _ROUND_TRIPS),
    Target("One refresh: reads of the entry", "refresh reads", 2, ""),
    Target("the same, writes", "refresh writes", 2, ""),
)


def table(figures: Mapping[str, float]) -> Table:
    """Holds the targets against figures.

    Args:
        figures: What was measured, by name.

    Returns:
        A table; what was not measured is not met either.
    """
    rows = []
    for target in TARGETS:
        value = figures.get(target.figure)
        measured, met = DASH, "not measured"
        if value is not None:
            measured, met = target.told(value), "yes" if value <= target.most else "no"
        calls = figures.get("memory calls", _CALLS)
        if target.figure == "memory KiB" and value is not None and calls < _CALLS:
            met = f"{met}, over {calls:,.0f} calls"
        rows.append([target.title, f"≤ {target.told(target.most)}", measured, met])
    return Table(["", "target", "measured", "met"], rows)
