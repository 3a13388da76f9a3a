"""Files and bytes as one body, read while it is sent, and from its start to send it again."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from vathos.exit_codes import CommandError, Exit

__all__ = ["Stream"]

_PIECE = 1 << 16


class Stream:
    """Several pieces of bytes and files as one body of known length.

    Args:
        parts: Bytes, and files that can be read from where they stand.
    """

    def __init__(self, parts: Sequence[bytes | BinaryIO]) -> None:
        self._parts = [
            _Part(io.BytesIO(part) if isinstance(part, bytes) else part) for part in parts
        ]
        self._at = 0
        self.watch: Callable[[int], object] = lambda _: None
        """Called with the number of bytes that were read so far."""

    def __len__(self) -> int:
        return sum(part.length for part in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """Reads on.

        Args:
            size: Number of bytes at most; the rest if it is negative.

        Returns:
            Bytes; none at the end.

        Raises:
            CommandError: If a file became shorter since its length was told.
        """
        pieces, wanted = [], len(self) if size < 0 else size
        for part in self._parts:
            if wanted and (piece := part.read(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        read = b"".join(pieces)
        self._at += len(read)
        self.watch(self._at)
        return read

    def tell(self) -> int:
        """Tells how far it was read.

        Returns:
            Number of bytes.
        """
        return self._at

    def seek(self, at: int) -> int:
        """Goes to another place, to send all of it again.

        Args:
            at: Number of bytes from the start.

        Returns:
            The same.
        """
        self._at, left = at, at
        for part in self._parts:
            left -= part.seek(left)
        return at


class _Part:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self.length = self._left = max(file.seek(0, os.SEEK_END) - self._start, 0)
        file.seek(self._start)

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        piece = self._file.read(size)
        if len(piece) < size:
            raise CommandError(Exit.FAILED, "the file became shorter while it was sent")
        self._left -= len(piece)
        return piece

    def seek(self, at: int) -> int:
        at = min(at, self.length)
        self._file.seek(self._start + at)
        self._left = self.length - at
        return at
