"""A store that may fail: a failure is a log line and a miss, never a failed request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from vathos.identity import Identity
from vathos.stores.base import TokenStore
from vathos.tokens import Token

__all__ = ["Bypass"]

log = logging.getLogger("vathos.stores")


class Bypass:
    """Goes on without a store that fails, whatever it raises.

    Args:
        store: The store.
    """

    def __init__(self, store: TokenStore) -> None:
        self.store = store

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token, or `None` if there is none or the store failed.
        """
        try:
            return self.store.load(identity)
        except Exception as error:  # noqa: BLE001 - a store of the user's may raise anything
            self._report("read", error)
            return None

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token, if the store works.

        Args:
            identity: Whose token.
            token: The token.
        """
        try:
            self.store.save(identity, token)
        except Exception as error:  # noqa: BLE001
            self._report("written", error)

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if the store works.

        Args:
            identity: Whose token.
        """
        try:
            self.store.delete(identity)
        except Exception as error:  # noqa: BLE001
            self._report("written", error)

    @contextmanager
    def locked(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Holds the store's lock, or goes on without it: it saves requests, nothing rests on it.

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Yields:
            Nothing.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.store.lock(identity, timeout))
            except Exception as error:  # noqa: BLE001
                self._report("locked", error)
            yield

    def _report(self, what: str, error: Exception) -> None:
        log.warning(
            "the token store %s could not be %s, going on without it: %s",
            type(self.store).__name__,
            what,
            error,
        )
