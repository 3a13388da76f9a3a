"""Files of this user: where they lie, how one is read without a trap, and replaced in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from vathos.system.extras import require, required
from vathos.system.late_errors import configuration_error, insecure_file

__all__ = [
    "SAFE",
    "expanded",
    "memory_folder",
    "read_ordinary",
    "refuse_exposed",
    "replacing",
    "state_folder",
    "user_folder",
    "write_private",
]

# Absent on Windows. O_NONBLOCK: a FIFO in place of a file must not stop the reader.
_NO_WAIT = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
SAFE = _NO_WAIT | getattr(os, "O_NOFOLLOW", 0)
"""Flags to open what may have been swapped for a link or a FIFO."""

_FOLDERS = {
    "config": ("XDG_CONFIG_HOME", ".config", "APPDATA"),
    "cache": ("XDG_CACHE_HOME", ".cache", "LOCALAPPDATA"),
}
_IN_MEMORY = {"tmpfs", "ramfs"}
_SHARED = "/dev/shm"  # noqa: S108 - see memory_folder

_TO_OTHERS = {
    0o022: "can be written by others",
    0o044: "can be read by others",
    0o077: "is open to other users",
}


# --- the user's folders -------------------------------------------------------------------------


def user_folder(kind: str, environ: Mapping[str, str]) -> Path | None:
    """Returns the user's folder for `config` or `cache`; `None` for a user without a home."""
    variable, usual, on_windows = _FOLDERS[kind]
    folder = environ.get(on_windows if os.name == "nt" else variable)
    if not folder or not os.path.isabs(folder):  # XDG says that relative paths are ignored
        home = environ.get("HOME")
        folder = f"{home}/{usual}" if home else None
    return Path(folder, "vathos") if folder else None


def expanded(path: Path | str) -> Path:
    """Replaces a `~` by the user's home; it stays where there is none, or an empty one."""
    return Path(path if os.environ.get("HOME") == "" else os.path.expanduser(path))


def state_folder(extra: str) -> Path:
    """Returns the user's folder for state; `extra` brings `platformdirs`, which knows the place."""
    if sys.platform == "linux":
        require("platformdirs", extra)
        # What it would say, without the time its import takes.
        folder = os.environ.get("XDG_STATE_HOME", "")
        path = Path(folder if os.path.isabs(folder) else expanded("~/.local/state"), "vathos")
    else:
        path = Path(required("platformdirs", extra).user_state_path("vathos", appauthor=False))
    if not path.is_absolute():
        configuration_error(
            "this user has no home folder: set VATHOS_TOKEN_STORE=file:/path, or pass "
            "FileStore('/path')"
        )
    return path


def memory_folder(environ: Mapping[str, str]) -> Path | None:
    """Returns a folder of the user's whose files never reach a disk, if there is one."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "vathos") if _is_in_memory(runtime) else None
    # Everyone may write there, so the name is the user's, and whoever uses it checks the owner.
    return Path(_SHARED, f"vathos-{os.geteuid()}") if _is_in_memory(_SHARED) else None


def _is_in_memory(path: str) -> bool:
    try:
        device = os.stat(path).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                if before.split()[2] == wanted:
                    return after.split()[0] in _IN_MEMORY
    except (OSError, IndexError, AttributeError):
        return False
    return False


# --- reading ------------------------------------------------------------------------------------


def read_ordinary(
    path: Path | str, limit: int, *, folder: int | None = None, follow: bool = False
) -> tuple[bytes, os.stat_result]:
    """Reads at most `limit` bytes of a file, and who may reach what was opened.

    `OSError` if it is no ordinary file, or a link that is not to be followed. `folder` is the
    descriptor of the folder that the path starts in.
    """
    file = os.open(path, os.O_RDONLY | (_NO_WAIT if follow else SAFE), dir_fd=folder)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        content = b""
        while len(content) < limit and (more := os.read(file, limit - len(content))):
            content += more
    finally:
        os.close(file)
    return content, found


def refuse_exposed(
    path: Path,
    found: os.stat_result,
    forbidden: int,
    *,
    remedy: str,
    root_may_own: bool = False,
    holding: str = "",
) -> None:
    """Raises `InsecureFileError` if another user owns a file or folder, or has a forbidden bit.

    `remedy` is for another owner's; a mode is repaired by `chmod`. Windows has no modes: there the
    permissions of the user's profile folder keep others out.
    """
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid not in {os.geteuid(), *((0,) if root_may_own else ())}:
        insecure_file(f"{path} belongs to another user ({found.st_uid}): {remedy}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        fix = f"chmod {700 if stat.S_ISDIR(found.st_mode) else 600} {path}"
        insecure_file(f"{path} {holding}{_TO_OTHERS[forbidden]} (mode {mode:04o}): {fix}")


# --- replacing ----------------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(
    path: Path | str, *, mode: int | None = None, folder: int | None = None
) -> Iterator[BinaryIO]:
    """Puts the file that it yields in place of another once it is complete, or not at all.

    A link is replaced, not followed. The file is for its owner alone, unless a `mode` is given,
    from which the umask takes. `folder` is the descriptor of the folder that the path starts in.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE
    file = os.open(temporary, flags, 0o600 if mode is None else mode, dir_fd=folder)
    try:
        with open(file, "wb") as target:
            if mode is None and hasattr(os, "fchmod"):
                os.fchmod(file, 0o600)  # whatever the umask took away
            yield target
            target.flush()
            os.fsync(file)
        os.replace(temporary, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600 in one step, or leaves the old one as it is."""
    with replacing(path) as target:
        target.write(text.encode())
