"""What every store promises."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from vathos.oauth.identity import Identity
from vathos.tokens import Token

__all__ = ["SwappingStore", "TokenStore"]


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens between uses, and hands out the lock of its own reach.

    All methods may be called from any thread. A store that cannot do its work raises
    `vathos.errors.StoreError`; the caller logs it and goes on without the store.

    A store that more than one process can reach names its entries by `identity.shared.name` and
    leaves a token's `issued_boot` out. `vathos.testing.StoreContract` holds a store to all this.
    """

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`. It may have expired: its refresh token may still work.
            What cannot be understood is `None` too, and replaced by the next save.

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
        """Serialises renewals among all who share this store.

        The lock saves token requests; nothing else rests on it. It does not close the store to
        others, and it must not outlive its holder for long.

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

    That keeps a late save from overwriting a newer token, and gives a refresh token to one caller
    only. On a store without it both rest on the lock.
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
