"""Tokens in the desktop's keyring: Secret Service, KWallet, macOS Keychain, Windows Credentials."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from vathos.errors import ConfigurationError, StoreError
from vathos.oauth.identity import Identity
from vathos.stores.codec import read_entry, write_entry
from vathos.stores.file import state_folder
from vathos.stores.folder import PrivateFolder
from vathos.stores.patience import Patience
from vathos.system.extras import required
from vathos.tokens import Token

__all__ = ["USELESS", "KeyringStore"]

USELESS = ("keyring.backends.fail", "keyring.backends.null")
"""What the `keyring` package takes where there is no keyring."""

_SERVICE = "vathos"
_LONGEST_SWAP = 5.0


class KeyringStore:
    """Keeps tokens in the keyring of the desktop, for all processes of this user.

    Its lock files are below the user's state folder. It needs the packages of the extra `keyring`.

    Args:
        backend: A backend of the `keyring` package; by default the one it chooses.
        patience: Seconds the keyring may take, also while a person is asked to unlock it.
        rest: Seconds for which a keyring that failed is left alone.

    Raises:
        ConfigurationError: If there is no keyring on this host, or a package is missing.
    """

    def __init__(self, backend: Any = None, *, patience: float = 10.0, rest: float = 60.0) -> None:
        keyring = required("keyring", "keyring")
        self._backend = backend
        self._patience = Patience(patience, rest)
        try:
            self._keyring = backend or self._patience.run(keyring.get_keyring)
        except StoreError as error:
            raise ConfigurationError(f"{_NO_KEYRING} ({error})") from error
        if type(self._keyring).__module__.startswith(USELESS):
            raise ConfigurationError(_NO_KEYRING)
        self._folder = PrivateFolder(state_folder("keyring") / "keyring-locks")

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`.

        Raises:
            StoreError: If the keyring cannot be read.
        """
        with self._alone():
            return self._get(identity)

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before.

        Args:
            identity: Whose token.
            token: The token.

        Raises:
            StoreError: If the keyring cannot be written.
        """
        with self._alone():
            self._put(identity, token)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Puts a token in place of another one, if that is still there.

        Args:
            identity: Whose token.
            old: What must be there.
            new: The token.

        Returns:
            Whether it was there.

        Raises:
            StoreError: If the keyring cannot be read or written.
        """
        with self._alone():
            is_there = old.is_same(self._get(identity))
            if is_there:
                self._put(identity, new)
            return is_there

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if there is one.

        Args:
            identity: Whose token.

        Raises:
            StoreError: If the keyring cannot be written.
        """
        name = identity.shared.name

        def work() -> None:
            if self._keyring.get_password(_SERVICE, name) is not None:
                self._keyring.delete_password(_SERVICE, name)

        with self._alone():
            self._patience.run(work)

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Serialises renewals among the processes of this user.

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Returns:
            A context manager that holds the lock; entering it raises `TimeoutError` when late.
        """
        return self._folder.lock(f"{identity.shared.name}.lock", timeout)

    def _alone(self) -> AbstractContextManager[None]:
        # One for all, readers too: some backends keep all entries in one file, and rewrite it.
        return self._folder.lock("write", _LONGEST_SWAP)

    def _get(self, identity: Identity) -> Token | None:
        name = identity.shared.name
        text = self._patience.run(lambda: self._keyring.get_password(_SERVICE, name))
        return None if text is None else read_entry(text)

    def _put(self, identity: Identity, token: Token) -> None:
        name, text = identity.shared.name, write_entry(token)
        self._patience.run(lambda: self._keyring.set_password(_SERVICE, name, text))

    def __repr__(self) -> str:
        return f"KeyringStore({type(self._keyring).__module__})"

    def __reduce__(self) -> tuple[partial[KeyringStore], tuple[Any]]:
        patience, rest = self._patience.deadline, self._patience.rest
        return partial(KeyringStore, patience=patience, rest=rest), (self._backend,)


_NO_KEYRING = (
    "this host has no keyring that a program can use without a desktop: use "
    "VATHOS_TOKEN_STORE=file: (files of this user), memory: (this process only) or redis://… "
    "(a fleet)"
)
