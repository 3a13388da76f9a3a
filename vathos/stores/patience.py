"""How long a store elsewhere may keep a caller waiting: once, and then not again for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from vathos.errors import StoreError
from vathos.system.forks import ForkSafeLock

__all__ = ["Patience", "Resting"]

T = TypeVar("T")


class Resting(StoreError):  # noqa: N818 - it is no failure
    """Nothing was tried, as the last attempt failed a moment ago; that one has been reported."""


class Patience:
    """Runs what may hang, under a deadline that holds; after a failure nothing runs for a while.

    Args:
        deadline: Seconds that one piece of work may take; whatever it waits for.
        rest: Seconds after a failure in which nothing is tried.
        clock: Reads seconds that never go back.
    """

    def __init__(
        self, deadline: float, rest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.deadline = deadline
        self.rest = rest
        self._clock = clock
        self._until: float | None = None  # written under _guard; a single read needs no lock
        self._guard = ForkSafeLock()

    def run(self, work: Callable[[], T]) -> T:
        """Runs work on a thread of its own, and waits no longer than the deadline.

        Args:
            work: What to do. After the deadline it is left to itself.

        Returns:
            The result.

        Raises:
            StoreError: If it failed or took too long; then the rest begins.
            Resting: During the rest.
        """
        if not self._may_try():
            raise Resting(f"left alone for {self.rest:g} s after a failure")
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
                outcome.set_exception(error)

        try:
            threading.Thread(target=run, name="vathos-store", daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is shutting down
            run()
        try:
            error = outcome.exception(self.deadline)
        except TimeoutError:
            raise self._failed(f"no answer within {self.deadline:g} s") from None
        if error is not None:
            raise self._failed(f"{type(error).__name__}: {error}") from error
        with self._guard.lock:
            self._until = None
        return outcome.result()

    def _may_try(self) -> bool:
        if self._until is None:
            return True
        with self._guard.lock:
            if self._until is not None and self._clock() < self._until:
                return False
            # One tries, the others go on resting until it has succeeded.
            self._until = self._clock() + self.rest
            return True

    def _failed(self, why: str) -> StoreError:
        with self._guard.lock:
            self._until = self._clock() + self.rest
        return StoreError(f"{why}; not tried again for {self.rest:g} s")
