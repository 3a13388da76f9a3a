"""What the exit status of every command means, for scripts; numbers never change their meaning."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


class Exit(enum.IntEnum):
    """How a command ended.

    Attributes:
        DONE: It worked.
        FAILED: It did not work; for `demo`, a call failed or left without a token.
        USAGE: The command line makes no sense.
        INTERRUPTED: Ctrl-C (128 + SIGINT, as shells report it).
        BROKEN_PIPE: Whoever read the output left (128 + SIGPIPE).
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    BROKEN_PIPE = 141
