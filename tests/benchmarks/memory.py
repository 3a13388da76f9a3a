"""Whether memory grows over many calls, renewals included."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import OURS, able, load, reasons
from tests.benchmarks.contenders.base import Bed
from tests.benchmarks.fast_server import fast_server
from tests.benchmarks.report import Result, Scale, by_contender
from tests.benchmarks.worker import ask

__all__ = ["memory"]

_LIFETIME, _LEEWAY = 1, 0.2
_STATM = Path("/proc/self/statm")
_KIBI = 1024
_NO_STATM = "this system has no `/proc/self/statm`"


def memory(scale: Scale, keys: Sequence[str]) -> Result:
    """Watches the resident memory of a process that calls again and again."""
    out = reasons("memory", keys)
    if not _STATM.exists():
        out = dict.fromkeys(keys, _NO_STATM)
    cells, figures = {}, {}
    for key in [key for key in able("memory", keys) if key not in out]:
        with fast_server(_LIFETIME) as server:
            bed = Bed(server.token_url, server.api_url, leeway=_LEEWAY, null=True)
            # Only ours has to go all the way: for the others the rate shows well enough.
            seconds = None if key == OURS else scale.memory_seconds
            order = {"bed": asdict(bed), "key": key, "calls": scale.memory_calls}
            found = ask("memory:watch", order | {"seconds": seconds})
            requests = server.token_requests()
        grown = (found["after"] - found["before"]) / _KIBI
        cells[key] = [
            f"{found['calls']:,}",
            f"{found['failed']:,}",
            f"{requests:,}",
            f"{found['before'] / _KIBI**2:,.1f}",
            f"{grown:+,.0f}",
            f"{grown * _KIBI / found['counted']:+,.2f}",
        ]
        if key == OURS:
            figures = {
                "memory KiB": grown,
                "memory calls": found["calls"],
                "memory requests": requests,
            }
    return Result(
        "Memory over many calls",
        [
            f"Calls are answered without a network; tokens live {_LIFETIME} s and are renewed.",
            "The first tenth of the calls is to warm up; growth is what the resident memory of the "
            "process gained over the rest.",
        ],
        by_contender(
            [
                "calls",
                "failed calls",
                "token requests",
                "MiB after a tenth",
                "growth, KiB",
                "bytes per call",
            ],
            cells,
            keys,
        ),
        out,
        (),
        figures,
    )


def watch(bed: dict[str, Any], key: str, calls: int, seconds: float | None) -> dict[str, int]:
    """Calls, and tells how memory grew after the first tenth; runs in the other process."""
    contender = load(key, Bed(**bed))
    tenth = calls // 10
    warm, lost = _called(contender.call, tenth, None if seconds is None else seconds / 10)
    before = _resident()
    rest, failed = _called(contender.call, calls - warm, seconds)
    after = _resident()
    contender.close()
    return {
        "calls": warm + rest,
        "counted": rest,
        "failed": lost + failed,
        "before": before,
        "after": after,
    }


def _called(call: Any, calls: int, seconds: float | None) -> tuple[int, int]:
    """Calls so often, or until the time is over; returns how often, and how many failed."""
    end, failed = float("inf") if seconds is None else time.monotonic() + seconds, 0
    for number in range(calls):
        try:
            call()
        except Exception:  # noqa: BLE001 - whatever it is, the call has failed
            failed += 1
        if time.monotonic() > end:
            return number + 1, failed
    return calls, failed


def _resident() -> int:
    """Tells the bytes of memory that this process holds now."""
    gc.collect()
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
