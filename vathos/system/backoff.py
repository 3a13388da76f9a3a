"""Growing pauses: how long something that did not help is left alone."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Hashable

from vathos.system.clock import Instant
from vathos.system.forks import renew_after_fork

__all__ = ["Pauses"]


class Pauses:
    """A pause for each name, twice as long each time in a row, up to a longest one.

    Args:
        first: Seconds of the first pause.
        longest: Seconds of the longest pause.
        jitter: Share of a pause that chance may take off, so that a fleet does not come back in
            step.
        capacity: How many names are remembered; beyond that the oldest is forgotten.
    """

    def __init__(
        self,
        first: float = 5.0,
        longest: float = 300.0,
        *,
        jitter: float = 0.0,
        capacity: int = 1024,
    ) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._capacity = capacity
        self._pauses: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.Lock()  # guards changes of _pauses; a single read needs no lock

    def left(self, name: Hashable, at: Instant) -> float:
        """Tells how long a pause still lasts.

        Args:
            name: Whose pause.
            at: The present moment.

        Returns:
            Seconds; zero if there is none.
        """
        until, _ = self._pauses.get(name, (at.boot, 0.0))
        return max(until - at.boot, 0.0)

    def lengthen(self, name: Hashable, at: Instant, at_least: float = 0.0) -> float:
        """Starts the next pause, unless one is on.

        Args:
            name: Whose pause.
            at: The present moment.
            at_least: Seconds that the pause lasts at least.

        Returns:
            Seconds of the pause that was started; zero if one was on: of many threads that report
            the same failure, one starts it.
        """
        with self._guard:
            until, length = self._pauses.get(name, (at.boot, self._first / 2))
            if until > at.boot:
                return 0.0
            length = min(length * 2, self._longest)
            pause = max(length * (1 - self._jitter * random.random()), at_least)  # noqa: S311 - jitter
            self._pauses[name] = (at.boot + pause, length)
            self._pauses.move_to_end(name)
            if len(self._pauses) > self._capacity:
                self._pauses.popitem(last=False)
            return pause

    def end(self, name: Hashable) -> None:
        """Forgets a pause and how long it had become.

        Args:
            name: Whose pause.
        """
        if name in self._pauses:
            with self._guard:
                self._pauses.pop(name, None)
