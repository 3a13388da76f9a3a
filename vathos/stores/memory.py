"""Tokens in this process's memory."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from vathos.oauth.identity import Identity
from vathos.system.bounded import Bounded
from vathos.system.forks import renew_after_fork
from vathos.system.locks import KeyedLock
from vathos.tokens import Token

__all__ = ["MemoryStore", "process_store"]


class MemoryStore:
    """Keeps tokens as long as the process lives; safe for threads.

    Args:
        capacity: How many identities it holds; beyond that the one saved longest ago is forgotten,
            so that a service that checks many people's passwords does not grow for ever.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._tokens: Bounded[str, Token] = Bounded(capacity)
        self._locks = KeyedLock()
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.Lock()  # guards the order of _tokens; a single read needs no lock
        # The parent has the same refresh tokens; presented by both, they would look stolen.
        for key, token in list(self._tokens.items()):
            self._tokens[key] = token.without_refresh_token()

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token last saved, or `None`.
        """
        return self._tokens.get(identity.key)

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before.

        Args:
            identity: Whose token.
            token: The token.
        """
        with self._guard:
            self._tokens[identity.key] = token

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Puts a token in place of another one, if that is still there.

        Args:
            identity: Whose token.
            old: What must be there.
            new: The token.

        Returns:
            Whether it was there.
        """
        with self._guard:
            is_there = old.is_same(self._tokens.get(identity.key))
            if is_there:
                self._tokens[identity.key] = new
            return is_there

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if there is one.

        Args:
            identity: Whose token.
        """
        with self._guard:
            self._tokens.pop(identity.key, None)

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Serialises renewals among the threads of this process.

        Args:
            identity: Whose renewal.
            timeout: Seconds to wait for the lock.

        Returns:
            A context manager that holds the lock; entering it raises `TimeoutError` when late.
        """
        return self._locks.hold(identity.key, timeout)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._tokens)} of {self._tokens.capacity})"

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Memory does not travel between processes: the default store becomes the default store
        # there, any other one an empty one.
        if self is _PROCESS_STORE:
            return (process_store, ())
        return (type(self), (self._tokens.capacity,))


def process_store() -> MemoryStore:
    """Returns the store that all sessions of this process share unless told otherwise.

    Returns:
        Always the same store.
    """
    return _PROCESS_STORE


_PROCESS_STORE = MemoryStore()
