"""Who serialises renewals inside one process.

A lock saves token requests; correctness never rests on it. Whoever gets one looks again first:
the work may have been done meanwhile.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from vathos.system.forks import renew_after_fork
from vathos.system.logs import logger
from vathos.system.threads import LATEST_BEGIN, Cancellation, Signal, cancellation, own, started

__all__ = ["KeyedLock", "ReentryError", "SingleFlight"]

T = TypeVar("T")

log = logger("locks")

_at_work: contextvars.ContextVar[frozenset[Hashable]] = contextvars.ContextVar(
    "vathos_at_work", default=frozenset()
)
"""What the present thread, and those that it started for it, work on."""


class ReentryError(RuntimeError):
    """The work asked for is under way further up in the same call; waiting would never end."""


class _LostWorkError(BaseException):
    """The thread that was to do the work never began."""


class _Task(Generic[T]):
    """One piece of work: its outcome for all who wait, and when everything about it is done."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.error: BaseException | None = None
        self.done = Signal()
        self.settled = Signal()
        self.cancellation = Cancellation()
        self.started = time.monotonic()
        self.has_begun = False
        self.waiting = 0

    def is_lost(self) -> bool:
        """Tells whether the thread never began, as an interrupt came between the two."""
        return not self.has_begun and time.monotonic() - self.started >= LATEST_BEGIN

    def wait(self, deadline: float, grace: float, *, settled: bool) -> BaseException | None:
        """Waits for the result, and returns the error if it is one; not for work that is lost."""
        if not self.has_begun and deadline - time.monotonic() > LATEST_BEGIN:
            self.done.wait(LATEST_BEGIN)
            if self.is_lost():
                return _LostWorkError()
        # The grace counts from then on, as the process may have been stopped past its deadline.
        if not (self.done.wait(deadline - time.monotonic()) or self.done.wait(grace)):
            raise TimeoutError
        if settled:
            self.settled.wait(deadline + grace - time.monotonic())
        return self.error


class SingleFlight(Generic[T]):
    """Does a piece of work once for all who ask for it meanwhile, on a thread of its own.

    Whoever waits may leave at any moment, by its own timeout or by an interrupt of any kind: the
    work goes on for the others, or ends and frees its locks where the last one was interrupted. A
    plain lock would send the waiters through one after another, each to fail on its own: fifty
    threads would ask fifty times a server that is down.
    """

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        # Reentrant, as a signal handler may come in while its own thread holds it.
        self._guard = threading.RLock()  # guards _tasks and their counts
        self._tasks: dict[Hashable, _Task[T]] = {}

    def run(
        self,
        key: Hashable,
        work: Callable[[], T],
        *,
        timeout: float,
        grace: float = 0.0,
        then: Callable[[], object] = lambda: None,
        here: bool = False,
    ) -> tuple[T, bool]:
        """Has the work done, or waits for the one who does it already.

        `then` is called after the result was published, without any lock held; whoever started the
        work waits for that too. With `here` it is done on the present thread, which must be one
        that nobody interrupts. Returns the result, and whether this call started the work.
        Raises `TimeoutError` if it took longer than `timeout` seconds (and `grace` for the one who
        started it, as the work may tell more), `ReentryError`, or what the work raised, as a copy
        for each who waits.
        """
        if self.is_at_work(key):
            raise ReentryError("this is called from inside the work that it asks for")
        deadline = time.monotonic() + timeout
        while True:
            task, mine = self._join(key, work, then, here=here)
            try:
                error = task.wait(deadline, grace if mine else 0.0, settled=mine)
            except TimeoutError:
                self._leave(task)
                raise
            except BaseException:
                # An interrupt. Whoever comes next does not find work that hangs.
                if self._leave(task) <= 0:
                    task.cancellation.cancel()
                raise
            if error is None:
                return task.value, mine  # type: ignore[return-value]  # None only where T allows it
            if mine and not isinstance(error, _LostWorkError):
                raise error
            if isinstance(error, Exception):
                raise own(error) from error.__cause__
            # Whoever did the work was stopped (Ctrl-C, SystemExit): it is not done.

    def is_at_work(self, key: Hashable) -> bool:
        """Tells whether the present thread, or who started it, does this very work."""
        return key in _at_work.get()

    def _join(
        self, key: Hashable, work: Callable[[], T], then: Callable[[], object], *, here: bool
    ) -> tuple[_Task[T], bool]:
        task: _Task[T] = _Task()
        try:
            with self._guard:
                there = self._tasks.get(key)
                if there is not None and not there.is_lost():
                    there.waiting += 1
                    return there, False
                self._tasks[key] = task
                task.waiting = 1

            def run() -> None:
                self._work(key, task, work, then)

            if here or not started(run, "vathos-renewal"):
                run()
        except BaseException as error:
            # An interrupt, at whatever step; what has begun is ended like any other work.
            task.cancellation.cancel()
            if not task.has_begun:
                self._end(key, task)
                task.error = error
                task.done.set()
            raise
        return task, True

    def _leave(self, task: _Task[T]) -> int:
        with self._guard:
            task.waiting -= 1
            return task.waiting

    def _work(
        self, key: Hashable, task: _Task[T], work: Callable[[], T], then: Callable[[], object]
    ) -> None:
        task.has_begun = True
        if task.done.is_set():  # given up before it began
            return
        context = contextvars.copy_context()
        context.run(_at_work.set, _at_work.get() | {key})
        context.run(cancellation.set, task.cancellation)
        try:
            task.value = context.run(work)
        except BaseException as error:  # noqa: BLE001 - handed over to those who wait
            task.error = error
        # Ended before it is published: who comes after that looks for himself.
        self._end(key, task)
        task.done.set()
        try:
            then()
        except Exception:
            log.exception("what follows a renewal failed")
        finally:
            task.settled.set()

    def _end(self, key: Hashable, task: _Task[T]) -> None:
        with self._guard:
            if self._tasks.get(key) is task:  # a fork may have forgotten it
                del self._tasks[key]


class KeyedLock:
    """A lock for each key, forgotten when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.RLock()  # guards _locks
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

    @contextmanager
    def hold(self, key: Hashable, timeout: float) -> Iterator[None]:
        """Holds the lock of a key; `TimeoutError` if it cannot be had within `timeout` seconds."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(timeout, 0.0)):
            raise TimeoutError(f"another thread held the lock for more than {timeout:g} s")
        try:
            yield
        finally:
            lock.release()
