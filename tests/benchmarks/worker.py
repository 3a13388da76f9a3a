"""Parts of benchmarks in processes of their own, with an environment of a known size.

`python -m tests.benchmarks.worker MODULE:FUNCTION` reads an order, a JSON object, from standard
input, calls the function with it, and writes what it returns to standard output.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = [
    "DOZEN",
    "ask",
    "environment",
    "finish",
    "instructions",
    "instructions_between_marks",
    "mark",
    "start",
    "why_not_counted",
]

ROOT = Path(__file__).parents[2]
DOZEN = 12
_KEPT = ("HOME", "PATH", "SYSTEMROOT")
_COUNT = "Collected : "


def environment(variables: int = DOZEN, **more: str) -> dict[str, str]:
    """Makes an environment: what is needed, and as many other variables as it takes.

    Args:
        variables: How many there are to be.
        **more: Some of them.

    Returns:
        The environment.
    """
    found = {name: os.environ[name] for name in _KEPT if name in os.environ}
    found |= {
        "LC_ALL": "C.UTF-8",
        # The same instructions in every run.
        "PYTHONHASHSEED": "0",
        # Loopback without TLS, for those who refuse that.
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
        "AUTHLIB_INSECURE_TRANSPORT": "1",
        **more,
    }
    return found | {
        f"SERVICE_SETTING_{number}": f"/srv/service/value-{number}"
        for number in range(len(found), variables)
    }


def start(
    part: str,
    order: dict[str, Any],
    *,
    variables: int = DOZEN,
    prefix: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Starts a part of a benchmark.

    Args:
        part: Module of this package and function in it, with a colon between.
        order: Arguments of the function.
        variables: How many environment variables the process has.
        prefix: A command to run it under.

    Returns:
        The process; its standard input is open.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.benchmarks.worker", part],
        cwd=ROOT,
        env=environment(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    return process


def finish(process: subprocess.Popen[str], words: str = "") -> tuple[Any, str]:
    """Waits for a part.

    Args:
        process: What `start` returned.
        words: A last line for its standard input.

    Returns:
        What the function returned, and what was written to standard error.

    Raises:
        RuntimeError: If it failed.
    """
    out, complaints = process.communicate(words)
    if process.returncode:
        raise RuntimeError(f"a part of a benchmark failed:\n{complaints}")
    return json.loads(out.splitlines()[-1]), complaints


def ask(part: str, order: dict[str, Any], *, variables: int = DOZEN) -> Any:
    """Runs a part of a benchmark in a process of its own.

    Args:
        part: As for `start`.
        order: As for `start`.
        variables: As for `start`.

    Returns:
        What the function returned.

    Raises:
        RuntimeError: If it failed.
    """
    return finish(start(part, order, variables=variables))[0]


def why_not_counted(wanted: int) -> str:
    """Tells why instructions are not counted.

    Args:
        wanted: For how many calls they are to be.

    Returns:
        A sentence, empty if they are.
    """
    if not wanted:
        return "Instructions were not counted: the run was to be short."
    return "" if _valgrind() else "Instructions were not counted: valgrind is not installed."


def _valgrind() -> str | None:
    return shutil.which("valgrind")


def instructions(command: Sequence[str], *, env: dict[str, str], cwd: str) -> int:
    """Counts the instructions of a whole process.

    Args:
        command: The command.
        env: Its environment.
        cwd: Its working directory.

    Returns:
        Their number.
    """
    done = subprocess.run(
        [*_callgrind(os.devnull), *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split(_COUNT)[1].split()[0])


def instructions_between_marks(
    part: str, orders: Sequence[dict[str, Any]], *, variables: int
) -> list[int]:
    """Counts the instructions of a part between its two calls of `mark`, for some orders at once.

    Args:
        part: As for `start`.
        orders: The orders; one process for each, all at the same time.
        variables: As for `start`.

    Returns:
        Their numbers.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(len(orders))]
        running = [
            start(part, order, variables=variables, prefix=_callgrind(str(file), "getpriority"))
            for order, file in zip(orders, files, strict=True)
        ]
        for process in running:
            finish(process)
        # The first dump ends at the first mark, the second one at the second.
        dumps = [file.with_suffix(".2").read_text() for file in files]
    return [int(dump.split("\ntotals: ")[1].split()[0]) for dump in dumps]


def mark() -> None:
    """Calls a function of the C library that nobody else calls, for `callgrind` to see."""
    os.getpriority(os.PRIO_PROCESS, 0)


def _callgrind(file: str, dump_before: str | None = None) -> list[str]:
    program = _valgrind()
    assert program is not None
    options = [f"--callgrind-out-file={file}"]
    if dump_before:
        options.append(f"--dump-before={dump_before}")
    return [program, "--tool=callgrind", *options]


def main() -> None:
    """Does what the order says."""
    module, _, function = sys.argv[1].partition(":")
    order = json.loads(sys.stdin.readline())
    answer = getattr(import_module(f"tests.benchmarks.{module}"), function)(**order)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
