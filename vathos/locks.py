"""Who serialises renewals inside one process.

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

__all__ = ["KeyedLock", "SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Lets the first caller work and gives its result, or its failure, to all who came meanwhile.

    A plain lock would send the waiters through one after another, each to fail on its own: fifty
    threads would knock fifty times at a server that is down.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()  # guards _flights
        self._flights: dict[Hashable, Future[T]] = {}

    def run(self, key: Hashable, work: Callable[[], T], *, timeout: float) -> tuple[T, bool]:
        """Runs the work, or waits for whoever runs it already.

        Args:
            key: What the work is for.
            work: What to do; called without any lock held.
            timeout: Seconds to wait for another caller's work.

        Returns:
            The result of the work, and whether this caller did it.

        Raises:
            TimeoutError: If another caller's work took longer than `timeout`.
            Exception: What the work raised; each waiter gets a copy of its own.
        """
        with self._guard:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not mine:
            return self._join(flight, timeout), False
        try:
            result = work()
        except BaseException as error:
            self._land(key)
            flight.set_exception(error)
            raise
        self._land(key)
        flight.set_result(result)
        return result, True

    def _land(self, key: Hashable) -> None:
        # Before the result is published: who comes after that looks for itself.
        with self._guard:
            del self._flights[key]

    @staticmethod
    def _join(flight: Future[T], timeout: float) -> T:
        error = flight.exception(timeout)
        if error is None:
            return flight.result()
        if not isinstance(error, Exception):
            # The worker was interrupted (Ctrl-C, SystemExit); that is its business, not ours.
            raise TimeoutError("the thread that was renewing the token was stopped")
        # Each thread raises its own: raising writes a traceback into the exception.
        raise copy.copy(error) from error.__cause__


class KeyedLock:
    """A lock for each key, forgotten when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()  # guards _locks
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

    @contextmanager
    def hold(self, key: Hashable, timeout: float) -> Iterator[None]:
        """Holds the lock of a key.

        Args:
            key: What to lock.
            timeout: Seconds to wait for it.

        Yields:
            Nothing; the lock is held inside the `with`.

        Raises:
            TimeoutError: If it could not be had in time.
        """
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(timeout, 0.0)):
            raise TimeoutError(f"another thread held the lock for more than {timeout:g} s")
        try:
            yield
        finally:
            lock.release()
