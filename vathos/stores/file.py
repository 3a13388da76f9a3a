"""Tokens in files of one user, shared by all processes of that user on one machine."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vathos.oauth.identity import Identity
from vathos.stores.codec import read_entry, write_entry
from vathos.stores.folder import PrivateFolder
from vathos.system.extras import require, required
from vathos.system.late_errors import configuration_error
from vathos.tokens import Token

__all__ = ["FileStore", "state_folder"]

_LONGEST_ENTRY = 1024 * 1024
_LONGEST_SWAP = 2.0
"""Seconds to wait for another process that is just replacing the same entry."""


class FileStore:
    """Keeps each token in a file of mode 0600 in a folder of mode 0700; the tokens are in clear.

    A file is replaced as a whole or not at all. What others could read or write is refused with its
    path. It needs the packages of the extra `file`.

    Args:
        folder: An absolute path; by default below the user's state folder.

    Raises:
        ConfigurationError: If the path is not absolute, there is none, or a package is missing.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        path = state_folder("file") if folder is None else Path(folder).expanduser()
        if not path.is_absolute():
            configuration_error(f"the folder of the file store, {path}, is not absolute")
        self._folder = PrivateFolder(path)

    @classmethod
    def at(cls, url: str) -> FileStore:
        """Opens the store that a URL names.

        Args:
            url: `file:` for the usual folder, `file:/path` or `file:///path` for another one.

        Returns:
            The store.

        Raises:
            ConfigurationError: If it is on another host, its path is not absolute, or a package is
                missing.
        """
        path = url.partition(":")[2]
        if path.startswith("//"):
            parts = urlsplit(url)
            if parts.netloc not in {"", "localhost"}:
                configuration_error(f"the store {url!r} is on another host; write file:/path")
            path = unquote(parts.path)
        return cls(path or None)

    def entry(self, name: str) -> Token | None:
        """Looks a token up by the name of its entry.

        Args:
            name: As `vathos.oauth.identity.SharedKeys` has it.

        Returns:
            The token last saved, or `None`.

        Raises:
            StoreError: If others can reach the file.
        """
        return self._read(f"{name}.json")

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`.

        Raises:
            StoreError: If others can reach the file.
        """
        return self._read(f"{identity.shared.name}.json")

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before, and sweeps what others left behind.

        Args:
            identity: Whose token.
            token: The token.

        Raises:
            StoreError: If the file cannot be written, or others can reach it.
        """
        name = identity.shared.name
        with self._writing(name):
            self._read(f"{name}.json")  # refuses what others can reach
            self._write(name, token)
        self._sweep(name)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Puts a token in place of another one, if that is still there.

        Args:
            identity: Whose token.
            old: What must be there.
            new: The token.

        Returns:
            Whether it was there.

        Raises:
            StoreError: If the file cannot be written, or others can reach it.
        """
        name = identity.shared.name
        with self._writing(name):
            is_there = old.is_same(self._read(f"{name}.json"))
            if is_there:
                self._write(name, new)
        if is_there:
            self._sweep(name)
        return is_there

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if there is one.

        Args:
            identity: Whose token.

        Raises:
            StoreError: If the file cannot be removed.
        """
        name = identity.shared.name
        if f"{name}.json" in self._folder.ages():
            with self._writing(name):
                self._folder.remove(f"{name}.json")

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Serialises renewals among the processes of this user.

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Returns:
            A context manager that holds the lock; entering it raises `TimeoutError` when late.
        """
        return self._folder.lock(f"{identity.shared.name}.lock", timeout)

    def _writing(self, name: str) -> AbstractContextManager[None]:
        # Not the lock of renewals: that one is held for seconds, and may be lost by waiting.
        return self._folder.lock(f"{name}.write", _LONGEST_SWAP)

    def _read(self, file: str) -> Token | None:
        content = self._folder.read(file, _LONGEST_ENTRY)
        return None if content is None else read_entry(content)

    def _sweep(self, name: str) -> None:
        from vathos.stores.sweeping import Sweeper  # noqa: PLC0415 - reading needs none of it

        Sweeper(self._folder, self._read).sweep(name)

    def _write(self, name: str, token: Token) -> None:
        self._folder.write(f"{name}.json", write_entry(token).encode("ascii"))

    def __repr__(self) -> str:
        return f"FileStore({str(self._folder.path)!r})"

    def __reduce__(self) -> tuple[type[FileStore], tuple[str]]:
        return FileStore, (str(self._folder.path),)


def state_folder(extra: str) -> Path:
    """Finds the folder for state of this user.

    Args:
        extra: Which store asks.

    Returns:
        `~/.local/state/vathos` on Linux, and what corresponds to it elsewhere.

    Raises:
        ConfigurationError: If this user has none.
    """
    path = _state_path(extra)
    if not path.is_absolute():
        configuration_error(
            "this user has no home folder: set VATHOS_TOKEN_STORE=file:/path, or pass "
            "FileStore('/path')"
        )
    return path


def _state_path(extra: str) -> Path:
    if sys.platform == "linux":
        require("platformdirs", extra)
        # What it would say, without the time its import takes.
        path = os.environ.get("XDG_STATE_HOME", "")
        return Path(path if path.strip() else Path("~/.local/state").expanduser(), "vathos")
    return Path(required("platformdirs", extra).user_state_path("vathos", appauthor=False))
