"""Backoff: how long something that did not help is left alone, longer each time."""

from __future__ import annotations

import random
from collections.abc import Hashable

from vathos.system.bounded import Bounded
from vathos.system.clock import Instant
from vathos.system.forks import ForkSafeLock

__all__ = ["Backoff"]


class Backoff:
    """A pause for each name, in seconds: twice as long each time in a row, from first to longest.

    `jitter` is the share of a pause that chance may take off, so that a fleet does not come back
    in step; beyond `capacity` names the oldest is forgotten.
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
        self._pauses: Bounded[Hashable, tuple[float, float]] = Bounded(capacity)
        self._guard = ForkSafeLock()  # guards changes of _pauses; a single read needs no lock

    def left(self, name: Hashable, at: Instant) -> float:
        """Returns the seconds that a pause still lasts; zero if there is none."""
        until, _ = self._pauses.get(name, (at.boot, 0.0))
        return max(until - at.boot, 0.0)

    def start(self, name: Hashable, at: Instant, at_least: float = 0.0) -> float:
        """Starts the next pause and returns its seconds; zero if another caller was first."""
        with self._guard.lock:
            until, length = self._pauses.get(name, (at.boot, self._first / 2))
            if until > at.boot:
                return 0.0
            length = min(length * 2, self._longest)
            pause = max(length * (1 - self._jitter * random.random()), at_least)  # noqa: S311 - jitter
            self._pauses[name] = (at.boot + pause, length)
            return pause

    def reset(self, name: Hashable) -> None:
        """Forgets a pause and how long it had become."""
        if name in self._pauses:
            with self._guard.lock:
                self._pauses.pop(name, None)
