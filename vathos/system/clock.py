"""The present moment, read from two clocks; a file of its own, as tokens and backoffs need it."""

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
    """One moment, read from two clocks."""

    wall: float
    """Unix timestamp (seconds, UTC); the clock may be set, forwards and backwards."""
    boot: float
    """Seconds since some fixed moment, suspend included; never set, and of this machine only."""


def now() -> Instant:
    """Reads the system's clocks."""
    boot = time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
    return Instant(time.time(), boot)
