"""Tokens in files, shared by all processes of one user on one machine."""

from __future__ import annotations

import contextlib
import re
import time
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vathos.oauth.identity import Identity
from vathos.stores.codec import decode, encode
from vathos.stores.entry_names import EntryNames
from vathos.stores.folder import PrivateFolder
from vathos.system.bounded import Bounded
from vathos.system.files import expanded, state_folder
from vathos.system.late_errors import configuration_error
from vathos.tokens import Token

__all__ = ["FileStore"]

_LONGEST_ENTRY = 1024 * 1024
_LONGEST_SWAP = 2.0
"""Seconds to wait for another process that is just replacing the same entry."""

_STRAY_AFTER = 60.0
"""Seconds after which a temporary file is one whose writer died before renaming it."""

_FORGOTTEN_AFTER = 31 * 86400.0
"""Seconds after which an entry that was not renewed counts as forgotten."""

_SWEEP_AFTER = 3600.0
"""Seconds for which a process leaves a folder alone that it has swept."""

_OURS = r"([0-9a-f]{12})-[0-9a-f]{32}\.(json|lock|write|pause)"
KEYRING_LOCKS = "keyring-locks"
"""The folder beside the entries in which the keyring's store has its lock files."""

_TEMPORARY = r"\..*\.tmp"


class FileStore:
    """Keeps each token in a file of its own, unencrypted: only this user can read it.

    Files have mode 0600, the folder has mode 0700; one that `mkdir` made is closed to others when
    the store is opened, if nothing but entries is in it. A file is replaced in one step or left as
    it was. If other users could read or write a file or the folder, every method raises
    `StoreError` with its path and the `chmod` that repairs it. At most once an hour, saving also
    removes temporary files older than a minute, entries not renewed for 31 days, and expired
    entries of a rotated secret. It needs the packages of the extra `file`.

    Args:
        folder: An absolute path; by default that for state of this user: on Linux
            `~/.local/state/vathos`.

    Attributes:
        folder: The folder with the entries.
        remembers_names: Whether the names of entries are kept in a folder in memory of this user,
            so that other processes find their entries without the slow hash.

    Raises:
        ConfigurationError: If the path is not absolute, the user has no home folder, or a package
            is missing.
        InsecureFileError: If other users can reach the folder and it holds something else.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        path = state_folder("file") if folder is None else expanded(folder)
        if not path.is_absolute():
            configuration_error(f"the folder of the file store, {path}, is not absolute")
        self._names = EntryNames()
        self.folder = PrivateFolder(path)
        self.folder.close_to_others(f"{_OURS}|{_TEMPORARY}|{KEYRING_LOCKS}")

    @property
    def remembers_names(self) -> bool:
        """Whether the names of entries are kept in memory."""
        return self._names.are_kept

    @remembers_names.setter
    def remembers_names(self, value: bool) -> None:
        self._names.are_kept = value

    @classmethod
    def at(cls, url: str) -> FileStore:
        """Opens the store that a URL names.

        Args:
            url: `file:` for the usual folder, `file:/path` or `file:///path` for another one.

        Returns:
            The store.

        Raises:
            ConfigurationError: If the URL names another host, its path is not absolute, or a
                package is missing.
        """
        path = url.partition(":")[2]
        if path.startswith("//"):
            parts = urlsplit(url)
            if parts.netloc not in {"", "localhost"}:
                configuration_error(f"the store {url!r} is on another host; write file:/path")
            path = unquote(parts.path)
        return cls(path or None)

    def load(self, identity: Identity) -> Token | None:
        """Returns the token last saved, or `None`; junk in the file is `None` too."""
        token = self._read(f"{self._names.name_of(identity)}.json")
        if token is not None:
            self._remember(identity)
        return token

    def save(self, identity: Identity, token: Token) -> None:
        """Replaces the file in one step, then removes what was left behind."""
        name = self._names.name_of(identity)
        with self._writing(name):
            self._read(f"{name}.json")  # refuses what others can reach
            self._write(name, token)
        self._remember(identity)
        self._sweep(name)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces `old` with `new` if `old` is still there, and returns whether it was."""
        name = self._names.name_of(identity)
        with self._writing(name):
            is_there = old.is_same(self._read(f"{name}.json"))
            if is_there:
                self._write(name, new)
        if is_there:
            self._sweep(name)
        return is_there

    def delete(self, identity: Identity) -> None:
        """Removes the file, if there is one."""
        self.drop(self._names.name_of(identity))
        self._names.forget(identity)

    def former(self, identity: Identity) -> dict[str, Token]:
        """Finds the entries whose identities differ in the secrets only, by name."""
        own = f"{self._names.name_of(identity)}.json"
        found = {}
        for file in self.folder.ages():
            ours = re.fullmatch(_OURS, file)
            if ours and ours[1] == identity.name and ours[2] == "json" and file != own:
                token = self._read(file)
                if token is not None:
                    found[file.removesuffix(".json")] = token
        return found

    def drop(self, name: str) -> None:
        """Removes the entry of that name, if there is one."""
        if f"{name}.json" in self.folder.ages():
            with self._writing(name):
                self.folder.remove(f"{name}.json")

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Lets one process of this user renew at a time, by a lock file.

        The system frees the lock when its holder dies. Entering it raises `TimeoutError` if another
        process holds it longer than `timeout` seconds.
        """
        return self.folder.lock(f"{self._names.name_of(identity)}.lock", timeout)

    def _remember(self, identity: Identity) -> None:
        if self.remembers_names:
            self._names.remember(identity)

    def _writing(self, name: str) -> AbstractContextManager[None]:
        # Not the lock of renewals: that one is held for seconds, and may be lost by waiting.
        return self.folder.lock(f"{name}.write", _LONGEST_SWAP)

    def _read(self, file: str) -> Token | None:
        content = self.folder.read(file, _LONGEST_ENTRY)
        return None if content is None else decode(content)

    def _write(self, name: str, token: Token) -> None:
        self.folder.write(f"{name}.json", encode(token).encode("ascii"))

    def _sweep(self, kept: str) -> None:
        """Removes stray temporary files, forgotten entries and those of a rotated secret."""
        at = time.monotonic()
        if at - _swept.get(self.folder.path, -_SWEEP_AFTER) < _SWEEP_AFTER:
            return
        _swept[self.folder.path] = at
        # Late: reading a token needs neither.
        from vathos.errors import StoreError  # noqa: PLC0415
        from vathos.system.logs import logger  # noqa: PLC0415

        with contextlib.suppress(StoreError, TimeoutError):
            ages = self.folder.ages()
            for file, age in ages.items():
                if not file.startswith(f"{kept}.") and self._is_left_behind(file, age, ages):
                    logger("stores").debug("removing %s, which was left behind", file)
                    self._remove(file)

    def _is_left_behind(self, file: str, age: float, ages: dict[str, float]) -> bool:
        if re.fullmatch(_TEMPORARY, file):
            return age > _STRAY_AFTER
        ours = re.fullmatch(_OURS, file)
        if ours is None:
            return False
        if ours[2] != "json":
            entry = file.replace(f".{ours[2]}", ".json")
            return entry not in ages and age > _FORGOTTEN_AFTER
        if age > _FORGOTTEN_AFTER or not _is_followed(file, ours[1], ages):
            return age > _FORGOTTEN_AFTER
        token = self._read(file)
        expires_at = None if token is None else token.expires_at
        return expires_at is not None and expires_at < time.time() - _STRAY_AFTER

    def _remove(self, file: str) -> None:
        if file.endswith((".json", ".tmp")):
            self.folder.remove(file)
        else:
            # Only under the lock: who waits for it sees that the file has lost its name.
            with self.folder.lock(file, 0.0):
                self.folder.remove(file)

    def __repr__(self) -> str:
        return f"FileStore({str(self.folder.path)!r})"

    def __reduce__(self) -> tuple[type[FileStore], tuple[str]]:
        return FileStore, (str(self.folder.path),)


_swept: Bounded[Path, float] = Bounded()
"""When this process last swept a folder, on the clock of `time.monotonic`."""


def _is_followed(file: str, public: str, ages: dict[str, float]) -> bool:
    """Tells whether a later entry differs in the secrets only, so that one of them was rotated."""
    return any(
        other.startswith(public) and other.endswith(".json") and age <= ages[file]
        for other, age in ages.items()
        if other != file
    )
