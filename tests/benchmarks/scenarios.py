"""Many threads without a token, expiry under load, an outage, many processes without a token."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from tests.benchmarks.contenders import CONTENDERS, OURS, able, load, reasons
from tests.benchmarks.contenders.base import Bed
from tests.benchmarks.load import PAUSE, Outcome, load_by_threads
from tests.benchmarks.measuring import in_turns, spread
from tests.benchmarks.report import DASH, TIMES, Result, Scale, by_contender
from tests.benchmarks.worker import finish, start
from tests.concurrency.serving import Remote, count, remote
from vathos import RenewalPolicy
from vathos.testing import AuthorizationServer, Fault

__all__ = ["bed_of", "expiry", "outage", "processes", "stampede"]

_LEEWAY = 1 - RenewalPolicy().stale_share  # of the lifetime
_TOKEN_DELAY = 0.2
_LOAD = 8  # threads
_ROUNDED = 0.05  # seconds on top of a lifetime, as `expires_in` is rounded down


def stampede(scale: Scale, keys: Sequence[str]) -> Result:
    """Lets many threads make their first call at once."""
    played = _played("stampede", scale, keys, _cold)
    cells: dict[str, list[str]] = {}
    figures: dict[str, float] = {}
    for key, outcomes in played.items():
        requests = spread([each.token_requests for each in outcomes])
        wall = spread([each.outcome.seconds for each in outcomes])
        failed = spread([each.outcome.failed for each in outcomes])
        cells[key] = [requests.told(digits=0), wall.told(), failed.told(digits=0)]
        figures[f"stampede {key}"] = requests.median
    return Result(
        "Many threads without a token",
        [
            f"{scale.threads} threads of one process make their first call at the same moment.",
            f"The token endpoint takes {_TOKEN_DELAY} s for each answer.",
            "One token request is enough.",
        ],
        by_contender(["token requests", "s until all are answered", "failed calls"], cells, keys),
        reasons("stampede", keys),
        _ways_to_fail(played),
        figures,
    )


def expiry(scale: Scale, keys: Sequence[str]) -> Result:
    """Lets threads call for some short lifetimes of tokens."""
    played = _played("expiry", scale, keys, _expiring, repeats=1)
    cells, figures = {}, {}
    for key, (story,) in played.items():
        outcome = story.outcome
        cells[key] = [
            f"{outcome.calls:,}",
            f"{story.token_requests:,}",
            f"{outcome.failed:,}",
            f"{1000 * outcome.slowest:,.0f}",
        ]
        figures |= {f"expiry {key}": story.token_requests, f"expiry failed {key}": outcome.failed}
    return Result(
        "Tokens that expire under load",
        [
            f"Tokens live {scale.lifetime} s, the load lasts {scale.lifetimes} lifetimes, "
            f"the token endpoint takes {_TOKEN_DELAY} s.",
            f"{_LOAD} threads call through one client, with {1000 * PAUSE:.0f} ms of rest between "
            "calls; the first call is made before.",
            "Lifetimes this short show in seconds what takes hours elsewhere; rounding to "
            "whole seconds weighs more.",
            "The API checks each token, and answers 401 if it has expired.",
        ],
        by_contender(["calls", "token requests", "failed calls", "slowest call, ms"], cells, keys),
        reasons("expiry", keys),
        _ways_to_fail(played),
        figures,
    )


def outage(scale: Scale, keys: Sequence[str]) -> Result:
    """Lets the token endpoint answer 503 while a token still lives."""
    played = _played("outage", scale, keys, _down, repeats=1)
    cells, figures = {}, {}
    for key, (story,) in played.items():
        outcome = story.outcome
        share = outcome.failed / outcome.calls
        slowest = f"{1000 * outcome.slowest:,.0f}"
        cells[key] = [f"{outcome.calls:,}", f"{outcome.failed:,}", f"{share:.0%}", slowest]
        figures[f"outage {key}"] = outcome.failed
    return Result(
        "The token endpoint is down while the token lives",
        [
            f"Tokens live {2 * scale.lifetime} s; after 60 % of that the token endpoint answers "
            "503, until the load ends at 99 %.",
            f"{_LOAD} threads call through one client, with {1000 * PAUSE:.0f} ms of rest between "
            "calls.",
            "No call has to fail, because the token is still valid.",
        ],
        by_contender(["calls", "failed calls", "share", "slowest call, ms"], cells, keys),
        reasons("outage", keys),
        _ways_to_fail(played),
        figures,
    )


def processes(scale: Scale, keys: Sequence[str]) -> Result:
    """Lets many processes make their first call at once, without a token and with one stored."""
    played = _played("processes", scale, keys, _many_processes, repeats=1)
    warm = _played("processes", scale, [OURS], partial(_many_processes, warm=True), repeats=1)
    cells, figures = {}, {}
    for key, (story,) in played.items():
        slowest = story.outcome.slowest / _TOKEN_DELAY
        cells[key] = [
            f"{story.token_requests:,}",
            f"{story.outcome.failed:,}",
            f"{slowest:.1f}",
            DASH,
        ]
        figures |= {f"processes {key}": story.token_requests, f"processes cold {key}": slowest}
    for key, (story,) in warm.items():
        figures[f"processes warm {key}"] = slowest = story.outcome.slowest / _TOKEN_DELAY
        cells[key][-1] = f"{slowest:.1f}"
    told = f"slowest first call {TIMES} token request"
    return Result(
        "Many processes start at once",
        [
            f"{scale.processes} processes make their first call at the same moment; "
            f"the token endpoint takes {_TOKEN_DELAY} s for each answer.",
            f"Only {CONTENDERS[OURS].title} can share tokens between processes; here by files.",
            "The last column is that of processes that find a valid token in the store.",
        ],
        by_contender(
            ["token requests", "failed calls", f"{told}, no token", f"{told}, token stored"],
            cells,
            keys,
        ),
        reasons("processes", keys),
        _ways_to_fail(played),
        figures,
    )


# --- how they are played ------------------------------------------------------------------------


class Story:
    """A scenario that was played by a contender.

    Attributes:
        outcome: What became of its calls.
        token_requests: Token requests that the server saw.
    """

    def __init__(self, outcome: Outcome, server: Remote) -> None:
        self.outcome = outcome
        self.token_requests: int = server.ask(count)


def _played(
    name: str,
    scale: Scale,
    keys: Sequence[str],
    play: Callable[[Scale, str], Story],
    repeats: int | None = None,
) -> dict[str, list[Story]]:
    """Lets each contender play a scenario in turns, each time against a server of its own."""
    stories: dict[str, list[Story]] = {key: [] for key in able(name, keys)}

    def turn(key: str) -> float:
        stories[key].append(play(scale, key))
        return stories[key][-1].outcome.seconds

    in_turns({key: partial(turn, key) for key in stories}, repeats or scale.repeats)
    return stories


def bed_of(server: Remote, lifetime: float, folder: str | None = None) -> Bed:
    """What a contender works against, with tokens of that lifetime."""
    account = server.service_account
    return Bed(
        account["token_url"],
        account["base_url"] + "/products",
        account["client_id"],
        account["client_secret"],
        leeway=_LEEWAY * lifetime,
        folder=folder,
    )


def _cold(scale: Scale, key: str) -> Story:
    with remote(delay=_TOKEN_DELAY) as server:
        contender = load(key, bed_of(server, 300))
        outcome = load_by_threads(contender, scale.threads)
        contender.close()
        return Story(outcome, server)


def _expiring(scale: Scale, key: str) -> Story:
    with remote(delay=_TOKEN_DELAY, access_token_lifetime=scale.lifetime + _ROUNDED) as server:
        contender = load(key, bed_of(server, scale.lifetime))
        contender.call()
        outcome = load_by_threads(contender, _LOAD, seconds=scale.lifetimes * scale.lifetime)
        contender.close()
        return Story(outcome, server)


def _down(scale: Scale, key: str) -> Story:
    lifetime = 2 * scale.lifetime
    with remote(access_token_lifetime=lifetime + _ROUNDED) as server:
        contender = load(key, bed_of(server, lifetime))
        began = time.monotonic()
        contender.call()
        passed = time.monotonic() - began

        def break_it() -> None:
            time.sleep(0.6 * lifetime - passed)
            server.ask(_take_down)

        seconds = 0.99 * lifetime - passed
        outcome = load_by_threads(contender, _LOAD, seconds=seconds, meanwhile=break_it)
        contender.close()
        return Story(outcome, server)


def _take_down(server: AuthorizationServer) -> None:
    server.fail("token", Fault.status(503), times=None)


def _many_processes(scale: Scale, key: str, *, warm: bool = False) -> Story:
    with remote(delay=_TOKEN_DELAY) as server, tempfile.TemporaryDirectory() as folder:
        order = {"bed": asdict(bed_of(server, 300, folder)), "key": key}
        if warm:
            finish(start("scenarios:first_call", order), "now\n")
        running = [start("scenarios:first_call", order) for _ in range(scale.processes)]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
        outcome, began = Outcome(), time.perf_counter()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("now\n")
            process.stdin.flush()
        for process in running:
            answer, seconds = finish(process)[0]
            outcome.answers[answer] += 1
            outcome.slowest = max(outcome.slowest, seconds)
        outcome.seconds = time.perf_counter() - began
        return Story(outcome, server)


def first_call(bed: dict[str, object], key: str) -> tuple[str, float]:
    """Makes the first call of this process, when told to; runs in the other process."""
    contender = load(key, Bed(**bed))  # type: ignore[arg-type]  # as it came from asdict
    print("ready", flush=True)
    input()
    began = time.perf_counter()
    try:
        answer = str(contender.call())
    except Exception as error:  # noqa: BLE001 - whatever it is, the call has failed
        answer = f"`{type(error).__name__}`"
    return answer, time.perf_counter() - began


def _ways_to_fail(played: dict[str, list[Story]]) -> list[str]:
    """Tells how calls of each contender failed, if some did."""
    notes = []
    for key, stories in played.items():
        whole = Outcome()
        for story in stories:
            whole.answers += story.outcome.answers
        if whole.failed:
            notes.append(f"{CONTENDERS[key].title} failed so: {whole.why()}.")
    return notes
