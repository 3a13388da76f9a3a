"""The loggers of this package: `vathos` and its children, silent unless the program listens."""

from __future__ import annotations

import logging

__all__ = ["logger"]

# Without it, Python would print warnings of a program that never set logging up.
logging.getLogger("vathos").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """Returns a logger of this package.

    Args:
        name: Name below `vathos`.

    Returns:
        The logger.
    """
    return logging.getLogger(f"vathos.{name}")
