"""Locks inside one process: one thread works for all who wait, or one after the other.

A lock saves token requests; correctness never rests on it. Whoever gets one looks again first:
the work may have been done meanwhile.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from vathos.system.forks import renew_after_fork

__all__ = ["KeyedLock", "SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Lets the first caller work and gives its result, or its failure, to all who came meanwhile.

    With a plain lock, fifty threads that wait for a server that is down would ask it fifty times.
    """

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.Lock()  # guards _running
        self._running: dict[Hashable, Future[T]] = {}

    def run(self, key: Hashable, work: Callable[[], T], *, timeout: float) -> tuple[T, bool]:
        """Returns the result of the work, and whether this caller did it.

        The work runs without any lock held. A caller that waits for another one's work gets a copy
        of its error, or `TimeoutError` after `timeout` seconds.
        """
        while True:
            with self._guard:
                outcome = self._running.get(key)
                mine = outcome is None
                if outcome is None:
                    outcome = self._running[key] = Future()
            if mine:
                return self._lead(key, outcome, work), True
            error = outcome.exception(timeout)
            if error is None:
                return outcome.result(), False
            if isinstance(error, Exception):
                raise _own(error) from error.__cause__
            # The one who worked was stopped (Ctrl-C, SystemExit), so the work is not done.

    def _lead(self, key: Hashable, outcome: Future[T], work: Callable[[], T]) -> T:
        try:
            result = work()
        except BaseException as error:
            self._finish(key, outcome)
            outcome.set_exception(error)
            raise
        self._finish(key, outcome)
        outcome.set_result(result)
        return result

    def _finish(self, key: Hashable, outcome: Future[T]) -> None:
        # Before the result is published: who comes after that looks for himself. In a forked child
        # the entry may be another one's.
        with self._guard:
            if self._running.get(key) is outcome:
                del self._running[key]


def _own(error: Exception) -> Exception:
    """Copies an error for each thread that raises it: raising writes a traceback into it."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - an error that cannot be copied is still better than none
        return error


class KeyedLock:
    """A lock for each key, forgotten when no thread holds it or waits for it."""

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.Lock()  # guards _locks
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

    @contextmanager
    def hold(self, key: Hashable, timeout: float) -> Iterator[None]:
        """Holds the lock of a key; `TimeoutError` if it is not free within `timeout` seconds."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(timeout, 0.0)):
            raise TimeoutError(f"another thread held the lock for more than {timeout:g} s")
        try:
            yield
        finally:
            lock.release()
