# ruff: noqa: E501 - a sentence of the page is a line
"""Writes `docs/guide/performance.md`, its chart and `docs/guide/benchmarks.md` from one run.

No figure is typed in by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import targets
from tests.benchmarks.chart import chart
from tests.benchmarks.contenders import CONTENDERS, OURS
from tests.benchmarks.machine import versions
from tests.benchmarks.report import TIMES, Result, Table
from tests.benchmarks.worker import DOZEN

__all__ = ["CHART", "DETAILS", "PAGE", "Run", "details", "findings", "page", "write"]

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "performance.md"
DETAILS = PAGE.with_name("benchmarks.md")
CHART = PAGE.with_suffix(".svg")

_INTRODUCTION = """\
# Performance

What a call through `VathosSession` costs, compared with plain `requests` and with other libraries.
The benchmark run writes this page; all its tables are on the page [Benchmarks](benchmarks.md).
"""

_TARGETS = """\
## Targets

All targets compare medians of one run.
"""

_FINDINGS = """\
## Findings
"""

_COMPARISONS = {
    "outage": "When the token endpoint is down while the token is valid, {ours:.0f} calls of `VathosSession` fail; calls fail with {more} of the {others} other ways to get a token.",
    "stampede": "When many threads start without a token, the number of token requests is {ours:.0f} with `VathosSession`, and higher with {more} of the {others} others.",
}

_COUNTS = """\
## Count your own calls

Every session counts its token requests and renewals:

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
"""

_DETAILS = """\
# Benchmarks

The tables behind the page [Performance](performance.md), with the run that measured them.

Each table was measured in one run: all take turns, in another order each time, so that a change in the machine's speed affects all alike.
A figure is the median, with the middle half of the turns in brackets; ratios are taken turn by turn.
Compare ratios rather than times, because times differ from machine to machine.
Everything runs on one machine, over loopback or without a network; a real network adds the same time for all.
"""

_CONTENDERS = """\
## Who takes part

All send the same GET through one shared client with keep-alive, and get tokens with the client credentials grant.
Each is configured as well as possible: those that can renew early start at the same share of the lifetime as `VathosSession`, unless their leeway is fixed.
"""

_YOURSELF = """\
## Run them yourself

The benchmarks are in `tests/benchmarks`; name some to run only those.

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
    """Returns the page for users: the chart, the targets and what follows from them."""
    lines = [_INTRODUCTION]
    if run.bars:
        lines += [f"![Time of a call against plain requests]({CHART.name})", ""]
    lines += [_TARGETS, *targets.table(run.figures).markdown(), ""]
    lines += [_FINDINGS, *(f"- {each}" for each in findings(run.figures)), ""]
    return "\n".join([*lines, _COUNTS])


def findings(figures: Mapping[str, float]) -> Iterator[str]:
    """Yields what the figures mean, a sentence each."""
    null, loopback = figures.get(f"null {DOZEN} {OURS}"), figures.get(f"loopback {OURS}")
    if null is not None and loopback is not None:
        yield (
            f"A call takes {null:.2f} {TIMES} the time of plain `requests` without a network, "
            f"and {loopback:.2f} {TIMES} over loopback."
        )
    for name, sentence in _COMPARISONS.items():
        counts = {key: figures[f"{name} {key}"] for key in CONTENDERS if f"{name} {key}" in figures}
        if OURS in counts:
            ours = counts.pop(OURS)
            more = sum(count > ours for count in counts.values())
            yield sentence.format(ours=ours, more=more, others=len(counts))


def details(run: Run) -> str:
    """Returns the reference page: who takes part, every table, and the run."""
    setups = Table(["", "set up"], [[each.title, each.setup] for each in CONTENDERS.values()])
    # Words, not numbers: the second column reads from the left.
    rows = [line.replace("---:", "---") for line in setups.markdown()]
    lines = [_DETAILS, _CONTENDERS, *rows, ""]
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
    """Writes the pages and the chart, and returns the files."""
    PAGE.write_text(page(run), encoding="utf-8")
    DETAILS.write_text(details(run), encoding="utf-8")
    if not run.bars:
        return [PAGE, DETAILS]
    CHART.write_text(chart(run.bars), encoding="utf-8")
    return [PAGE, DETAILS, CHART]
