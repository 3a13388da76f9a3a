"""A mapping that cannot grow for ever; a file of its own, as rooms on four floors use it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

__all__ = ["Bounded"]

K = TypeVar("K")
V = TypeVar("V")


class Bounded(OrderedDict[K, V]):
    """Forgets the entry that was set longest ago when it has more than `capacity`."""

    __slots__ = ("capacity",)

    def __init__(self, capacity: int = 1024) -> None:
        super().__init__()
        self.capacity = capacity

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self.capacity:
            self.popitem(last=False)
