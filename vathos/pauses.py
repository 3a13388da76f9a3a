"""Growing pauses: how long something that did not help is left alone."""

from __future__ import annotations

import threading

from vathos.tokens import Instant

__all__ = ["Pauses"]


class Pauses:
    """A pause for each name, twice as long each time in a row, up to a longest one.

    Args:
        first: Seconds of the first pause.
        longest: Seconds of the longest pause.
    """

    def __init__(self, first: float = 5.0, longest: float = 300.0) -> None:
        self._first = first
        self._longest = longest
        self._guard = threading.Lock()  # guards changes of _pauses; a single read needs no lock
        self._pauses: dict[str, tuple[float, float]] = {}

    def left(self, name: str, at: Instant) -> float:
        """Tells how long a pause still lasts.

        Args:
            name: Whose pause.
            at: The present moment.

        Returns:
            Seconds; zero or less if there is none.
        """
        until, _ = self._pauses.get(name, (at.boot, 0.0))
        return until - at.boot

    def lengthen(self, name: str, at: Instant) -> bool:
        """Starts the next pause, unless one is on.

        Args:
            name: Whose pause.
            at: The present moment.

        Returns:
            Whether a pause was started: of many threads that report the same failure, one does.
        """
        with self._guard:
            until, length = self._pauses.get(name, (at.boot, self._first / 2))
            if until > at.boot:
                return False
            length = min(length * 2, self._longest)
            self._pauses[name] = (at.boot + length, length)
            return True

    def end(self, name: str) -> None:
        """Forgets a pause and how long it had become.

        Args:
            name: Whose pause.
        """
        if name in self._pauses:
            with self._guard:
                self._pauses.pop(name, None)
