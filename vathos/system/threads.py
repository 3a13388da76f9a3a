"""Work on threads: under a deadline, in the background, or again and again to keep a token warm."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from vathos.system.forks import ForkSafeLock, renew_after_fork
from vathos.system.logs import logger

__all__ = ["Background", "KeepWarm", "Warmable", "within"]

log = logger("background")

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], *, name: str) -> Future[T]:
    """Runs work on a thread of its own and returns it finished, or raises `TimeoutError`.

    An exception of the work is kept in the future, so its own `TimeoutError` differs from this one.
    Late work is not stopped. If no thread can be started, work runs here, without this deadline.
    """
    finished: Future[T] = Future()

    def run() -> None:
        try:
            finished.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            finished.set_exception(error)

    if not _started(run, name):
        run()
    finished.exception(seconds)
    return finished


def _started(work: Callable[[], object], name: str) -> bool:
    """Starts a daemon thread, which never delays interpreter exit, if there is one to be had."""
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except RuntimeError:  # no thread to be had, or the interpreter is shutting down
        return False
    return True


class Background:
    """Runs one piece of work at a time on a daemon thread."""

    def __init__(self) -> None:
        self._busy = ForkSafeLock()  # held while work is under way

    def start(self, work: Callable[[], object]) -> bool:
        """Starts work and returns `True`, unless some is under way; what it raises is logged."""
        busy = self._busy.lock
        if not busy.acquire(blocking=False):
            return False

        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("background work failed")
            finally:
                busy.release()

        if not _started(run, "vathos-renewal"):
            busy.release()
            return False
        return True


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
        self._guard = threading.Lock()  # guards _stop
        self._stop = None  # the thread did not come along

    def start(self, thing: Warmable) -> None:
        """Starts the thread, unless it runs; it holds the object weakly."""
        with self._guard:
            if self._stop is not None:
                return
            stop = self._stop = threading.Event()
        weakref.finalize(thing, stop.set)
        threading.Thread(
            target=_keep_warm, args=(weakref.ref(thing), stop), name="vathos-keep-warm", daemon=True
        ).start()

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
