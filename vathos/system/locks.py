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

from vathos.system.forks import renew_after_fork

__all__ = ["KeyedLock", "SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Lets the first caller work and gives its result, or its failure, to all who came meanwhile.

    A plain lock would send the waiters through one after another, each to fail on its own: fifty
    threads would knock fifty times at a server that is down.
    """

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
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
        while True:
            with self._guard:
                flight = self._flights.get(key)
                mine = flight is None
                if flight is None:
                    flight = self._flights[key] = Future()
            if mine:
                return self._fly(key, flight, work), True
            error = flight.exception(timeout)
            if error is None:
                return flight.result(), False
            if isinstance(error, Exception):
                raise _own(error) from error.__cause__
            # The worker was stopped (Ctrl-C, SystemExit): its business, and the work is not done.

    def _fly(self, key: Hashable, flight: Future[T], work: Callable[[], T]) -> T:
        try:
            result = work()
        except BaseException as error:
            self._land(key, flight)
            flight.set_exception(error)
            raise
        self._land(key, flight)
        flight.set_result(result)
        return result

    def _land(self, key: Hashable, flight: Future[T]) -> None:
        # Before the result is published: who comes after that looks for himself. A fork may have
        # forgotten the flight.
        with self._guard:
            if self._flights.get(key) is flight:
                del self._flights[key]


def _own(error: Exception) -> Exception:
    """Copies an error for each thread that raises it: raising writes a traceback into it."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - an error that cannot be copied is still better than none
        return error


class KeyedLock:
    """A lock for each key, forgotten when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
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
