"""Tokens in the desktop's keyring: Secret Service, KWallet, macOS Keychain, Windows Credentials."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from vathos.errors import ConfigurationError, StoreError
from vathos.oauth.identity import Identity
from vathos.stores.codec import decode, encode
from vathos.stores.file import KEYRING_LOCKS
from vathos.stores.folder import PrivateFolder
from vathos.stores.resilient import CircuitBreaker
from vathos.system.extras import required
from vathos.system.files import state_folder
from vathos.tokens import Token

__all__ = ["KeyringStore", "flaw_of"]

_USELESS = ("keyring.backends.fail", "keyring.backends.null")
"""Backends that the `keyring` package chooses on a host without a keyring."""

_PLAIN = "keyrings.alt"
"""Backends that write secrets into files, most of them in clear text."""

_SERVICE = "vathos"
_LONGEST_SWAP = 5.0


class KeyringStore:
    """Keeps tokens in the keyring of the desktop, for all processes of this user.

    A method raises `StoreError` if the keyring fails, or does not answer within `patience` seconds;
    during the next `rest` seconds it is not tried again. The lock files are in the folder
    `keyring-locks` of the user's state folder. It needs the packages of the extra `keyring`.

    Args:
        backend: A backend of the `keyring` package; by default the one it chooses.
        patience: Seconds the keyring may take, also while a person is asked to unlock it.
        rest: Seconds for which a keyring that failed is not tried again.

    Raises:
        ConfigurationError: If there is no keyring on this host but files in clear text that nobody
            has chosen, or a package is missing.
    """

    def __init__(self, backend: Any = None, *, patience: float = 10.0, rest: float = 60.0) -> None:
        keyring = required("keyring", "keyring")
        self._backend = backend
        self._breaker = CircuitBreaker(patience, rest)
        try:
            self._keyring = backend or self._breaker.run(keyring.get_keyring)
        except StoreError as error:
            raise ConfigurationError(f"{_NO_KEYRING}: {_INSTEAD} ({error})") from error
        if flaw := flaw_of(self._keyring, is_chosen=backend is not None):
            raise ConfigurationError(f"{flaw}: {_INSTEAD}")
        self._folder = PrivateFolder(state_folder("keyring") / KEYRING_LOCKS)

    def load(self, identity: Identity) -> Token | None:
        """Returns the token last saved, or `None`; an entry that is no token is `None` too."""
        with self._alone():
            return self._get(identity)

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before."""
        with self._alone():
            self._put(identity, token)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces `old` with `new` if `old` is still there, and returns whether it was."""
        with self._alone():
            is_there = old.is_same(self._get(identity))
            if is_there:
                self._put(identity, new)
            return is_there

    def delete(self, identity: Identity) -> None:
        """Removes the entry, if there is one."""
        name = identity.shared.name

        def work() -> None:
            if self._keyring.get_password(_SERVICE, name) is not None:
                self._keyring.delete_password(_SERVICE, name)

        with self._alone():
            self._breaker.run(work)

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Lets one process of this user renew at a time, by a lock file.

        Entering it raises `TimeoutError` if another process holds it longer than `timeout` seconds.
        """
        return self._folder.lock(f"{identity.shared.name}.lock", timeout)

    def _alone(self) -> AbstractContextManager[None]:
        # One for all, readers too: some backends keep all entries in one file, and rewrite it.
        return self._folder.lock("write", _LONGEST_SWAP)

    def _get(self, identity: Identity) -> Token | None:
        name = identity.shared.name
        text = self._breaker.run(lambda: self._keyring.get_password(_SERVICE, name))
        return None if text is None else decode(text)

    def _put(self, identity: Identity, token: Token) -> None:
        name, text = identity.shared.name, encode(token)
        self._breaker.run(lambda: self._keyring.set_password(_SERVICE, name, text))

    def __repr__(self) -> str:
        return f"KeyringStore({type(self._keyring).__module__})"

    def __reduce__(self) -> tuple[partial[KeyringStore], tuple[Any]]:
        breaker = self._breaker
        make = partial(KeyringStore, patience=breaker.deadline, rest=breaker.rest)
        return make, (self._backend,)


def flaw_of(keyring: Any, *, is_chosen: bool = False) -> str:
    """Says why a backend is no keyring, or that it writes files nobody asked for; else nothing.

    A person asks for them by name: in `PYTHON_KEYRING_BACKEND` or the file `keyringrc.cfg`.
    """
    # Of several backends the first one keeps what is new.
    first = next(iter(getattr(keyring, "backends", ())), keyring)
    module, name = type(first).__module__, type(first).__name__
    if module.startswith(_USELESS):
        return _NO_KEYRING
    if not module.startswith(_PLAIN) or is_chosen or _is_chosen_by_name():
        return ""
    return (
        f"{_NO_KEYRING}, only {module}.{name}, which writes files, perhaps in clear text "
        f"(PYTHON_KEYRING_BACKEND={module}.{name} allows that)"
    )


def _is_chosen_by_name() -> bool:
    core = required("keyring", "keyring").core
    return (core.load_env() or core.load_config()) is not None


_NO_KEYRING = "this host has no keyring that a program can use without a desktop"
_INSTEAD = (
    "use VATHOS_TOKEN_STORE=file: (files of this user), memory: (this process only) or redis://… "
    "(a fleet)"
)
