"""A minute of the schedule; and what it would notice."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.report import Report
from vathos import VathosSession
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

SECONDS = 60
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.mark.slow
def test_every_call_ends_as_its_twin() -> None:
    """Through faults of every kind, forks among them, no call differs from one that meets none."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.chaos", f"--seconds={SECONDS}", "--seed=7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
        check=False,
    )
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def good() -> Report:
    """A report of a minute in which nothing was wrong."""
    faults = dict.fromkeys(KINDS, 10)
    return Report(60, 8, faults, calls=9000, token_requests=500, log_records=20_000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"failed": 1}, "calls failed"),
        ({"differences": ["call 1"]}, "otherwise than their twins"),
        ({"calls": 400}, "too few calls"),
        ({"slow": 8000}, "only waited"),
        ({"faults": dict.fromkeys(KINDS, 1)}, "too few faults"),
        ({"faults": {"503": 1000}}, "too few kinds"),
        ({"refusals": 1}, "refused"),
        ({"reused": 1}, "twice"),
        ({"without_token": 1}, "without a token"),
        ({"secrets": 1}, "secrets"),
        ({"log_records": 0}, "nothing was logged"),
        ({"threads_left": 1}, "threads"),
        ({"files_left": 1}, "sockets"),
        ({"growth": 1 << 26}, "memory"),
    ],
)
def test_report_names_what_is_wrong(changes: dict[str, object], words: str) -> None:
    """Each number that must not be is named in words, and only that one."""
    report = good()
    assert report.wrong == []
    for name, value in changes.items():
        setattr(report, name, value)
    (found,) = report.wrong
    assert words in found
    assert f"- {found}" in str(report)


@pytest.mark.slow
def test_memory_stays_flat_over_renewals() -> None:
    """Thousands of renewals, failed ones among them, leave nothing behind."""
    with AuthorizationServer() as server:
        session = VathosSession(**server.person, store=MemoryStore())

        def renewals(count: int) -> None:
            for number in range(count):
                if number % 10 == 0:
                    server.fail("token", Fault.html())
                session.fetch_token()
            server.forget_requests()

        renewals(100)
        gc.collect()
        tracemalloc.start(1)
        before = tracemalloc.take_snapshot()
        renewals(400)
        gc.collect()
        growth = tracemalloc.take_snapshot().compare_to(before, "filename")
        tracemalloc.stop()
    ours = sum(
        entry.size_diff
        for entry in growth
        if "vathos/testing" not in str(entry.traceback) and "/vathos/" in str(entry.traceback)
    )
    assert ours < 20_000
