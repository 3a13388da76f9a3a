"""The server's clock: somebody's clock, and how far it was turned."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """A clock that can be turned.

    Args:
        source: Tells Unix time in seconds.
    """

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self._lock = threading.Lock()  # guards _offset
        self._offset = 0.0

    def now(self) -> float:
        """Tells the time.

        Returns:
            Unix timestamp (seconds, UTC).
        """
        with self._lock:
            return self._source() + self._offset

    def advance(self, seconds: float) -> None:
        """Turns the clock.

        Args:
            seconds: How far; negative values turn it back.
        """
        with self._lock:
            self._offset += seconds
