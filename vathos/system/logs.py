"""The loggers of this package, silent unless the program listens; every room takes its own here."""

from __future__ import annotations

import logging

__all__ = ["logger"]

# Without it, Python would print warnings of a program that never set logging up.
logging.getLogger("vathos").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """Returns the logger of a name below `vathos`."""
    return logging.getLogger(f"vathos.{name}")
