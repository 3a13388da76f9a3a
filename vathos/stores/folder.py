"""A folder that only its owner can read and write, with files that are replaced in one step.

Owner and mode are checked on the open descriptor, not on a path that may name another file a moment
later. Windows has neither modes nor descriptors of folders; there the permissions of the user's
profile folder keep other users out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from vathos.system.extras import require, required
from vathos.system.files import SAFE, read_ordinary, refuse_exposed, replacing
from vathos.system.late_errors import insecure_file, is_one_of

__all__ = ["PrivateFolder"]

_HAS_DESCRIPTORS = {os.open, os.unlink, os.stat, os.rename} <= os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | SAFE

_SETTLED_AFTER = 2.0
"""Seconds after which a file that is written again has another time, on every file system."""

_MEANT_FOR_OTHERS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IWOTH
"""Bits of a folder that a plain `mkdir` does not set: such a folder is not closed to others."""

_REMEDY = "choose another folder with VATHOS_TOKEN_STORE=file:/path"


class PrivateFolder:
    """A folder of mode 0700 with files of mode 0600, made when something is first written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[str, os.stat_result, bytes] | None = None  # replaced as a whole
        require("filelock", "file")

    def close_to_others(self, ours: str) -> None:
        """Gives a folder that `mkdir` made mode 0700 if all names in it match `ours`.

        Raises `InsecureFileError` if others can still reach it; what else is wrong with the folder
        shows when it is used.
        """
        try:
            with self._opened():
                pass
        except FileNotFoundError:
            pass
        except OSError as error:
            is_open = is_one_of(error, "InsecureFileError") and os.path.lexists(self.path)
            if is_open and not self._is_closed(ours):
                raise

    def _is_closed(self, ours: str) -> bool:
        with contextlib.ExitStack() as stack:
            try:
                folder = os.open(self.path, _FOLDER)
            except OSError:
                return False
            stack.callback(os.close, folder)
            found, user = os.fstat(folder), os.geteuid()
            if found.st_uid != user or found.st_mode & _MEANT_FOR_OTHERS:
                return False
            for name in os.listdir(folder):
                owner = os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid
                if owner != user or not re.fullmatch(ours, name):
                    return False
            os.fchmod(folder, 0o700)
        return True

    def read(self, name: str, limit: int) -> bytes | None:
        """Reads a file of at most `limit` bytes; `None` if it is missing, unreadable or longer.

        What was read last is not read again while the file is the same one, unchanged.
        """
        with self._errors(), self._opened() as folder:
            last = self._last
            if last is not None and last[0] == name:
                found = os.stat(self._at(name), dir_fd=folder, follow_symlinks=False)
                if _mark(found) == _mark(last[1]):
                    return last[2]
            try:
                data, found = read_ordinary(self._at(name), limit + 1, folder=folder)
            except PermissionError:
                return None
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENXIO, errno.EINVAL}:
                    insecure_file(f"{self.path / name} is a link or no ordinary file: remove it")
                raise
            self._check(found, name)
            if len(data) > limit:
                return None
            # A file that has just been written could be written again within one tick of its clock.
            is_settled = _HAS_DESCRIPTORS and time.time() - found.st_ctime > _SETTLED_AFTER
            self._last = (name, found, data) if is_settled else None
            return data
        return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file in one step, or leaves it as it is."""
        self.make()
        with self._errors(missing_is_fine=False), self._opened() as folder:
            with replacing(self._at(name), folder=folder) as target:
                _write_all(target.fileno(), content)
            if folder is not None:
                os.fsync(folder)  # a refresh token that was replaced must not come back

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        with self._errors(), self._opened() as folder:
            os.unlink(self._at(name), dir_fd=folder)

    def ages(self) -> dict[str, float]:
        """Returns for each file the seconds since it was last written."""
        ages: dict[str, float] = {}
        with self._errors(), self._opened() as folder:
            present = time.time()
            for name in os.listdir(self.path if folder is None else folder):
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(self._at(name), dir_fd=folder, follow_symlinks=False)
                    ages[name] = present - found.st_mtime
        return ages

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[None]:
        """Holds a lock file, free as soon as this process dies; `timeout` is in seconds."""
        self.make()
        path = str(self.path / name)
        filelock = required("filelock", "file")  # late: it costs more than reading a token
        lock = filelock.FileLock(path, mode=0o600, thread_local=False)
        with self._errors(missing_is_fine=False):
            try:
                lock.acquire(timeout=max(timeout, 0.0), poll_interval=0.02)
            except filelock.Timeout:
                raise TimeoutError(f"another process held {path} for {timeout:g} s") from None
        try:
            yield
        finally:
            lock.release()

    def make(self) -> None:
        """Makes the folder and those above it, unless they are there."""
        with self._errors(missing_is_fine=False):
            for folder in (*reversed(self.path.parents), self.path):
                with contextlib.suppress(FileExistsError):
                    # Not makedirs, which leaves the mode of the upper ones to the umask.
                    if not folder.is_dir():
                        folder.mkdir(0o700)
                        folder.chmod(0o700)  # whatever the umask took away
            with self._opened():
                pass

    def _at(self, name: str) -> str:
        return name if _HAS_DESCRIPTORS else str(self.path / name)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Opens the folder, so that what is checked is what is used."""
        if not _HAS_DESCRIPTORS:
            yield None
            return
        try:
            folder = os.open(self.path, _FOLDER)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                insecure_file(f"{self.path} is a link or no folder: {_REMEDY}")
            raise
        try:
            self._check(os.fstat(folder), "")
            yield folder
        finally:
            os.close(folder)

    def _check(self, found: os.stat_result, name: str) -> None:
        """Refuses what others can reach; an empty name means the folder itself."""
        if not _HAS_DESCRIPTORS:
            return
        if name and found.st_nlink > 1:
            insecure_file(f"{self.path / name} is a file with a second name: remove it")
        remedy = "remove it" if name else _REMEDY
        refuse_exposed(self.path / name, found, 0o077, remedy=remedy)

    @contextlib.contextmanager
    def _errors(self, *, missing_is_fine: bool = True) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if missing_is_fine and isinstance(error, FileNotFoundError):
                return
            if isinstance(error, TimeoutError) or is_one_of(error, "StoreError"):
                raise
            from vathos.errors import StoreError  # noqa: PLC0415 - see late_errors

            reason = error.strerror or type(error).__name__
            raise StoreError(f"{self.path}: {reason}; if need be, {_REMEDY}") from error


def _mark(found: os.stat_result) -> tuple[int, ...]:
    """What differs once a file was replaced or written, or its owner, mode or number of names."""
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
