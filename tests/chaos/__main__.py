"""`python -m tests.chaos --seconds 60 --seed 7`: prints a table; the exit status is 1 if wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.chaos.runner import run


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the schedule.

    Args:
        argv: The arguments; those of this process by default.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=8, help="default: %(default)s")
    options = parser.parse_args(argv)
    report = run(options.seconds, options.seed, options.threads)
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
