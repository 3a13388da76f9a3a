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
from pathlib import Path
from typing import Any

from vathos.oauth.identity import Identity
from vathos.stores.folder import PrivateFolder
from vathos.system.files import memory_folder

__all__ = ["Shortcut"]

_FILE = "names"
_LONGEST = 64 * 1024
_MOST = 128


class Shortcut:
    """The names of entries, as far as there is a place for them.

    Args:
        place: The folder to keep them in; by default one in memory, if there is any.
    """

    def __init__(self, place: Path | None = None) -> None:
        place = memory_folder(os.environ) if place is None else place
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
