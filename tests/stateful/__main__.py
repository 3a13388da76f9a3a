"""`python -m tests.stateful --minutes N`: attacks renewals and stores at random for so long.

It ends at the first thing that breaks, and prints the shortest steps that lead there, and the seed
with which `--seed` finds them again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections import Counter

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.stateful.renewal import RenewalMachine, totals
from tests.stateful.stores import MACHINES

_PROFILE = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


def main() -> int:
    """Attacks in rounds, each with the next seed; the exit status is 1 if something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.stateful", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _leave_home()
    machines = {"renewal": RenewalMachine, **MACHINES}
    rounds: Counter[str] = Counter()
    number, started, status = options.seed, time.monotonic(), 0
    while not status and time.monotonic() - started < options.minutes * 60:
        # The stores are simple: one round of each for four of renewals.
        name = ("renewal", "renewal", "renewal", "renewal", *MACHINES)[sum(rounds.values()) % 7]
        status = _attack(name, machines[name], number)
        rounds[name] += 1
        number += 1
    spent = time.monotonic() - started
    print(
        f"{spent / 60:.1f} minutes, {time.process_time():.0f} s of one core, seeds from "
        f"{options.seed} to {number - 1}"
    )
    for name, count in rounds.items():
        print(f"  {name}: {count * _PROFILE.max_examples:,} runs of up to 50 steps")
    print("  renewals: " + ", ".join(f"{count:,} {what}" for what, count in totals.items()))
    return status


def _attack(name: str, machine: type[RuleBasedStateMachine], number: int) -> int:
    try:
        run_state_machine_as_test(seed(number)(machine), settings=_PROFILE)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - whatever broke
        traceback.print_exc()
        print(f"{name} broke with --seed {number}", file=sys.stderr)
        return 1
    return 0


def _leave_home() -> None:
    """Takes away the settings and folders of whoever runs this."""
    home = tempfile.mkdtemp(prefix="vathos-stateful-home-")
    for name in list(os.environ):
        if name.startswith(("VATHOS_", "XDG_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(HOME=home, USERPROFILE=home, XDG_RUNTIME_DIR=home)


if __name__ == "__main__":
    sys.exit(main())
