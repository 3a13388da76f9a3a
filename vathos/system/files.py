"""Files that are replaced as a whole, by default for their owner alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing", "write_private"]


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Puts a file in place of another once it is complete, or leaves the old one as it is.

    Args:
        path: The file. A link is replaced, not followed.
        mode: Its mode, from which the umask takes.

    Yields:
        The new file, in the same folder under a name of its own.

    Raises:
        OSError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.open(temporary, flags, mode)
    try:
        with open(file, "wb") as target:
            yield target
            target.flush()
            os.fsync(file)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600 in one step, or leaves the old one as it is.

    Args:
        path: The file. A link is replaced, not followed.
        text: What to put in it.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as target:
        target.write(text.encode())
