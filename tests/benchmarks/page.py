# ruff: noqa: E501 - a sentence of the page is a line
"""Writes `docs/guide/performance.md` and its chart from one run: no figure is typed in by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import targets
from tests.benchmarks.chart import chart
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.machine import versions
from tests.benchmarks.report import Result, Table

__all__ = ["CHART", "PAGE", "Run", "page", "write"]

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "performance.md"
CHART = PAGE.with_suffix(".svg")

_INTRODUCTION = """\
# Performance

What `VathosSession` costs, next to what else one could use to call an API with a token.
This page is written by the run that measured it, and no figure on it was typed in by hand.

All that a table compares was measured in the same run, in turns and in another order each time, so that a machine whose speed drifts is unfair to nobody.
A figure is the median, and in brackets is where the middle half of the turns lay; ratios are taken turn by turn.
Ratios tell more than times: another machine has other times.
Everything happens on one machine, over loopback or without any network, where the client's own work weighs most; a real network adds its time to all alike.
"""

_TARGETS = """\
## Targets

Each compares medians of this one run; memory counts as flat if it grows by no more than 1 MiB.
"""

_CONTENDERS = """\
## Who takes part

Everyone sends the same GET through one shared client that keeps its connections, and buys tokens with the client credentials grant.
Each is set up as well as it can be: who can renew ahead of expiry starts at the same share of the lifetime as `VathosSession`, unless its leeway is fixed.
"""

_YOURSELF = """\
## Measure it yourself

Every session counts what it did about tokens:

```python
from vathos import VathosSession

with VathosSession(timeout=10) as session:
    for _ in range(100):
        session.get("products").raise_for_status()
    print(session.stats().token_requests, "token request")
```

```text
1 token request
```

The benchmarks lie in `tests/benchmarks`, need the extra `benchmarks`, and run by hand, all of them or those that are named:

```console
pip install -e '.[test,benchmarks]'
python -m tests.benchmarks
python -m tests.benchmarks --quick null loopback
```
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks.

    Attributes:
        command: The command that started it.
        scale: How much it measured.
        date: The day.
        machine: A sentence about the machine.
        minutes: How long it took.
        results: What was found, in order.
    """

    command: str
    scale: str
    date: str
    machine: str
    minutes: float
    results: Sequence[Result]

    @property
    def figures(self) -> dict[str, float]:
        """The figures of all results."""
        return {name: each for result in self.results for name, each in result.figures.items()}

    @property
    def bars(self) -> dict[str, dict[str, float]]:
        """The ratios of all results, for the chart."""
        return {name: dict(each) for result in self.results for name, each in result.bars.items()}


def page(run: Run) -> str:
    """Writes the page.

    Args:
        run: What was measured.

    Returns:
        Markdown.
    """
    setups = Table(["", "set up"], [[each.title, each.setup] for each in CONTENDERS.values()])
    lines = [_INTRODUCTION]
    if run.bars:
        lines += [f"![Time of a call against plain requests]({CHART.name})", ""]
    lines += [_TARGETS, *targets.table(run.figures).markdown(), ""]
    # Words, not numbers: the second column reads from the left.
    lines += [_CONTENDERS, *(line.replace("---:", "---") for line in setups.markdown()), ""]
    for result in run.results:
        lines += result.markdown()
    lines += [
        "## The run",
        "",
        f"Measured on {run.date} in {run.minutes:.0f} minutes, scale {run.scale}, by this command:",
        "",
        "```console",
        run.command,
        "```",
        "",
        run.machine,
        "",
        *versions().markdown(),
        "",
    ]
    return "\n".join([*lines, _YOURSELF])


def write(run: Run) -> list[Path]:
    """Writes the page and its chart.

    Args:
        run: What was measured.

    Returns:
        The files.
    """
    PAGE.write_text(page(run), encoding="utf-8")
    if not run.bars:
        return [PAGE]
    CHART.write_text(chart(run.bars), encoding="utf-8")
    return [PAGE, CHART]
