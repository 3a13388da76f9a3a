"""Measures in turns, so that a machine whose speed drifts is unfair to nobody."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.benchmarks.report import DASH

__all__ = ["Spread", "calls_per_turn", "in_turns", "ratios", "spread"]


class Spread(NamedTuple):
    """A median, and the quarter and three quarter points around it."""

    median: float
    low: float
    high: float

    def told(self, unit: float = 1.0, digits: int = 2) -> str:
        """Writes it, in a unit.

        Args:
            unit: What one is.
            digits: Digits behind the point.

        Returns:
            The median, with the spread in brackets if there is one.
        """
        middle, low, high = (f"{each / unit:,.{digits}f}" for each in self)
        return middle if low == high else f"{middle} ({low}{DASH}{high})"


def spread(values: Sequence[float]) -> Spread:
    """Finds the median of some values, and their spread.

    Args:
        values: One or more.

    Returns:
        Median and quartiles.
    """
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(values: Sequence[float], base: Sequence[float]) -> Spread:
    """Compares what was measured in the same rounds.

    Args:
        values: What one took in each round.
        base: What the other took.

    Returns:
        The ratio, round by round.
    """
    return spread([one / other for one, other in zip(values, base, strict=True)])


def in_turns(
    turns: Mapping[str, Callable[[], float]], rounds: int, *, seed: int = 6749
) -> dict[str, list[float]]:
    """Lets each measure once in each round, in another order each time.

    Args:
        turns: What is measured; each returns a figure.
        rounds: How many rounds.
        seed: Decides the orders.

    Returns:
        The figures of all rounds, by name.
    """
    chance, order = random.Random(seed), list(turns)
    figures: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        chance.shuffle(order)
        for name in order:
            gc.collect()  # nobody pays for what another one left
            figures[name].append(turns[name]())
    return figures


def calls_per_turn(do: Callable[[], object], times: int) -> float:
    """Does something some times.

    Args:
        do: What.
        times: How often.

    Returns:
        Seconds for each.
    """
    started = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - started) / times
