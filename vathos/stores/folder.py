"""A folder that only its owner can read and write, with files that are replaced in one step.

Owner and mode are checked on the open descriptor, not on a path that may name another file a moment
later. Windows has neither modes nor descriptors of folders; there the permissions of the user's
profile folder keep other users out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vathos.system.extras import require, required

if TYPE_CHECKING:
    from vathos.errors import InsecureFileError

__all__ = ["PrivateFolder"]

_HAS_DESCRIPTORS = {os.open, os.unlink, os.stat, os.rename} <= os.supports_dir_fd
# Absent on Windows. O_NONBLOCK: a FIFO in place of a file must not stop the reader.
_SAFE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _SAFE

_REMEDY = "choose another folder with VATHOS_TOKEN_STORE=file:/path"


class PrivateFolder:
    """A folder of mode 0700 with files of mode 0600, made when something is first written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        require("filelock", "file")

    def read(self, name: str, limit: int) -> bytes | None:
        """Reads a file of at most `limit` bytes; `None` if it is missing, unreadable or longer."""
        with self._errors(), self._opened() as folder:
            try:
                file = os.open(self._at(name), os.O_RDONLY | _SAFE, dir_fd=folder)
            except PermissionError:
                return None
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENXIO}:
                    raise self._refused(name, "is a link or a socket", "remove it") from None
                raise
            try:
                self._check(os.fstat(file), name)
                data = _read_all(file, limit + 1)
            finally:
                os.close(file)
            return data if len(data) <= limit else None
        return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file in one step, or leaves it as it is."""
        self.make()
        temporary = f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        with self._errors(missing_is_fine=False), self._opened() as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
            file = os.open(self._at(temporary), flags, 0o600, dir_fd=folder)
            try:
                with open(file, "wb", buffering=0) as target:
                    if hasattr(os, "fchmod"):
                        os.fchmod(file, 0o600)  # whatever the umask took away
                    _write_all(file, content)
                    os.fsync(target)
                where = {"src_dir_fd": folder, "dst_dir_fd": folder}
                os.replace(self._at(temporary), self._at(name), **where)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(self._at(temporary), dir_fd=folder)
                raise
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
        """Holds a lock file; `timeout` is how many seconds it waits for it.

        The system frees the lock when this process dies, however it dies.
        """
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
                raise self._refused("", "is a link or no folder", _REMEDY) from None
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
        if name and not (stat.S_ISREG(found.st_mode) and found.st_nlink <= 1):
            raise self._refused(name, "is no ordinary file or has a second name", "remove it")
        if found.st_uid != os.geteuid():
            remedy = "remove it" if name else _REMEDY
            raise self._refused(name, f"belongs to another user ({found.st_uid})", remedy)
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            remedy = f"chmod {'600' if name else '700'} {self.path / name}"
            raise self._refused(name, f"is open to other users (mode {mode:04o})", remedy)

    def _refused(self, name: str, why: str, remedy: str) -> InsecureFileError:
        # Late, because errors imports requests (every error is one of requests' too).
        from vathos.errors import InsecureFileError  # noqa: PLC0415

        return InsecureFileError(f"{self.path / name} {why}: {remedy}")

    @contextlib.contextmanager
    def _errors(self, *, missing_is_fine: bool = True) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if missing_is_fine and isinstance(error, FileNotFoundError):
                return
            from vathos.errors import StoreError  # noqa: PLC0415 - as above

            if isinstance(error, StoreError | TimeoutError):
                raise
            reason = error.strerror or type(error).__name__
            raise StoreError(f"{self.path}: {reason}; if need be, {_REMEDY}") from error


def _read_all(file: int, limit: int) -> bytes:
    content = b""
    while len(content) < limit and (more := os.read(file, limit - len(content))):
        content += more
    return content


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
