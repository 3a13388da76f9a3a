"""A store that may fail: a failure is a log line and a miss, never a failed request."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

from vathos.oauth.identity import Identity
from vathos.stores.base import SwappingStore, TokenStore
from vathos.stores.memory import MemoryStore
from vathos.stores.patience import Resting
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["ResilientStore"]

log = logger("stores")

T = TypeVar("T")


class ResilientStore:
    """Goes on without a store that fails, whatever it raises.

    A failure is one warning, and another one only if it lasts for five minutes.

    Meanwhile the process shares what it last knew: access tokens only, as a refresh token may have
    been used by somebody else.

    Args:
        store: The store.
    """

    REMINDER = 300.0
    """Seconds after which a failure that lasts is a warning again."""

    def __init__(self, store: TokenStore) -> None:
        self.store = store
        self._failing: set[str] = set()  # what cannot be done at present
        self._warned = -math.inf
        self._spare = _spare_of(store)

    def load(self, identity: Identity) -> Token | None:
        """Looks a token up.

        Args:
            identity: Whose token.

        Returns:
            The token, or `None` if there is none or the store failed.
        """
        spare = self._spare.load(identity)
        token = self._tried("read", lambda: self.store.load(identity), otherwise=spare)
        if token is not None:
            self._remember(identity, token)
        return token

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token, if the store works.

        Args:
            identity: Whose token.
            token: The token.
        """
        self._remember(identity, token)
        self._tried("written", lambda: self.store.save(identity, token), otherwise=None)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Puts a token in place of another one, if that is still there and the store works.

        Args:
            identity: Whose token.
            old: What must be there.
            new: The token.

        Returns:
            Whether it was there; `False` also if the store failed.
        """
        self._remember(identity, new)
        return self._tried(
            "written", lambda: _swapped(self.store, identity, old, new), otherwise=False
        )

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if the store works.

        Args:
            identity: Whose token.
        """
        self._spare.delete(identity)
        self._tried("emptied", lambda: self.store.delete(identity), otherwise=None)

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
            self._tried("locked", lambda: self._enter(stack, identity, timeout), otherwise=None)
            # A lock that cannot be given back is no reason to lose what was done under it.
            release = stack.pop_all()
            try:
                yield
            finally:
                self._tried("unlocked", release.close, otherwise=None)

    def _enter(self, stack: ExitStack, identity: Identity, timeout: float) -> None:
        stack.enter_context(self.store.lock(identity, timeout))

    def _remember(self, identity: Identity, token: Token) -> None:
        if self._spare is not self.store:
            self._spare.save(identity, token.without_refresh_token())

    def _tried(self, what: str, work: Callable[[], T], *, otherwise: T) -> T:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - a store of the user's may raise anything
            self._report(what, error)
            return otherwise
        if what in self._failing:
            self._failing.discard(what)
            if not self._failing:
                self._warned = -math.inf
                log.info("the token store %s works again", type(self.store).__name__)
        return result

    def _report(self, what: str, error: Exception) -> None:
        self._failing.add(what)
        at = time.monotonic()
        is_news = not isinstance(error, Resting) and at - self._warned >= self.REMINDER
        if is_news:
            self._warned = at
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "the token store %s could not be %s, going on without it: %s",
            type(self.store).__name__,
            what,
            error,
        )


_spares: WeakKeyDictionary[TokenStore, MemoryStore] = WeakKeyDictionary()


def _spare_of(store: TokenStore) -> MemoryStore:
    """Returns the memory of this process that stands in for a store while that fails."""
    if type(store) is MemoryStore:
        return store
    try:
        return _spares.setdefault(store, MemoryStore())
    except TypeError:  # a store of the user's that cannot be a key
        return MemoryStore()


def _swapped(store: TokenStore, identity: Identity, old: Token, new: Token) -> bool:
    if isinstance(store, SwappingStore):
        return store.swap(identity, old, new)
    # Not in one step: what there is rests on the lock.
    is_there = old.is_same(store.load(identity))
    if is_there:
        store.save(identity, new)
    return is_there
