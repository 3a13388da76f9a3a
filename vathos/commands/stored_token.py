"""What the store has for the settings of a command, found without the HTTP library.

The name of an entry in the file store comes from scrypt, so that a stolen disk cannot be
used to test guessed secrets quickly. That takes longer than all the rest of `vathos token`. So the
names are also kept in memory, in a file that only this user can read and that ends with the login
or the next start of the machine: under a quick hash with a random key beside it. Whoever can read
that file can read the user's secrets where they are kept, too. The folder is `XDG_RUNTIME_DIR`, or
without it, as under cron and in containers, `/dev/shm`; on a disk no names are kept.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vathos.config.settings import Settings
from vathos.oauth.identity import Identity, identity_of
from vathos.policy import Freshness, RenewalPolicy
from vathos.stores.file import FileStore
from vathos.stores.folder import PrivateFolder
from vathos.system.files import memory_folder
from vathos.tokens import Token, now

if TYPE_CHECKING:
    from vathos.stores.base import TokenStore

__all__ = ["DEFAULT_STORE", "EntryNames", "Requirement", "in_file_store", "kept", "policy"]

DEFAULT_STORE = "file:"
"""Where commands keep tokens unless another store is chosen; memory would end with the command."""

_FILE = "names"
_LONGEST = 64 * 1024
_MOST = 128
_KEY_BYTES = 32

policy = RenewalPolicy()


class Requirement(NamedTuple):
    """What a token must be like: seconds that it still works, and whether it must be a new one."""

    min_ttl: float = 0.0
    renew: bool = False

    def is_met_by(self, token: Token) -> bool:
        """Tells whether a token is good enough without asking the server."""
        at = now()
        is_fresh = policy.state(token, at) is Freshness.FRESH
        return is_fresh and token.seconds_left(at) >= self.min_ttl and not self.renew

    def allows(self, token: Token) -> bool:
        """Tells whether a token is good enough if there is no better one."""
        at = now()
        works = policy.state(token, at) is not Freshness.EXPIRED
        return works and token.seconds_left(at) >= self.min_ttl


class Kept(NamedTuple):
    """What a store has for an identity."""

    identity: Identity
    token: Token | None


def kept(settings: Settings, store: TokenStore) -> Kept:
    """Loads the token of these settings, expired or not; reads their secrets."""
    identity = identity_of(settings.authority, settings.grant().settled())
    if isinstance(store, FileStore):
        token = store.entry(_entry_name(settings, identity))
    else:
        token = store.load(identity)
    return Kept(identity, None if token is None else token.anchored(now()))


def in_file_store(settings: Settings) -> Token | None:
    """Loads the token of these settings if the file store keeps it."""
    url = settings.token_store or DEFAULT_STORE
    if url.partition(":")[0].lower() != "file":
        return None
    try:
        store = FileStore.at(url)
    except ValueError:  # a ConfigurationError: its module needs the HTTP library
        if settings.token_store is not None:
            raise
        return None  # the default store may be missing
    return kept(settings, store).token


def _entry_name(settings: Settings, identity: Identity) -> str:
    """Names an entry of the file store, and remembers the name for the next command."""
    if "--prompt" in settings.sources.values():
        return identity.shared.name  # a secret that was typed leaves no trace
    names = EntryNames()
    name = names.name_of(identity)
    names.remember(identity)
    return name


class EntryNames:
    """The names of entries, kept in a folder in memory if there is one."""

    def __init__(self, place: Path | None = None) -> None:
        place = memory_folder(os.environ) if place is None else place
        self._folder = None if place is None else PrivateFolder(place)
        self._known = self._read()

    def name_of(self, identity: Identity) -> str:
        """Returns `identity.shared.name`, quickly if it is known."""
        name = self._known["names"].get(identity.fingerprint(self._key))
        return str(name) if name else identity.shared.name

    def remember(self, identity: Identity) -> None:
        """Keeps the name of an identity's entry for the next command."""
        names = self._known["names"]
        fingerprint = identity.fingerprint(self._key)
        if self._folder is None or fingerprint in names:
            return
        names[fingerprint] = identity.shared.name
        newest = list(names.items())[-_MOST:]
        content = json.dumps({"key": self._known["key"], "names": dict(newest)})
        try:
            self._folder.write(_FILE, content.encode())
        except OSError:  # it only saves time; a StoreError is an OSError too
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
            if len(bytes.fromhex(known["key"])) == _KEY_BYTES and isinstance(known["names"], dict):
                return dict(known)
        except OSError:  # others can reach it, so it is not used
            self._folder = None
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return {"key": os.urandom(_KEY_BYTES).hex(), "names": {}}
