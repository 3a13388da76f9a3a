"""What every store promises."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from vathos.oauth.identity import Identity
from vathos.tokens import Token

__all__ = ["ListingStore", "SwappingStore", "TokenStore", "no_store_key"]


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens between uses, and provides a lock for all who share it.

    All methods may be called from any thread. A store that fails raises `vathos.errors.StoreError`;
    the caller logs it and goes on without the store.

    A store that several processes share names its entries by `identity.shared.name` and leaves out
    a token's `issued_boot`. `vathos.testing.StoreContract` tests a store for all this.
    """

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`. It may have expired: its refresh token may still work.
            An entry that is no token is `None` too, and replaced by the next save.

        Raises:
            StoreError: If the store cannot be read.
        """
        ...

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before.

        Args:
            identity: Whose token.
            token: The token.

        Raises:
            StoreError: If the store cannot be written.
        """
        ...

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if there is one.

        Args:
            identity: Whose token.

        Raises:
            StoreError: If the store cannot be written.
        """
        ...

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[object]:
        """Lets one of all who share this store renew at a time.

        The lock only saves token requests; correctness does not depend on it. Others may still read
        and write the store. A lock must become free soon after its holder died.

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Returns:
            A context manager that holds the lock. Entering it raises `TimeoutError` or `StoreError`
            if the lock cannot be had.
        """
        ...


@runtime_checkable
class SwappingStore(TokenStore, Protocol):
    """A store that compares and replaces in one step, also where a lock was lost.

    So a late save never overwrites a newer token, and only one caller gets a refresh token. Without
    it, both depend on the lock.
    """

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Puts a token in place of another one, if that is still there.

        Args:
            identity: Whose token.
            old: What must be there (`vathos.tokens.Token.is_same`).
            new: The token.

        Returns:
            Whether it was there. Of all who saw one token only one gets `True`.

        Raises:
            StoreError: If the store cannot be written; the token may have been replaced or not.
        """
        ...


@runtime_checkable
class ListingStore(TokenStore, Protocol):
    """A store that finds what other secrets of an account obtained, so that it can be revoked.

    Without it, a token of a secret that was rotated stays until it expires, unless the process that
    had the secret still runs.
    """

    def former(self, identity: Identity) -> Mapping[str, Token]:
        """Finds the entries whose identities differ in the secrets only.

        Args:
            identity: Whose other tokens.

        Returns:
            The tokens, expired or not, by the names of their entries.

        Raises:
            StoreError: If the store cannot be read.
        """
        ...

    def drop(self, name: str) -> None:
        """Deletes an entry by the name that `former` gave it, if there is one.

        Args:
            name: The name of the entry.

        Raises:
            StoreError: If the store cannot be written.
        """
        ...


def no_store_key(store: str) -> str:
    """Says what a store that encrypts lacks where the client has no secret.

    Args:
        store: What the store is called.

    Returns:
        A sentence without a full stop.
    """
    return (
        f"{store} encrypts tokens with a key that comes from the client's secret, and this client "
        "has none: write 32 random bytes into a file of mode 0600, the same on each machine "
        "(head -c 32 /dev/urandom), and name it with store_key_file= or VATHOS_STORE_KEY_FILE; or "
        "keep tokens elsewhere (VATHOS_TOKEN_STORE=file:)"
    )
