"""Whether anyone waits for a renewal, and how often one asks the disk."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import BASE, CONTENDERS, OURS, able, load, reasons
from tests.benchmarks.load import PAUSE, Outcome, load_by_threads
from tests.benchmarks.measuring import in_turns
from tests.benchmarks.report import DASH, TIMES, Result, Scale, Table, by_contender
from tests.benchmarks.scenarios import bed_of
from tests.benchmarks.worker import finish, mark, start
from tests.concurrency.serving import count, remote
from vathos import VathosSession

__all__ = ["refresh", "waits"]

_LOAD = 32  # threads
_ROUNDED = 0.05  # seconds on top of a lifetime, as `expires_in` is rounded down
_SETTLED = 2.1  # seconds after which the file store knows a file again by its time


def waits(scale: Scale, keys: Sequence[str]) -> Result:
    """Lets many threads call while tokens expire whose renewal takes long."""
    taking = able("waits", keys)
    columns: list[str] = []
    cells: dict[str, list[str]] = {key: [] for key in taking}
    figures: dict[str, float] = {}
    for lifetime, delay, seconds in scale.waits:
        columns += [
            f"slowest call {TIMES} token request, {lifetime:g} s / {delay:g} s",
            "token requests",
            "failed calls",
        ]
        found: dict[str, tuple[Outcome, int]] = {}

        def turn(
            key: str, lifetime: float, delay: float, seconds: float, found: dict[str, Any]
        ) -> float:
            found[key] = _loaded(key, lifetime, delay, seconds)
            return 0.0

        in_turns({key: partial(turn, key, lifetime, delay, seconds, found) for key in taking}, 1)
        for key, (outcome, requests) in found.items():
            stall = outcome.slowest / delay
            told = [f"{requests:,}", f"{outcome.failed:,}"]
            cells[key] += [f"{stall:.2f}", *([DASH, DASH] if key == BASE else told)]
            figures[f"waits {lifetime:g} {key}"] = stall
            figures[f"waits failed {lifetime:g} {key}"] = outcome.failed
    return Result(
        "Waiting for renewals",
        [
            f"{_LOAD} threads call through one client, with {1000 * PAUSE:.0f} ms of rest between "
            "calls, while tokens expire; the first call is made before.",
            "The heading names the lifetime of the tokens, and how long the token endpoint takes.",
            f"1 {TIMES} is a call that waits for a whole token request.",
            f"{CONTENDERS[BASE].title} shows how long a call takes under that load without any "
            "renewal; the API refuses its header.",
        ],
        by_contender(columns, cells, keys),
        reasons("waits", keys),
        figures=figures,
    )


def refresh(scale: Scale, keys: Sequence[str]) -> Result:
    """Counts how often one refresh asks the file store's disk."""
    del keys, scale  # nobody else has such a store
    columns = ["", "reads of the entry", "writes", "syncs to the disk"]
    row, notes = [DASH, DASH, DASH], ["strace is not installed."]
    figures: dict[str, float] = {}
    if shutil.which("strace"):
        counts = _traced()
        row, notes = [str(each) for each in counts], []
        figures = dict(
            zip(("refresh reads", "refresh writes", "refresh syncs"), counts, strict=True)
        )
    return Result(
        "One refresh through the file store",
        [
            "A process that found its token in the store renews it with the refresh token; "
            "`strace` counts the system calls of that.",
            "The refresh token is taken out of the store before it is sent, and the new one put "
            "in, so two writes are the least.",
        ],
        Table(columns, [[CONTENDERS[OURS].title, *row]]),
        {},
        notes,
        figures or {"refresh not counted": 1.0},
    )


def _loaded(key: str, lifetime: float, delay: float, seconds: float) -> tuple[Outcome, int]:
    """Lets a contender call under load; returns what became of it, and its token requests."""
    with remote(delay=delay, access_token_lifetime=lifetime + _ROUNDED) as server:
        contender = load(key, bed_of(server, lifetime))
        contender.call()
        outcome = load_by_threads(contender, _LOAD, seconds=seconds)
        contender.close()
        return outcome, int(server.ask(count))


def _traced() -> tuple[int, int, int]:
    """Traces a process that refreshes once, between its two calls of `mark`."""
    with remote() as server, tempfile.TemporaryDirectory() as folder:
        account = server.person
        with VathosSession(**account, store=Path(folder, "tokens").as_uri()) as session:
            session.fetch_token()
        time.sleep(_SETTLED)
        file = Path(folder, "trace")
        calls = "trace=openat,rename,renameat,renameat2,fsync,fdatasync,getpriority"
        order = {"account": account, "store": Path(folder, "tokens").as_uri()}
        prefix = ["strace", "-f", "-o", str(file), "-e", calls]
        finish(start("waiting:refresh_once", order, prefix=prefix))
        between = file.read_text().split("getpriority(")[1]
    return (
        len(re.findall(r'openat\([^\n]*\.json", O_RDONLY[^\n]* = \d', between)),
        len(re.findall(r"rename(?:at2?)?\([^\n]* = 0", between)),
        len(re.findall(r"f(?:data)?sync\(\d", between)),
    )


def refresh_once(account: dict[str, Any], store: str) -> str:
    """Takes the token from the store and refreshes it; runs in the other process."""
    with VathosSession(**account, store=store) as session:
        assert session.access_token
        mark()
        session.refresh_token()
        mark()
    return "done"
