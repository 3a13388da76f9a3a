"""What a benchmark found: sentences, tables, and figures that the targets are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.contenders import CONTENDERS

__all__ = ["DASH", "TIMES", "Result", "Scale", "Table", "by_contender"]

DASH, TIMES = "\u2013", "\u00d7"
"""What stands where nothing was measured, and before what a ratio is to."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        name: What the page calls it.
        rounds: Turns of each contender.
        calls: Calls in a turn.
        counted: Calls whose instructions are counted; 0 to count none.
        threads: Threads that start at once.
        repeats: How often each scenario is played.
        lifetimes: Lifetimes that the load lasts.
        lifetime: Seconds that a token lives.
        processes: Processes that start at once.
        waits: Lifetimes, seconds of a token request, and seconds of load.
        starts: How often each process is started to be timed.
        memory_calls: Calls while memory is watched.
        memory_seconds: Seconds after which the others may stop short of those calls.
    """

    name: str
    rounds: int = 25
    calls: int = 200
    counted: int = 300
    threads: int = 50
    repeats: int = 3
    lifetimes: int = 3
    lifetime: int = 4
    processes: int = 16
    waits: Sequence[tuple[float, float, float]] = ((2, 0.2, 12), (5, 1.0, 15), (10, 1.8, 25))
    starts: int = 21
    memory_calls: int = 100_000
    memory_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        columns: The headings; the first column is text, the others are numbers.
        rows: The cells.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> list[str]:
        """Writes it in Markdown."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        return [f"| {' | '.join(row)} |" for row in (self.columns, rule, *self.rows)]


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark found.

    Attributes:
        title: Its heading.
        words: What was done, a sentence each.
        table: What was measured.
        reasons: Why a row is empty, by contender.
        notes: What was seen besides, a sentence each.
        figures: What the targets ask for, by name.
        bars: Ratios for the chart, by series and contender.
    """

    title: str
    words: Sequence[str]
    table: Table
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    bars: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def markdown(self) -> list[str]:
        """Writes it as a section of a page."""
        told: dict[str, list[str]] = {}
        for key, reason in self.reasons.items():
            told.setdefault(reason, []).append(CONTENDERS[key].title)
        lines = [f"## {self.title}", "", *self.words, "", *self.table.markdown(), ""]
        notes = [f"- {DASH} ({', '.join(who)}): {why}." for why, who in told.items()]
        notes += [f"- {note}" for note in self.notes]
        return [*lines, *notes, ""] if notes else lines


def by_contender(
    columns: Sequence[str], cells: Mapping[str, Sequence[str]], keys: Sequence[str]
) -> Table:
    """Makes a table with a row for everyone who was asked for, also for those who take no part.

    Args:
        columns: The headings, without the first.
        cells: The cells of those who took part, by contender.
        keys: Who was asked for.

    Returns:
        The table.
    """
    nothing = [DASH] * len(columns)
    rows = [[CONTENDERS[key].title, *cells.get(key, nothing)] for key in keys]
    return Table(["", *columns], rows)
