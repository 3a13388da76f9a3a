"""What it costs to start: whole processes that import something, and `vathos token`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS, OURS, able, reasons
from tests.benchmarks.measuring import in_turns, ratios, spread
from tests.benchmarks.report import DASH, TIMES, Result, Scale, Table
from tests.benchmarks.worker import DOZEN, environment, instructions, why_not_counted
from tests.concurrency.serving import count, remote

__all__ = ["IN_MEMORY", "PACKAGE", "PARENT", "PRINTING", "command", "imports"]

_MILLI = 1e-3
_BARE, PACKAGE, PARENT = "pass", "import vathos", "import requests_oauthlib"
_BUILT = (
    "import requests; requests.Session()",
    "import requests_oauthlib; requests_oauthlib.OAuth2Session('robot')",
    "import vathos; vathos.VathosSession('robot', 'secret')",
)
IN_MEMORY = "`vathos token`"
_BUILDS = "import vathos; vathos.VathosSession()"
_PRINTS = "import vathos; print(vathos.VathosSession().access_token)"
PRINTING = "a session that prints its token"
_IN_MEMORY = Path("/dev/shm")


def imports(scale: Scale, keys: Sequence[str]) -> Result:
    """Times processes that do nothing but import."""
    statements = [_BARE, PACKAGE]
    statements += dict.fromkeys(CONTENDERS[key].imports for key in able("imports", keys))
    statements += [each for each in (PARENT, *_BUILT) if each not in statements]
    ours = CONTENDERS[OURS].imports
    env = environment()
    with tempfile.TemporaryDirectory() as folder:
        commands = {each: [sys.executable, "-c", each] for each in statements}
        turns = {
            each: partial(_processor_time, argv, env, folder) for each, argv in commands.items()
        }
        found = _timed(turns, scale.starts)
        counted: dict[str, int] = {}
        if not (why := why_not_counted(scale.counted)):
            some = [each for each in (_BARE, PACKAGE, ours, PARENT) if each in commands]
            count_one = partial(instructions, env=env, cwd=folder)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                counts = pool.map(count_one, [commands[each] for each in some])
                counted = dict(zip(some, counts, strict=True))
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    for statement in statements:
        by_bare = ratios(found[statement], found[_BARE])
        by_parent = ratios(found[statement], found[PARENT])
        rows.append(
            [
                "bare Python" if statement == _BARE else f"`{statement}`",
                spread(found[statement]).told(_MILLI, 1),
                by_bare.told(),
                by_parent.told(),
                f"{counted[statement] / 1e6:,.0f}" if statement in counted else DASH,
            ]
        )
        figures |= {
            f"by bare {statement}": by_bare.median,
            f"by parent {statement}": by_parent.median,
        }
    notes = [] if counted else [why]
    return Result(
        "Importing",
        [
            "Each row is the processor time of a whole process, `python -c …`, from start to end.",
            f"Each was started {scale.starts} times, in another order each time, after one start "
            f"that was not counted, with {DOZEN} environment variables.",
            "The last rows build a session too, as libraries may put off a part of their imports "
            "until then.",
        ],
        Table(
            ["", "ms", f"{TIMES} bare Python", f"{TIMES} `{PARENT}`", "million instructions"],
            rows,
        ),
        reasons("imports", keys),
        notes,
        figures,
    )


def command(scale: Scale, keys: Sequence[str]) -> Result:
    """Times `vathos token` while the token in the store is good."""
    del keys  # nobody else has such a command
    parent = f"`python -c '{PARENT}'`"
    with remote() as server, _folders() as (home, runtime):
        account = server.service_account
        settings = {
            "VATHOS_CLIENT_ID": account["client_id"],
            "VATHOS_CLIENT_SECRET": account["client_secret"],
            "VATHOS_TOKEN_URL": account["token_url"],
            "VATHOS_TOKEN_STORE": Path(home, "tokens").as_uri(),
            "HOME": home,
        }
        program = _program()
        outside = environment(**settings)
        ways: dict[str, tuple[list[str], dict[str, str]]] = {
            "bare Python": ([sys.executable, "-c", _BARE], outside),
            parent: ([sys.executable, "-c", PARENT], outside),
        }
        if runtime is not None:
            inside = environment(**settings, XDG_RUNTIME_DIR=runtime)
            ways[IN_MEMORY] = ([*program, "token"], inside)
            ways[f"`{_BUILDS}`"] = ([sys.executable, "-c", _BUILDS], inside)
            ways[f"`{_PRINTS}`"] = ([sys.executable, "-c", _PRINTS], inside)
        on_disk = environment(**settings, XDG_RUNTIME_DIR=home)
        ways["`vathos token`, no folder in memory"] = ([*program, "token"], on_disk)
        turns = {name: partial(_wall_time, argv, env, home) for name, (argv, env) in ways.items()}
        found = _timed(turns, scale.starts)
        requests = server.ask(count)
    rows, figures = [], {}
    for name in ways:
        ratio = ratios(found[name], found[parent])
        rows.append([name, spread(found[name]).told(_MILLI, 1), ratio.told()])
        figures[f"command {name}"] = ratio.median
    if runtime is not None:
        by_building = ratios(found[f"`{_PRINTS}`"], found[f"`{_BUILDS}`"])
        figures[PRINTING] = by_building.median
    notes = [
        f"All of these commands together made {requests} token request.",
        "The name of the entry is kept in a folder in memory, `XDG_RUNTIME_DIR` or `/dev/shm`; "
        "where there is none, it is computed anew by a hash that is slow on purpose.",
    ]
    if runtime is None:
        notes.append("That could not be measured here: there is no `/dev/shm`.")
    return Result(
        "A token in the store",
        [
            "Each row is the wall time of a whole process, from start to end.",
            "The file store has a valid token, so no server is asked.",
        ],
        Table(["", "ms", f"{TIMES} {parent}"], rows),
        {},
        notes,
        figures,
    )


def _timed(turns: Mapping[str, Callable[[], float]], starts: int) -> dict[str, list[float]]:
    """Times processes in turns; once before, so that their files are in memory and compiled."""
    in_turns(turns, 1)
    return in_turns(turns, starts)


def _wall_time(argv: Sequence[str], env: dict[str, str], folder: str) -> float:
    """Runs a process; returns the seconds that a person waits for it."""
    started = time.perf_counter()
    _processor_time(argv, env, folder)
    return time.perf_counter() - started


def _processor_time(argv: Sequence[str], env: dict[str, str], folder: str) -> float:
    """Runs a process; returns its processor time, which a busy machine falsifies least."""
    process = subprocess.Popen(argv, env=env, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return usage.ru_utime + usage.ru_stime


def _program() -> list[str]:
    """Finds the command beside this Python."""
    found = shutil.which("vathos", path=str(Path(sys.executable).parent))
    return [found] if found else [sys.executable, "-m", "vathos"]


@contextmanager
def _folders() -> Iterator[tuple[str, str | None]]:
    """Makes a home, and a folder in memory."""
    with tempfile.TemporaryDirectory() as home:
        if not _IN_MEMORY.is_dir():
            yield home, None
            return
        with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as runtime:
            yield home, runtime
