"""The file that a person names for what a command puts out."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vathos.system.files import replacing

__all__ = ["output"]


@contextlib.contextmanager
def output(path: Path | str, *, private: bool) -> Iterator[BinaryIO]:
    """Opens a file that a person has named; an ordinary one is replaced once it is complete.

    A device, a pipe or `/dev/fd/3` cannot be replaced, so it is written to. A file that is not
    `private` keeps its mode and its links.
    """
    descriptor = _descriptor(path)
    if descriptor is not None:
        if not os.get_inheritable(descriptor):  # not the caller's, but one of this process
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with open(os.dup(descriptor), "wb") as target:
            yield target
    elif os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as target:
            yield target
    elif private:
        with replacing(path) as target:
            yield target
    else:
        path = Path(os.path.realpath(path))
        with replacing(path, mode=0o666) as target:
            if path.exists() and os.chmod in os.supports_fd:
                os.chmod(target.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield target


def _descriptor(path: Path | str) -> int | None:
    """Returns the number of the open file that a path such as `/dev/stdout` stands for."""
    numbered = os.path.realpath("/dev/fd")
    path = os.path.abspath(path)
    for _ in range(40):  # as many links as Linux follows
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        path = os.path.join(folder, name)
        if folder == numbered and name.isdecimal():
            return int(name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None
