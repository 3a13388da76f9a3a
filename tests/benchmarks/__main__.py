"""Runs the benchmarks: `python -m tests.benchmarks`, all of them or those that are named."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tests.benchmarks import memory, overhead, scenarios, starts, targets, waiting
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.machine import machine
from tests.benchmarks.page import Run, write
from tests.benchmarks.report import Result, Scale
from tests.benchmarks.worker import environment

BENCHMARKS: Mapping[str, Callable[[Scale, Sequence[str]], Result]] = {
    "null": overhead.null,
    "loopback": overhead.loopback,
    "attach": overhead.attach,
    "stampede": scenarios.stampede,
    "expiry": scenarios.expiry,
    "outage": scenarios.outage,
    "waits": waiting.waits,
    "processes": scenarios.processes,
    "imports": starts.imports,
    "command": starts.command,
    "refresh": waiting.refresh,
    "memory": memory.memory,
}

NORMAL = Scale("normal")
FULL = replace(NORMAL, name="full", memory_calls=1_000_000)
QUICK = Scale(
    "quick",
    rounds=5,
    calls=50,
    counted=0,
    threads=20,
    repeats=1,
    lifetimes=2,
    lifetime=2,
    processes=4,
    waits=((2, 0.2, 4),),
    starts=5,
    memory_calls=10_000,
    memory_seconds=1.0,
)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line.

    Args:
        arguments: The arguments.

    Returns:
        The options.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    much = parser.add_mutually_exclusive_group()
    much.add_argument(
        "--quick", dest="scale", action="store_const", const=QUICK, help="little of everything"
    )
    much.add_argument(
        "--full", dest="scale", action="store_const", const=FULL, help="1,000,000 calls for memory"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the page also after a run with names or --quick",
    )
    parser.set_defaults(scale=NORMAL)
    found = parser.parse_args(arguments)
    if unknown := set(found.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    return found


def measured(names: Sequence[str], scale: Scale, keys: Sequence[str]) -> list[Result]:
    """Runs benchmarks, and prints what each found.

    Args:
        names: Which.
        scale: How much.
        keys: Who takes part.

    Returns:
        The results.
    """
    results = []
    for name in names:
        started = time.monotonic()
        print(f"{name} …", end=" ", file=sys.stderr, flush=True)
        results.append(BENCHMARKS[name](scale, keys))
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
        print("\n".join(results[-1].markdown()), flush=True)
    return results


def main(arguments: Sequence[str]) -> int:
    """Runs what was asked for.

    Args:
        arguments: The command line.

    Returns:
        0; it judges nobody.
    """
    chosen = options(arguments)
    command = " ".join(["python -m tests.benchmarks", *arguments])
    date, started, where = datetime.now(UTC).date().isoformat(), time.monotonic(), machine()
    # A proxy or a setting of whoever runs this is nobody's business here.
    known = environment()
    os.environ.clear()
    os.environ.update(known)
    results = measured(chosen.names or list(BENCHMARKS), chosen.scale, list(CONTENDERS))
    minutes = (time.monotonic() - started) / 60
    run = Run(command, chosen.scale.name, date, where, minutes, results)
    print("\n".join(targets.table(run.figures).markdown()))
    if chosen.write or (not chosen.names and chosen.scale is not QUICK):
        for path in write(run):
            print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
