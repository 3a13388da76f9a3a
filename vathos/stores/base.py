"""What every store promises."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from vathos.identity import Identity
from vathos.tokens import Token

__all__ = ["TokenStore"]


@runtime_checkable
class TokenStore(Protocol):
    """Keeps tokens between uses, and hands out the lock of its own reach.

    All methods may be called from any thread. A store that cannot do its work raises
    `vathos.errors.StoreError`; the caller logs it and goes on without the store.
    """

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`. It may have expired: its refresh token may still work.

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

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Returns:
            A context manager that holds the lock. Entering it raises `TimeoutError` or `StoreError`
            if the lock cannot be had.
        """
        ...
