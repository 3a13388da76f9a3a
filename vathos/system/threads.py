"""Work that nobody waits for: renewals ahead of time, on threads that end by themselves."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from vathos.system.forks import ForkSafeLock, renew_after_fork
from vathos.system.logs import logger

__all__ = ["Background", "KeepWarm", "Warmable"]

log = logger("background")


class Background:
    """Runs one piece of work at a time on a daemon thread, which never delays interpreter exit."""

    def __init__(self) -> None:
        self._busy = ForkSafeLock()  # held while work is under way

    def start(self, work: Callable[[], object]) -> bool:
        """Starts the work, unless some is under way.

        Args:
            work: What to do; what it raises is logged.

        Returns:
            Whether it was started.
        """
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

        try:
            threading.Thread(target=run, name="vathos-renewal", daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is shutting down
            busy.release()
            return False
        return True


class Warmable(Protocol):
    """Something that wants to be looked after from time to time."""

    def warm(self) -> float:
        """Does what is due.

        Returns:
            Seconds until it is due again.
        """
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
        """Starts the thread, unless it runs.

        Args:
            thing: What to keep warm; it is held weakly.
        """
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
