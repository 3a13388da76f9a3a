"""Tokens in the memory of this process: the default store."""

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
    """Keeps tokens as long as the process lives; all threads of the process may use it.

    Args:
        capacity: Number of identities it holds. Beyond that, the one saved longest ago is
            forgotten, so that a service that checks many people's passwords does not grow for ever.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._tokens: Bounded[str, Token] = Bounded(capacity)
        self._locks = KeyedLock()
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.RLock()  # guards the order of _tokens; a single read needs no lock
        # The parent has the same refresh tokens; presented by both, they would look stolen.
        for key, token in list(self._tokens.items()):
            self._tokens[key] = token.without_refresh_token()

    def load(self, identity: Identity) -> Token | None:
        """Returns the token last saved, or `None`; it may have expired."""
        return self._tokens.get(identity.key)

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token in place of the one before."""
        with self._guard:
            self._tokens[identity.key] = token

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces `old` with `new` if `old` is still there, and returns whether it was."""
        with self._guard:
            is_there = old.is_same(self._tokens.get(identity.key))
            if is_there:
                self._tokens[identity.key] = new
            return is_there

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if there is one."""
        with self._guard:
            self._tokens.pop(identity.key, None)

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Lets one thread of this process renew at a time.

        Entering it raises `TimeoutError` if another thread holds it longer than `timeout` seconds.
        """
        return self._locks.hold(identity.key, timeout)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._tokens)} of {self._tokens.capacity})"

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # Memory stays in its process. Unpickled, the default store is the default store of the
        # other process; any other store is an empty one.
        if self is _PROCESS_STORE:
            return (process_store, ())
        return (type(self), (self._tokens.capacity,))


def process_store() -> MemoryStore:
    """Returns the default store, which all sessions of this process share.

    Returns:
        Always the same store.
    """
    return _PROCESS_STORE


_PROCESS_STORE = MemoryStore()
