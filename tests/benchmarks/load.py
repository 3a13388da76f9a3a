"""Threads that call at the same time, and what became of their calls."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.contenders.base import Contender
from tests.benchmarks.report import TIMES

__all__ = ["PAUSE", "Outcome", "load_by_threads"]

PAUSE = 0.02
"""Seconds that a thread rests between two calls, so that nobody is measured by the server."""


@dataclass(slots=True)
class Outcome:
    """What became of the calls.

    Attributes:
        answers: How often each outcome was seen: an HTTP status, or the name of an error.
        slowest: Seconds of the slowest call.
        seconds: Seconds from the start of all threads to the end of the last one.
    """

    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return self.answers.total()

    @property
    def failed(self) -> int:
        """How many of them were not answered with 200."""
        return self.calls - self.answers["200"]

    def why(self) -> str:
        """Tells how calls failed, the most frequent way first."""
        ways = [
            f"{count} {TIMES} {name}" for name, count in self.answers.most_common() if name != "200"
        ]
        return ", ".join(ways)


def load_by_threads(
    contender: Contender,
    threads: int,
    *,
    seconds: float = 0.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> Outcome:
    """Lets threads call, all of them through the same contender, from the same moment on.

    Args:
        contender: Who calls.
        threads: How many.
        seconds: How long; one call each if 0.
        meanwhile: What this thread does while they call.

    Returns:
        What became of the calls.
    """
    outcome, guard = Outcome(), threading.Lock()
    begun = threading.Barrier(threads + 1)
    started = 0.0

    def work() -> None:
        begun.wait()
        while True:
            before = time.perf_counter()
            try:
                answer = str(contender.call())
            except Exception as error:  # noqa: BLE001 - whatever it is, the call has failed
                answer = f"`{type(error).__name__}`"
            after = time.perf_counter()
            with guard:
                outcome.answers[answer] += 1
                outcome.slowest = max(outcome.slowest, after - before)
                outcome.seconds = max(outcome.seconds, after - started)
            if after - started + PAUSE > seconds:
                return
            time.sleep(PAUSE)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    started = time.perf_counter()
    begun.wait()
    meanwhile()
    for worker in workers:
        worker.join()
    return outcome
