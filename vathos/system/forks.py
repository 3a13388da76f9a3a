"""What a forked child must make anew: a lock that another thread held stays locked there."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["renew_after_fork"]


class Forkable(Protocol):
    """Something with state that does not survive a fork."""

    def _after_fork(self) -> None: ...


_objects: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_after_fork(thing: Forkable) -> None:
    """Has an object's `_after_fork` called in each child that this process forks.

    Args:
        thing: The object; it may be collected as if it had never been named here.
    """
    _objects.add(thing)


def _renew_all() -> None:
    for thing in list(_objects):
        thing._after_fork()  # noqa: SLF001 - the one method of the protocol


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
