"""What a folder of tokens is rid of: half-written files, and entries that nobody comes back to."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable

from vathos.errors import StoreError
from vathos.stores.folder import PrivateFolder
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["Sweeper"]

log = logger("stores")

_STRAY_AFTER = 60.0
"""Seconds after which a temporary file is one that its writer did not live to rename."""

_FORGOTTEN_AFTER = 31 * 86400.0
"""Seconds after which an entry that was not renewed is taken to be forgotten."""

_OURS = re.compile(r"([0-9a-f]{12})-[0-9a-f]{32}\.(json|lock|write)")
_TEMPORARY = re.compile(r"\..*\.tmp")


class Sweeper:
    """Removes what has been left behind, and nothing that it does not know.

    Args:
        folder: Where.
        read: Reads an entry.
    """

    def __init__(self, folder: PrivateFolder, read: Callable[[str], Token | None]) -> None:
        self._folder = folder
        self._read = read

    def sweep(self, kept: str) -> None:
        """Removes stray temporary files, forgotten entries, and those of a rotated secret.

        Args:
            kept: The entry just written. Its siblings differ from it in a secret; they are removed
                once their access token has expired.
        """
        with contextlib.suppress(StoreError, TimeoutError):
            ages = self._folder.ages()
            for file, age in ages.items():
                if self._is_left_behind(file, age, kept, ages):
                    log.debug("removing %s, which was left behind", file)
                    self._remove(file)

    def _is_left_behind(self, file: str, age: float, kept: str, ages: dict[str, float]) -> bool:
        if _TEMPORARY.fullmatch(file):
            return age > _STRAY_AFTER
        ours = _OURS.fullmatch(file)
        if ours is None or file.startswith(f"{kept}."):
            return False
        if ours[2] != "json":
            entry = file.replace(f".{ours[2]}", ".json")
            return entry not in ages and age > _FORGOTTEN_AFTER
        if age > _FORGOTTEN_AFTER:
            return True
        if not kept.startswith(ours[1]):
            return False
        token = self._read(file)
        expires_at = None if token is None else token.expires_at
        return expires_at is not None and expires_at < time.time() - _STRAY_AFTER

    def _remove(self, file: str) -> None:
        if file.endswith((".json", ".tmp")):
            self._folder.remove(file)
        else:
            # Only under the lock: whoever waits for it finds that the file has lost its name.
            with self._folder.lock(file, 0.0):
                self._folder.remove(file)
