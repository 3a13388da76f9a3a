"""The names of entries in the file store, remembered so that a process need not compute them.

A name comes from scrypt, so that a stolen disk cannot be used to test guessed secrets quickly. That
takes longer than all the rest of `vathos token`. So names are also kept in memory, in a file that
only this user can read and that ends with the login or the next start of the machine: under a quick
hash with a random key beside it. Whoever can read that file can read the memory of this user's
programs, too. The folder is `XDG_RUNTIME_DIR`, or without it, as under cron and in containers,
`/dev/shm`; on a disk no names are kept, as a backup would hold the key beside them.
"""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

from vathos.oauth.identity import Identity
from vathos.stores.folder import PrivateFolder
from vathos.system.bounded import Bounded
from vathos.system.files import memory_folder

__all__ = ["EntryNames"]

_FILE = "names"
_LONGEST = 64 * 1024
_MOST = 128
_KEY_BYTES = 32
_LONGEST_WAIT = 2.0
"""Seconds that a process waits for another one that computes a name of the same account."""


class _Known(NamedTuple):
    """The content of the file: names by fingerprints with this key."""

    key: bytes
    names: dict[str, str]


class EntryNames:
    """The names of entries, kept in a folder in memory if there is one."""

    are_kept = True

    def __init__(self) -> None:
        place = memory_folder(os.environ)
        self._folder = None if place is None else PrivateFolder(place)
        self._known = _Known(b"", {})  # replaced as a whole
        self._computed: Bounded[str, str] = Bounded()  # by the key of the identity

    def name_of(self, identity: Identity) -> str:
        """Returns `identity.shared.name`, quickly if it is known."""
        found = self._find(identity) or self._look(identity) or self._computed.get(identity.key)
        if found is None:
            found = self._computed[identity.key] = self._compute(identity)
        return found

    def _compute(self, identity: Identity) -> str:
        """Computes a name, unless another process does: many that start together do it once."""
        if self._folder is None or not self.are_kept:
            return identity.shared.name
        began = time.time_ns()
        try:
            with self._folder.lock(f"{identity.name}.lock", _LONGEST_WAIT):
                return self._passed_on(identity, began) or self._pass_on(identity)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return identity.shared.name  # a TimeoutError is an OSError too

    def _passed_on(self, identity: Identity, began: int) -> str | None:
        """Returns the name that another process computed while this one waited for it."""
        content = self._folder.read(f"{identity.name}.name", _LONGEST) if self._folder else None
        values = json.loads(content or b'{"at": 0}')
        if values["at"] < began:  # of an entry that there may never have been
            return None
        fingerprint = identity.fingerprint(bytes.fromhex(values["key"]))
        return str(values["name"]) if values["fingerprint"] == fingerprint else None

    def _pass_on(self, identity: Identity) -> str:
        name, key = identity.shared.name, os.urandom(_KEY_BYTES)
        fields = {"key": key.hex(), "fingerprint": identity.fingerprint(key), "name": name}
        content = json.dumps({"at": time.time_ns(), **fields})
        if self._folder is not None:
            self._folder.write(f"{identity.name}.name", content.encode())
        return name

    def remember(self, identity: Identity) -> None:
        """Keeps the name of an entry that exists, for this process and others."""
        if self._folder is None or self._find(identity) is not None:
            return
        name = self.name_of(identity)  # looks anew, as others may have added theirs
        known = self._known
        fingerprint = identity.fingerprint(known.key)
        if fingerprint not in known.names:
            self._write(known.key, {**known.names, fingerprint: name})

    def forget(self, identity: Identity) -> None:
        """Forgets the name of an entry."""
        if self._look(identity):
            key, names = self._known
            left = {each: name for each, name in names.items() if each != identity.fingerprint(key)}
            self._write(key, left)

    def _find(self, identity: Identity) -> str | None:
        key, names = self._known
        return names.get(identity.fingerprint(key)) if names else None

    def _look(self, identity: Identity) -> str | None:
        if self._folder is not None:
            self._known = self._read()
        return self._find(identity)

    def _read(self) -> _Known:
        try:
            content = self._folder.read(_FILE, _LONGEST) if self._folder else None
            values = json.loads(content or b"{}")
            key, names = bytes.fromhex(values["key"]), values["names"]
            if len(key) == _KEY_BYTES and all(isinstance(name, str) for name in names.values()):
                return _Known(key, names)
        except OSError:  # others can reach it, so it is not used
            self._folder = None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        return _Known(os.urandom(_KEY_BYTES), {})

    def _write(self, key: bytes, names: dict[str, str]) -> None:
        if self._folder is None:
            return
        newest = dict(list(names.items())[-_MOST:])
        self._known = _Known(key, newest)
        content = json.dumps({"key": key.hex(), "names": newest})
        try:
            if newest:
                self._folder.write(_FILE, content.encode())
            else:
                self._folder.remove(_FILE)
        except OSError:  # it only saves time; a StoreError is an OSError too
            self._folder = None
