"""The loggers of this package, silent by default; a file of its own, as every room uses it."""

from __future__ import annotations

import logging

__all__ = ["logger"]

# Without it, Python would print warnings of a program that never set logging up.
logging.getLogger("vathos").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """Returns the logger of a name below `vathos`."""
    return logging.getLogger(f"vathos.{name}")
