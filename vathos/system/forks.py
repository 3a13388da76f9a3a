"""What a forked child must make anew: a lock that another thread held stays locked there."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

__all__ = ["ForkSafeLock", "renew_after_fork"]


class Forkable(Protocol):
    """Something with state that does not survive a fork; `_after_fork` makes that state anew."""

    def _after_fork(self) -> None: ...


_objects: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_after_fork(thing: Forkable) -> None:
    """Has an object's `_after_fork` called in each forked child; the object is held weakly."""
    _objects.add(thing)


class ForkSafeLock:
    """A lock that is free in a forked child, whoever held it: `with self._guard.lock:`.

    Reentrant, as a signal handler or a log handler may come in on the thread that holds it. The
    lock is an attribute, as entering a lock written in Python could be interrupted half-way.
    """

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self.lock = threading.RLock()

    def __reduce__(self) -> tuple[type[ForkSafeLock], tuple[()]]:
        return (ForkSafeLock, ())


def _renew_all() -> None:
    for thing in list(_objects):
        thing._after_fork()  # noqa: SLF001 - the one method of the protocol


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
