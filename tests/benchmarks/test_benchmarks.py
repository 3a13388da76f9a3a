"""The benchmarks run and report; how fast anything is, no test judges."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import targets
from tests.benchmarks.__main__ import BENCHMARKS, QUICK, main, options
from tests.benchmarks.contenders import BASE, CONTENDERS, OURS, able, load, reasons
from tests.benchmarks.contenders.base import Bed
from tests.benchmarks.fast_server import fast_server
from tests.benchmarks.measuring import in_turns, ratios, spread
from tests.benchmarks.page import DETAILS, PAGE, Run, details, findings, page
from tests.benchmarks.report import DASH, Result, Table
from tests.benchmarks.worker import environment, start
from tests.house.examples import fences

TINY = replace(
    QUICK,
    rounds=2,
    calls=3,
    threads=3,
    lifetimes=1,
    lifetime=1,
    processes=2,
    waits=((1, 0.1, 1),),
    starts=1,
    memory_calls=50,
    memory_seconds=0.1,
)
SOME = (BASE, OURS)


@pytest.fixture(autouse=True)
def _insecure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the others use plain http on loopback."""
    for name in ("OAUTHLIB_INSECURE_TRANSPORT", "AUTHLIB_INSECURE_TRANSPORT"):
        monkeypatch.setenv(name, "1")


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_reports(name: str) -> None:
    """Each benchmark measures, has a row for everyone who was asked for, and writes Markdown."""
    result = BENCHMARKS[name](TINY, SOME)
    assert {len(row) for row in result.table.rows} == {len(result.table.columns)}
    assert result.figures
    text = "\n".join(result.markdown())
    for key in set(SOME) & set(reasons(name, SOME)):
        assert f"({CONTENDERS[key].title}): {CONTENDERS[key].cannot[name]}." in text
    if name not in {"imports", "command", "refresh"}:
        assert [row[0] for row in result.table.rows] == [CONTENDERS[key].title for key in SOME]


@pytest.mark.slow
@pytest.mark.parametrize("key", able("loopback", CONTENDERS))
@pytest.mark.parametrize("null", [False, True])
def test_contender_calls_with_a_token(key: str, null: bool) -> None:
    """Each contender that is installed is answered 200, which nobody is without a token."""
    with fast_server() as server:
        contender = load(key, Bed(server.token_url, server.api_url, null=null))
        assert [contender.call(), contender.call()] == [200, 200]
        contender.close()
        expected = {BASE: 0, "httpx": 0}.get(key, 1)
        assert server.token_requests() == expected


def test_everyone_is_told_of() -> None:
    """Each module of contenders is in the table, and who is missing is listed with the reason."""
    folder = Path(__file__).parent / "contenders"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    assert modules == set(CONTENDERS)
    assert reasons("stampede", [BASE]) == {BASE: CONTENDERS[BASE].cannot["stampede"]}
    for entry in CONTENDERS.values():
        assert set(entry.cannot) <= set(BENCHMARKS)
        ast.parse(entry.imports)


def test_missing_library_is_a_row_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed leaves an empty row, and a reason below the table."""
    absent = CONTENDERS[BASE]._replace(packages=("no-such-library",))
    monkeypatch.setitem(CONTENDERS, BASE, absent)
    assert able("loopback", SOME) == [OURS]
    assert reasons("loopback", SOME) == {BASE: "no-such-library not installed"}


@pytest.mark.slow
def test_turns_are_fair() -> None:
    """Everyone has one turn in each round, and ratios are taken round by round."""
    order: list[str] = []

    def turn(name: str, figure: float) -> float:
        order.append(name)
        return figure

    found = in_turns({"a": lambda: turn("a", 1.0), "b": lambda: turn("b", 4.0)}, 4)
    assert found == {"a": [1.0] * 4, "b": [4.0] * 4}
    rounds = [tuple(order[at : at + 2]) for at in range(0, 8, 2)]
    assert set(rounds) == {("a", "b"), ("b", "a")}
    assert ratios([1.0, 4.0], [2.0, 2.0]) == spread([0.5, 2.0])


@pytest.mark.slow
def test_environment_has_the_size_that_was_asked_for() -> None:
    """A part of a benchmark sees as many variables as the table says, and no others."""
    for variables in (12, 100):
        assert len(environment(variables)) == variables
    process = start("test_benchmarks:variables", {}, variables=100)
    told, _ = process.communicate()
    assert told.strip() == "100"


def variables() -> int:
    """Counts the variables of this process."""
    import os  # noqa: PLC0415 - used in the other process only

    return len(os.environ)


def test_target_is_held_against_the_figure() -> None:
    """A target is met at its bound, not met above it, and not met unseen."""
    target = targets.TARGETS[0]
    for value, met in ((target.most, "yes"), (target.most + 0.01, "no")):
        row = targets.table({target.figure: value}).rows[0]
        assert row[-1] == met
        assert row[2] == target.told(value)
    assert targets.table({}).rows[0][2:] == [DASH, "not measured"]
    short = targets.table({"memory KiB": 0.0, "memory calls": 5.0})
    assert [row[-1] for row in short.rows if row[0].startswith("Memory")] == ["yes, over 5 calls"]


def test_partial_run_leaves_the_page_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a whole run, or one that asks for it, writes the page."""
    written: list[Run] = []
    monkeypatch.setattr("tests.benchmarks.__main__.write", lambda run: written.append(run) or [])
    monkeypatch.setattr("os.environ", {})
    result = Result("Nothing", ["Nothing was done."], Table(["", "n"], [["a", "1"]]))
    for name in BENCHMARKS:
        monkeypatch.setitem(BENCHMARKS, name, lambda scale, keys: result)
    for arguments, writes in (
        (["null"], False),
        (["--quick"], False),
        ([], True),
        (["--full"], True),
        (["null", "--write"], True),
    ):
        written.clear()
        assert main(arguments) == 0
        assert bool(written) is writes
    assert written[0].command == "python -m tests.benchmarks null --write"
    with pytest.raises(SystemExit):
        options(["nul"])
    assert "no benchmark is named nul" in capsys.readouterr().err


def test_page_holds_what_was_measured(tmp_path: Path) -> None:
    """The pages have each section, targets, command and reasons; the chart is XML."""
    from tests.benchmarks.chart import chart  # noqa: PLC0415

    bars = {"over loopback": {BASE: 1.0, OURS: 0.5, "httpx": 7.25}}
    result = Result(
        "Something",
        ["It was measured."],
        Table(["", "n"], [["a", "1"]]),
        {BASE: "no reason"},
        figures={f"loopback {OURS}": 0.5},
        bars=bars,
    )
    run = Run("python -m this", "tiny", "2000-01-01", "The machine: one.", 1.0, [result])
    for words in ("## Targets", "0.50"):
        assert words in page(run)
    path = tmp_path / "details.md"
    path.write_text(details(run), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert "python -m this" in [fence.text for fence in fences(path)]
    for words in ("## Something", "2000-01-01", "| a | 1 |", "no reason"):
        assert words in text
    drawing = chart(run.bars)
    root = ElementTree.fromstring(drawing)
    assert root.attrib["role"] == "img"
    assert "7.25" in drawing


def test_findings_compare_with_the_others() -> None:
    """A finding counts those who did worse, and is left out where nothing was measured."""
    figures = {f"outage {OURS}": 0.0, "outage oauth2session": 2.0, "outage google": 0.0}
    (found,) = findings(figures)
    others = sum(f"outage {key}" in figures for key in CONTENDERS) - 1
    assert f"0 calls of `VathosSession` fail; calls fail with 1 of the {others} other ways" in found
    assert not list(findings({}))


def test_page_is_one_of_a_whole_run() -> None:
    """The pages that are committed were written by a run of everything, with all it could count."""
    text = PAGE.read_text(encoding="utf-8") + DETAILS.read_text(encoding="utf-8")
    assert "scale quick" not in text
    assert "not measured" not in text
