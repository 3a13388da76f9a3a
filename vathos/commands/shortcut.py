"""Finds the entry of an identity in the file store without the slow hash that names it.

The name of an entry comes from scrypt, so that nobody who gets hold of the disk can test guessed
secrets quickly. That takes longer than all the rest of printing a token. So the names are also kept
in memory, in a file that only this user can read and that ends with the login or the next start of
the machine: under a quick hash with a random key that lies beside it. Whoever can read it can read
the user's secrets where they are kept, too. The place is `XDG_RUNTIME_DIR`, or where there is none,
as under cron and in containers, `/dev/shm`. It is used only on a file system in memory; elsewhere
each command computes the name anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vathos.oauth.identity import Identity
from vathos.stores.folder import PrivateFolder

__all__ = ["Shortcut"]

_FILE = "names"
_LONGEST = 64 * 1024
_MOST = 128
_IN_MEMORY = {"tmpfs", "ramfs"}
_SHARED = "/dev/shm"  # noqa: S108 - see _place


class Shortcut:
    """The names of entries, as far as there is a place for them.

    Args:
        place: The folder to keep them in; by default one in memory, if there is any.
    """

    def __init__(self, place: Path | None = None) -> None:
        place = _place(os.environ) if place is None else place
        self._folder = None if place is None else PrivateFolder(place)
        self._known = self._read()

    def name_of(self, identity: Identity) -> str:
        """Tells the name of an identity's entry.

        Args:
            identity: Whose entry.

        Returns:
            What `identity.shared.name` says.
        """
        name = self._known["names"].get(identity.fingerprint(self._key))
        return str(name) if name else identity.shared.name

    def remember(self, identity: Identity) -> None:
        """Keeps the name of an identity's entry for the next command.

        Args:
            identity: Whose entry.
        """
        names = self._known["names"]
        fingerprint = identity.fingerprint(self._key)
        if self._folder is None or fingerprint in names:
            return
        names[fingerprint] = identity.shared.name
        newest = list(names.items())[-_MOST:]
        content = json.dumps({"key": self._known["key"], "names": dict(newest)})
        try:
            self._folder.write(_FILE, content.encode())
        except OSError:  # a help only; a StoreError is one too
            self._folder = None

    def forget(self) -> None:
        """Forgets all names."""
        if self._folder is not None:
            self._folder.remove(_FILE)

    @property
    def _key(self) -> bytes:
        return bytes.fromhex(self._known["key"])

    def _read(self) -> dict[str, Any]:
        try:
            content = self._folder.read(_FILE, _LONGEST) if self._folder else None
            known = json.loads(content or b"{}")
            if len(bytes.fromhex(known["key"])) == 32 and isinstance(known["names"], dict):  # noqa: PLR2004
                return dict(known)
        except OSError:  # others can reach it: not to be used
            self._folder = None
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return {"key": os.urandom(32).hex(), "names": {}}


def _place(environ: Mapping[str, str]) -> Path | None:
    """Finds a folder in memory for this user's files."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "vathos") if _is_in_memory(runtime) else None
    # Everyone may write there, so the name is the user's, and PrivateFolder wants to be its owner.
    return Path(_SHARED, f"vathos-{os.geteuid()}") if _is_in_memory(_SHARED) else None


def _is_in_memory(path: str) -> bool:
    """Tells whether a folder is on a file system that never was on a disk."""
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
