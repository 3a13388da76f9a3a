"""`python -m tests.model`: explores the renewal protocol, and prints what was found.

`--stories` also prints the shortest way to each broken property; `--pin` notes that somebody has
looked at the functions that changed, and that the model still says what they do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.model import pins
from tests.model.protocol import PROPERTIES, SWITCHES
from tests.model.scenarios import BREAKS, HOLDS, explored


def main() -> int:
    """Runs everything; the exit status is 1 if something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--stories", action="store_true")
    parser.add_argument("--pin", action="store_true")
    options = parser.parse_args()
    if options.pin:
        pins.FILE.write_text(json.dumps(pins.present(), indent=2) + "\n", encoding="utf-8")
    started, cpu = time.monotonic(), time.process_time()
    wrong = [*_holds(), *_breaks(stories=options.stories), *_stale()]
    seconds, used = time.monotonic() - started, time.process_time() - cpu
    print(f"\n{seconds:.0f} s ({used:.0f} s of one core)")
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


def _holds() -> list[str]:
    total, wrong = 0, []
    print("All properties hold in every state of:")
    for name, world in HOLDS.items():
        found = explored(world)
        total += found.states
        print(f"  {found.states:>8,} states, {found.steps:>9,} steps   {name}")
        if found.broken:
            wrong.append(f"{name}: {PROPERTIES[found.broken]}: broken\n" + _told(found.story))
    print(f"  {total:>8,} states in all")
    return wrong


def _breaks(*, stories: bool) -> list[str]:
    wrong = []
    for name, sentence in PROPERTIES.items():
        print(f"\n{name}: {sentence}")
        for each in BREAKS:
            if each.property != name:
                continue
            found = explored(each.world, each.switch, name)
            print(f"  breaks without: {SWITCHES[each.switch]}")
            print(f"    after {found.states:,} states, in {len(found.story)} steps")
            if stories:
                print(_told(found.story))
            if found.broken != name:
                wrong.append(f"{name} does not break without {each.switch}")
    return wrong


def _stale() -> list[str]:
    return [
        f"{name} has changed: look whether {', '.join(steps)} in tests/model/protocol.py still "
        "say what it does, then run python -m tests.model --pin"
        for name, steps in pins.stale().items()
    ]


def _told(story: list[str]) -> str:
    return "\n".join(f"    {number:>2}. {label}" for number, label in enumerate(story, 1))


if __name__ == "__main__":
    sys.exit(main())
