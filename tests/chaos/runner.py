"""Runs the schedule against the threads, and collects the numbers."""

from __future__ import annotations

import gc
import logging
import os
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.canaries import CANARY
from tests.chaos.job import Party, SteppedClock
from tests.chaos.report import Report
from tests.chaos.schedule import Schedule
from tests.helpers import vathos_threads
from vathos.testing import AuthorizationServer, Client, User

__all__ = ["run"]

LIFETIME = 600.0
_TIDY_EVERY = 2.0
_PATIENCE = 20.0
_STATM, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")
_TOKEN = re.compile(r"(access|refresh)-token-\d+-")


class Watch(logging.Handler):
    """Searches every log record for secrets, and keeps none of them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen = self.secrets = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Searches a record."""
        text = f"{record.getMessage()} {vars(record)!r}"
        if record.exc_info:
            text += logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]
        self.seen += 1
        self.secrets += bool(CANARY.seen_in(text) or _TOKEN.search(text))


def run(seconds: float, seed: int, threads: int) -> Report:
    """Lets a person and a service account call through faults of every kind.

    Args:
        seconds: For how long.
        seed: Makes the order of the faults repeatable.
        threads: How many threads call.

    Returns:
        The numbers.
    """
    root, watch = logging.getLogger(), Watch()
    level = root.level
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    report = Report(seconds, threads)
    before = threading.active_count(), _open_files()
    try:
        _play(report, seed)
    finally:
        root.removeHandler(watch)
        root.setLevel(level)
    report.log_records, report.secrets = watch.seen, watch.secrets
    gc.collect()
    report.threads_left = threading.active_count() - before[0]
    report.files_left = _open_files() - before[1]
    return report


def _play(report: Report, seed: int) -> None:
    robot = [Client("robot", CANARY.client_secret)]
    ada = [User("ada", CANARY.password)]
    with (
        AuthorizationServer(clients=robot, users=ada, access_token_lifetime=LIFETIME) as broken,
        AuthorizationServer(clients=robot, users=ada, access_token_lifetime=1e9) as whole,
    ):
        clock = SteppedClock()
        parties = [Party(broken, whole, clock, person=person) for person in (True, False)]
        schedule = Schedule(broken, parties, clock, seed)
        stop = threading.Event()
        with ThreadPoolExecutor(report.threads, "chaos") as pool:
            works = [
                pool.submit(parties[number % 2].work, number, report.threads, stop)
                for number in range(report.threads)
            ]
            try:
                _endure(report, schedule, broken, whole)
            finally:
                broken.heal()
                stop.set()
        _tidy(report, broken)
        for work in works:
            counts = work.result()
            report.calls += counts.calls
            report.failed += counts.failed
            report.slow += counts.slow
            report.longest = max(report.longest, counts.longest)
        _collect(report, parties, schedule)


def _endure(
    report: Report, schedule: Schedule, broken: AuthorizationServer, whole: AuthorizationServer
) -> None:
    started = tidied = time.monotonic()
    first = 0
    while (at := time.monotonic()) < started + report.seconds:
        schedule.step()
        if at > tidied + _TIDY_EVERY:
            tidied = at
            _tidy(report, broken)
            whole.forget_requests()
        if not first and at > started + report.seconds / 5:
            first = _memory()
    report.seconds = time.monotonic() - started
    report.faults = dict(schedule.injected)
    report.growth = max(_memory() - first, 0) if first else 0


def _tidy(report: Report, server: AuthorizationServer) -> None:
    """Counts what the server saw, and has it forget that, so that an hour fits into memory."""
    report.reused += server.reuse_events
    report.without_token += server.api.unauthenticated
    server.forget_requests()
    server.forget_ended_tokens()


def _collect(report: Report, parties: Sequence[Party], schedule: Schedule) -> None:
    deadline = time.monotonic() + _PATIENCE
    while vathos_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    report.differences += schedule.flaws
    for party in parties:
        report.differences += party.differences
        stats = party.session.stats()
        for name in ("token_requests", "renewals", "renewal_failures", "served_stale"):
            setattr(report, name, getattr(report, name) + getattr(stats, name))
        report.replays += stats.replays
        report.refusals += stats.refusals
        party.session.close()
        party.twin.close()


def _memory() -> int:
    """Bytes of memory that the process has now; zero where the system does not tell."""
    gc.collect()
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _open_files() -> int:
    return len(list(_FILES.iterdir())) if _FILES.exists() else 0
