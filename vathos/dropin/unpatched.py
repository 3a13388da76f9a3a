"""Detects a patched or untested `requests`; the fast path is then not taken.

The fast path does not call some functions of `requests`, or keeps what they returned. Whoever
replaces one of them, as tracers and tests do, expects his own to be called.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import requests

__all__ = ["RELEASES", "Originals"]

RELEASES = ("2.32.", "2.33.", "2.34.")
"""The releases whose code was read, and with which the tests of the fast path have passed."""


class Originals:
    """Functions of `requests` that a fast path does not call; `read` returns what they are now."""

    def __init__(self, read: Callable[[], tuple[Any, ...]]) -> None:
        self._read = read
        # They may have been patched before this package was imported.
        known = requests.__version__.startswith(RELEASES) and all(_is_own(each) for each in read())
        self._functions = read() if known else None

    def in_place(self) -> bool:
        """Tells whether each is still the one that a tested release of `requests` came with."""
        return self._functions is not None and self._read() == self._functions

    def is_one(self, method: Any) -> bool:
        """Tells whether a method is one of them; a class that was mixed in may have its own."""
        return self._functions is not None and getattr(method, "__func__", None) in self._functions


def _is_own(function: Any) -> bool:
    """Tells whether `requests` defines it; a wrapper may have its name, but not its globals."""
    if type(function) is not FunctionType:
        return False
    home: str = function.__globals__["__name__"]
    return home.partition(".")[0] == "requests"
