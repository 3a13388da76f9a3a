"""What a call costs: without a network, over loopback, and putting the token on it alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import requests
from requests.hooks import default_hooks

from tests.benchmarks.contenders import BASE, CONTENDERS, OURS, able, load, reasons
from tests.benchmarks.contenders.base import Bed, Contender
from tests.benchmarks.fast_server import fast_server
from tests.benchmarks.measuring import Spread, calls_per_turn, in_turns, ratios, spread
from tests.benchmarks.report import DASH, TIMES, Result, Scale, by_contender
from tests.benchmarks.worker import DOZEN, ask, instructions_between_marks, mark, why_not_counted

__all__ = ["MANY", "attach", "loopback", "null"]

MANY = 100
_WARM = 30
_MICRO = 1e-6
_COUNTED = (BASE, OURS, "httpx")
_BY_BASE = f"{TIMES} {CONTENDERS[BASE].title}"


def null(scale: Scale, keys: Sequence[str]) -> Result:
    """Measures calls that an adapter answers at once, in two environments."""
    taking = able("null", keys)
    columns: list[str] = []
    cells: dict[str, list[str]] = {key: [] for key in taking}
    figures: dict[str, float] = {}
    bars: dict[str, dict[str, float]] = {}
    for variables in (DOZEN, MANY):
        measured, ratio = _timed(scale, taking, variables=variables, null=True)
        columns += [f"µs, {variables} variables", _BY_BASE]
        for key in taking:
            cells[key] += [measured[key].told(_MICRO, 0), ratio[key].told()]
        bars[f"no network, {variables} environment variables"] = {
            key: each.median for key, each in ratio.items()
        }
        figures |= {f"null {variables} {key}": each.median for key, each in ratio.items()}
    why = why_not_counted(scale.counted)
    for variables in () if why else (DOZEN, MANY):
        counts = _counted(scale, [key for key in _COUNTED if key in taking], variables)
        columns.append(f"instructions, {variables} variables")
        for key in taking:
            count = counts.get(key)
            cells[key].append(DASH if count is None else f"{count:,.0f}")
        figures[f"instructions {variables}"] = counts[OURS] / counts[BASE]
    told = ", ".join(CONTENDERS[key].title for key in _COUNTED)
    notes = [why or f"Instructions of a call were counted by `callgrind`, for {told} only."]
    return Result(
        "A call without a network",
        [
            "An adapter answers each GET at once, so only the client's own work is measured.",
            "`requests` reads the whole environment in each call, so its size matters.",
            f"Each ran {scale.rounds} turns of {scale.calls} calls in one process, "
            "in another order each time.",
        ],
        by_contender(columns, cells, keys),
        reasons("null", keys),
        notes,
        figures,
        bars,
    )


def loopback(scale: Scale, keys: Sequence[str]) -> Result:
    """Measures calls to a server in another process, on connections that are kept."""
    taking = able("loopback", keys)
    measured, ratio = _timed(scale, taking, variables=DOZEN, null=False)
    cells = {
        key: [measured[key].told(_MICRO, 0), ratio[key].told(), f"{1 / measured[key].median:,.0f}"]
        for key in taking
    }
    medians = {key: each.median for key, each in ratio.items()}
    return Result(
        "A call over loopback",
        [
            "The server is another process that does almost nothing and keeps connections open.",
            f"The environment has {DOZEN} variables.",
        ],
        by_contender(["µs", _BY_BASE, "calls per second"], cells, keys),
        reasons("loopback", keys),
        figures={f"loopback {key}": each for key, each in medians.items()},
        bars={"over loopback": medians},
    )


def attach(scale: Scale, keys: Sequence[str]) -> Result:
    """Measures how long it takes to put a token that is fresh on a request."""
    taking = able("attach", keys)
    with fast_server() as server:
        bed = Bed(server.token_url, server.api_url, null=True)
        order = {"bed": asdict(bed), "keys": taking, "calls": 10 * scale.calls}
        found = ask("overhead:time_attach", order | {"rounds": scale.rounds})
    cells = {key: [spread(figures).told(_MICRO)] for key, figures in found.items()}
    return Result(
        "Putting the token on a request",
        [
            "The token is fresh, and the request is already prepared.",
            "The time that the clock itself takes is subtracted.",
        ],
        by_contender(["µs"], cells, keys),
        reasons("attach", keys),
        figures={f"attach {key}": spread(each).median for key, each in found.items()},
    )


def _timed(
    scale: Scale, keys: Sequence[str], *, variables: int, null: bool
) -> tuple[dict[str, Spread], dict[str, Spread]]:
    """Times calls in a process of their own; returns seconds, and ratios to plain `requests`."""
    with fast_server() as server:
        bed = Bed(server.token_url, server.api_url, null=null)
        order = {"bed": asdict(bed), "keys": keys, "calls": scale.calls, "rounds": scale.rounds}
        found = ask("overhead:time_calls", order, variables=variables)
    measured = {key: spread(figures) for key, figures in found.items()}
    return measured, {key: ratios(figures, found[BASE]) for key, figures in found.items()}


def _counted(scale: Scale, keys: Sequence[str], variables: int) -> dict[str, float]:
    """Counts the instructions of a call."""
    with fast_server() as server:
        bed = asdict(Bed(server.token_url, server.api_url, null=True))
        orders = [{"bed": bed, "key": key, "calls": scale.counted} for key in keys]
        counts = instructions_between_marks("overhead:count_calls", orders, variables=variables)
    return {key: count / scale.counted for key, count in zip(keys, counts, strict=True)}


# --- what runs in the other process -------------------------------------------------------------


def time_calls(bed: dict[str, Any], keys: Sequence[str], calls: int, rounds: int) -> Any:
    """Times the calls of some contenders in turns; returns seconds for each call, by contender."""
    contenders = {key: _ready(key, Bed(**bed)) for key in keys}
    turns = {key: partial(calls_per_turn, each.call, calls) for key, each in contenders.items()}
    figures = in_turns(turns, rounds)
    for contender in contenders.values():
        contender.close()
    return figures


def time_attach(bed: dict[str, Any], keys: Sequence[str], calls: int, rounds: int) -> Any:
    """Times how contenders attach their tokens, in turns."""
    request = requests.Request("GET", bed["api_url"]).prepare()

    def turn(attach: Callable[[requests.PreparedRequest], object]) -> float:
        taken = 0.0
        for _ in range(calls):
            fresh = request.copy()
            fresh.hooks = default_hooks()  # a copy shares them, so that its own are not fresh
            started = time.perf_counter()
            attach(fresh)
            taken += time.perf_counter() - started
        return taken / calls

    contenders = {key: _ready(key, Bed(**bed)) for key in keys}
    turns = {key: partial(turn, each.attach) for key, each in contenders.items()}
    found = in_turns({**turns, "nothing": partial(turn, lambda fresh: fresh)}, rounds)
    clock = statistics.median(found.pop("nothing"))
    return {key: [each - clock for each in figures] for key, figures in found.items()}


def count_calls(bed: dict[str, Any], key: str, calls: int) -> int:
    """Calls between two marks, for instructions to be counted there."""
    contender = _ready(key, Bed(**bed))
    call, each = contender.call, range(calls)
    mark()
    for _ in each:
        call()
    mark()
    return calls


def _ready(key: str, bed: Bed) -> Contender:
    """Sets a contender up, lets it get its token and warm up, and sees that its calls work."""
    contender = load(key, bed)
    for _ in range(_WARM):
        status = contender.call()
        if status != 200:
            raise RuntimeError(f"{key} was answered {status}")
    return contender
