"""Tells whether `requests` is as its authors wrote it: a release that was tested, and not patched.

A shortcut leaves functions of `requests` out, or remembers what they answered. Whoever put another
function in place of one, as tracers and tests do, expects it to be called.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import requests

__all__ = ["Originals"]

# The releases whose code was read, and with which the tests of the shortcuts have passed.
_RELEASES = ("2.32.", "2.33.", "2.34.")
_IS_TESTED = requests.__version__.startswith(_RELEASES)


class Originals:
    """The functions of `requests` that one shortcut stands in for.

    Args:
        read: Returns the functions as they would be called now.
    """

    def __init__(self, read: Callable[[], tuple[Any, ...]]) -> None:
        self._read = read
        self._functions = read()
        # They may have been patched before this package was imported.
        self._may_be_known = _IS_TESTED and all(_is_own(each) for each in self._functions)

    def in_place(self) -> bool:
        """Tells whether the shortcut may be taken.

        Returns:
            `True` if each function is the one that a tested release of `requests` came with.
        """
        return self._may_be_known and self._read() == self._functions


def _is_own(function: Any) -> bool:
    """Tells whether `requests` defines it; a wrapper may have its name, but not its globals."""
    if type(function) is not FunctionType:
        return False
    home: str = function.__globals__["__name__"]
    return home.partition(".")[0] == "requests"
