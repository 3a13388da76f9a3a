"""The present moment, read from two clocks: one that may be set, and one that nobody sets."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

__all__ = ["Instant", "now"]

# Linux stops CLOCK_MONOTONIC in suspend, and macOS does so for time.monotonic(); a token dies
# while the machine sleeps.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None) or (
    getattr(time, "CLOCK_MONOTONIC", None) if sys.platform == "darwin" else None
)


class Instant(NamedTuple):
    """One moment, read from two clocks.

    Attributes:
        wall: Unix timestamp (seconds, UTC). May be set, forwards and backwards.
        boot: Seconds since some fixed moment, suspend included. Never set; meaningless on
            another machine.
    """

    wall: float
    boot: float


def now() -> Instant:
    """Reads the system's clocks.

    Returns:
        The present moment.
    """
    boot = time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
    return Instant(time.time(), boot)
