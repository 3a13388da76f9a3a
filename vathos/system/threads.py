"""Work on threads: under a deadline, in the background, or again and again to keep a token warm."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol, TypeVar

from vathos.system.forks import renew_after_fork
from vathos.system.logs import logger

__all__ = [
    "LATEST_BEGIN",
    "Background",
    "Cancellation",
    "CancelledWorkError",
    "KeepWarm",
    "Signal",
    "Warmable",
    "cancellation",
    "own",
    "settle",
    "started",
    "within",
]

log = logger("background")

T = TypeVar("T")


LATEST_BEGIN = 5.0
"""Seconds within which a thread that was started has begun; after that it is not counted on."""


_PIECE = 0.5
"""Seconds of one sleep while a thread waits."""


class Signal:
    """What `threading.Event` is, but nothing of it can stay held after an interrupt.

    The lock of an event is entered by Python code: an exception thrown into a thread at the wrong
    moment leaves it held. Here each who waits has a lock of its own, which no one else needs.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[threading.Lock] = []

    def is_set(self) -> bool:
        """Tells whether it was set."""
        return self._is_set

    def set(self) -> None:
        """Wakes all who wait, and all who come later."""
        self._is_set = True
        for lock in list(self._waiting):
            with contextlib.suppress(RuntimeError):  # set twice
                lock.release()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits, for `LATEST_BEGIN` if no time is given, and tells whether it was set."""
        if not self._is_set:
            lock = threading.Lock()
            lock.acquire()
            self._waiting.append(lock)
            left = LATEST_BEGIN if seconds is None else seconds
            end = time.monotonic() + left
            # Looked at again, as it may have been set before the append. In pieces, as a signal
            # that comes just before the thread sleeps is handled only when it wakes.
            while not self._is_set and left > 0 and not lock.acquire(timeout=min(left, _PIECE)):
                left = end - time.monotonic()
        return self._is_set

    def _at_fork_reinit(self) -> None:
        """Is called by `threading` in a forked child, where none of those who waited is there."""
        self._waiting.clear()


class CancelledWorkError(BaseException):
    """No caller is left to wait for the work; a `BaseException`, so that no retry catches it."""


class Cancellation:
    """Ends the waits of one piece of work from outside, so that it gives back what it holds."""

    def __init__(self) -> None:
        self._is_cancelled = False
        self._waits: set[Future[Any]] = set()

    def wait(self, finished: Future[Any], seconds: float) -> None:
        """Waits for a future, unless the work is cancelled."""
        self._waits.add(finished)
        try:
            if self._is_cancelled:
                settle(finished, error=CancelledWorkError())
            finished.exception(seconds)
        finally:
            self._waits.discard(finished)

    def cancel(self) -> None:
        """Ends present and later waits."""
        self._is_cancelled = True
        for finished in list(self._waits):
            settle(finished, error=CancelledWorkError())


cancellation: ContextVar[Cancellation | None] = ContextVar("vathos_cancellation", default=None)
"""What may end the waits of the work that the present thread does."""


def settle(
    future: Future[T], *, value: T | None = None, error: BaseException | None = None
) -> None:
    """Sets a result or an error, unless somebody else was first."""
    with contextlib.suppress(InvalidStateError):
        if error is None:
            future.set_result(value)  # type: ignore[arg-type]  # None only where T allows it
        else:
            future.set_exception(error)


def own(error: Exception) -> Exception:
    """Copies an error for each who raises it: raising writes a traceback into it."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - an error that cannot be copied is still better than none
        return error


def within(
    seconds: float, work: Callable[[], T], *, name: str, here: bool = True, alone: bool = True
) -> Future[T]:
    """Runs work on a thread of its own and returns it finished, or raises `TimeoutError`.

    An exception of the work is kept in the future, so its own `TimeoutError` differs from this one.
    Late work is not stopped. If no thread can be started, it runs here and keeps its own time, or
    with `here=False` counts as late. With `alone=False` no thread is started.
    """
    finished: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            settle(finished, value=context.run(work))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            settle(finished, error=error)

    if not (alone and started(run, name)):
        if not here:
            raise TimeoutError
        run()
    (cancellation.get() or Cancellation()).wait(finished, seconds)
    return finished


def started(work: Callable[[], object], name: str) -> bool:
    """Starts a daemon thread, which never delays interpreter exit, if there is one to be had."""
    if sys.is_finalizing():  # Python 3.11 starts it, and lets it do nothing
        return False
    thread = threading.Thread(target=work, name=name, daemon=True)
    # An exception thrown into the present thread (PyThreadState_SetAsyncExc) can end the new one
    # before it begins, and start() would wait for it for ever.
    thread._started = Signal()  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    try:
        thread.start()
    except RuntimeError:  # no thread to be had, or the interpreter is shutting down
        return False
    return True


class Background:
    """Runs one piece of work at a time on a daemon thread."""

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        # Not reentrant: it is taken here and given back by the thread that works.
        self._busy = threading.Lock()  # held while work is under way

    def start(self, work: Callable[[], object]) -> bool:
        """Starts work and returns `True`, unless some is under way; what it raises is logged."""
        busy = self._busy
        if not busy.acquire(blocking=False):
            return False

        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("background work failed")
            finally:
                busy.release()

        if not started(run, "vathos-renewal"):
            busy.release()
            return False
        return True

    def __reduce__(self) -> tuple[type[Background], tuple[()]]:
        return (Background, ())


class Warmable(Protocol):
    """Something that wants to be looked after from time to time."""

    def warm(self) -> float:
        """Does what is due, and returns the seconds until it is due again."""
        ...


class KeepWarm:
    """Calls `warm` when it is due, until stopped or until its object is collected."""

    def __init__(self) -> None:
        self._stop: threading.Event | None = None
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.RLock()  # guards _stop
        self._stop = None  # the thread did not come along

    def start(self, thing: Warmable) -> None:
        """Starts the thread, unless it runs; it holds the object weakly."""
        with self._guard:
            if self._stop is not None:
                return
            stop = self._stop = threading.Event()
        weakref.finalize(thing, stop.set)
        work = partial(_keep_warm, weakref.ref(thing), stop)
        if not started(work, "vathos-keep-warm"):
            self.stop()  # the next one tries again

    def stop(self) -> None:
        """Ends the thread, if it runs."""
        with self._guard:
            if self._stop is not None:
                self._stop.set()
                self._stop = None

    def __reduce__(self) -> tuple[type[KeepWarm], tuple[()]]:
        return (KeepWarm, ())


def _keep_warm(reference: weakref.ref[Warmable], stop: threading.Event) -> None:
    pause = 0.0
    while not stop.wait(pause):
        thing = reference()
        if thing is None:
            return
        try:
            pause = thing.warm()
        except Exception:
            log.exception("keeping a token warm failed")
            pause = 1.0
        del thing  # while waiting, nothing here keeps it alive
