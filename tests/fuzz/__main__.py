"""`python -m tests.fuzz --minutes N`: feeds every reader of foreign input for so long in all.

It starts from the inputs of `corpus/`, goes on with new ones, and prints for each target how many
there were, how many of them broke a promise, and the slowest one. With `--only` it feeds one
target. With `--atheris`, if atheris is installed, it is guided by what code an input reaches.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.corpus import kept, written
from tests.fuzz.targets import TARGETS, Target

_SLOW = 0.5
"""Seconds of processor time after which an input is itself a finding."""


def main() -> int:
    """Feeds the targets; the exit status is 1 if something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    logging.getLogger("vathos").addHandler(logging.NullHandler())
    names = [options.only] if options.only else list(TARGETS)
    seconds = options.minutes * 60 / len(names)
    if options.atheris:
        return max(_guided(name, seconds) for name in names)
    return max([_fed(name, seconds, options.seed) for name in names])


def _fed(name: str, seconds: float, number: int) -> int:
    target, eaten = TARGETS[name], _Eaten(TARGETS[name])
    ends = time.monotonic() + seconds
    for data in kept(name):
        eaten.eat(data)
    while time.monotonic() < ends and not eaten.broken:
        number += 1

        @seed(number)
        @settings(
            max_examples=1000,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(target.inputs)
        def feed(data: bytes) -> None:
            if time.monotonic() < ends:
                eaten.eat(data)

        try:
            feed()
        except Exception:  # noqa: BLE001 - whatever broke
            traceback.print_exc()
    print(
        f"{name:>20}: {eaten.count:>9,} inputs, slowest {eaten.slowest * 1000:.0f} ms", flush=True
    )
    for data in list(eaten.broken)[-1:]:
        print(f"  broke, after shrinking: {written(data)}", flush=True)
    return 1 if eaten.broken else 0


class _Eaten:
    """What a target was given."""

    def __init__(self, target: Target) -> None:
        self._check = target.check
        self.count = 0
        self.slowest = 0.0
        self.broken: dict[bytes, None] = {}

    def eat(self, data: bytes) -> None:
        """Gives it one input."""
        self.count += 1
        started = time.process_time()
        try:
            self._check(data)
        except BaseException:
            self.broken[data] = None
            raise
        spent = time.process_time() - started
        self.slowest = max(self.slowest, spent)
        if spent > _SLOW:
            self.broken[data] = None
            raise AssertionError(f"{spent:.1f} s for {len(data)} bytes")


def _guided(name: str, seconds: float) -> int:
    """Runs atheris in a process of its own, which it ends itself."""
    with tempfile.TemporaryDirectory(prefix="vathos-fuzz-corpus-") as folder:
        for number, data in enumerate(kept(name)):
            (Path(folder) / str(number)).write_bytes(data)
        words = [sys.executable, "-m", "tests.fuzz.guided", name, f"-max_total_time={seconds:.0f}"]
        done = subprocess.run(
            [*words, "-max_len=400", "-timeout=5", f"-artifact_prefix={folder}/", folder],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    last = [line for line in done.stderr.splitlines() if line.startswith(("Done", "stat::"))]
    print(f"{name:>20}: {last[-1] if last else done.stderr[-3000:]}", flush=True)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
