"""A token store that may fail: a failure is one warning and a miss, never a failed request.

`ResilientStore` wraps every store. `CircuitBreaker` is for stores that may also hang (Redis, a
keyring, a store of the user's): it runs their calls under a deadline, and for a while after a
failure none.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from vathos.errors import StoreError
from vathos.oauth.identity import Identity
from vathos.stores.base import ListingStore, SwappingStore, TokenStore
from vathos.stores.memory import MemoryStore
from vathos.system.forks import ForkSafeLock, renew_after_fork
from vathos.system.logs import logger
from vathos.system.text import printable, washed
from vathos.system.threads import settle, started, within
from vathos.tokens import Token

__all__ = ["CircuitBreaker", "CircuitOpenError", "ResilientStore"]

log = logger("stores")

T = TypeVar("T")


class CircuitOpenError(StoreError):
    """The store was not called, because it failed a moment ago; that failure was reported."""


class CircuitBreaker:
    """Runs a store call for at most `deadline` seconds; after a failure, none for `rest` seconds.

    Calls that are too late are left to themselves; while three of them have not ended, there is no
    other one. `clock` reads seconds that never go back; no message shows what is `hidden`.
    """

    MOST_LATE = 3

    def __init__(
        self,
        deadline: float,
        rest: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        hidden: str = "",
    ) -> None:
        self._hidden = hidden
        self.deadline = deadline
        self.rest = rest
        self._clock = clock
        self._open_until: float | None = None  # written under _guard; one read needs no lock
        self._guard = ForkSafeLock()
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._late: list[threading.Event] = []  # replaced as a whole; set when a late call ends

    def run(self, call: Callable[[], T], extra: float = 0.0) -> T:
        """Runs the call on a thread of its own; `extra` seconds are added to the deadline."""
        if not self._may_try():
            raise CircuitOpenError(f"not tried: it failed less than {self.rest:g} s ago")
        ended = threading.Event()

        def work() -> T:
            try:
                return call()
            finally:
                ended.set()

        try:
            outcome = within(self.deadline + extra, work, name="vathos-store")
        except TimeoutError:
            self._late = [*self._hanging(), ended]
            raise self._failed(f"no answer within {self.deadline + extra:g} s") from None
        if (error := outcome.exception()) is not None:
            why = washed(str(error), (self._hidden,))
            cause = error if why == printable(str(error), mark=" ") else None
            raise self._failed(f"{type(error).__name__}: {why}") from cause
        with self._guard.lock:
            self._open_until = None
        return outcome.result()

    def _may_try(self) -> bool:
        if self._open_until is None:
            return True
        with self._guard.lock:
            if self._open_until is not None and self._clock() < self._open_until:
                return False
            if len(self._hanging()) >= self.MOST_LATE:
                return False
            # One caller tries; the others go on without until it has succeeded.
            self._open_until = self._clock() + self.rest
            return True

    def _hanging(self) -> list[threading.Event]:
        return [ended for ended in self._late if not ended.is_set()]

    def _failed(self, why: str) -> StoreError:
        with self._guard.lock:
            self._open_until = self._clock() + self.rest
        return StoreError(f"{why}; not tried again for {self.rest:g} s")


class ResilientStore:
    """Goes on without a store that fails, whatever it raises, and warns at most every 5 minutes.

    While the store fails, the sessions of this process share the access tokens they know. Refresh
    tokens are left out of that: another process may have used them.

    A store of the user's that does not answer in time is left alone for a while, too. The stores
    of this package have deadlines of their own.
    """

    REMINDER = 300.0
    """Seconds after which a failure that lasts is a warning again."""

    DEADLINE = 5.0
    """Seconds that one call of a store of the user's may take; a lock, more than its timeout."""

    REST = 30.0
    """Seconds for which a store of the user's that did not answer is left alone."""

    def __init__(self, store: TokenStore) -> None:
        self.store = store
        self._failing: set[str] = set()  # what cannot be done at present
        self._warned = -math.inf
        self._spare, self._breaker = _shared_by_users_of(store)

    def load(self, identity: Identity) -> Token | None:
        """Returns the token; if the store fails, the access token this process last knew."""
        spare = self._spare.load(identity)
        token = self._tried("read", lambda: self.store.load(identity), otherwise=spare)
        if token is not None:
            self._remember(identity, token)
        return token

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps a token, if the store works."""
        self._remember(identity, token)
        self._tried("written", lambda: self.store.save(identity, token), otherwise=None)

    def swap(self, identity: Identity, old: Token, new: Token) -> bool:
        """Replaces `old` if it is still there; `False` also if the store failed."""
        self._remember(identity, new)
        return self._tried(
            "written", lambda: _swapped(self.store, identity, old, new), otherwise=False
        )

    def delete(self, identity: Identity) -> None:
        """Forgets a token, if the store works."""
        self._spare.delete(identity)
        self._tried("emptied", lambda: self.store.delete(identity), otherwise=None)

    def former(self, identity: Identity) -> Mapping[str, Token]:
        """Returns what other secrets of the account obtained, as far as the store can tell."""
        store = self.store
        if not isinstance(store, ListingStore):
            return {}
        return self._tried("read", lambda: store.former(identity), otherwise={})

    def drop(self, name: str) -> None:
        """Deletes an entry that `former` has found, if the store works."""
        store = self.store
        if isinstance(store, ListingStore):
            self._tried("emptied", lambda: store.drop(name), otherwise=None)

    @contextmanager
    def locked(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Holds the store's lock, or goes on without: it only saves token requests."""
        leave = threading.Event()

        def lock() -> AbstractContextManager[object]:
            lock = self.store.lock(identity, timeout)
            return lock if self._breaker is None else _held_elsewhere(lock, leave)

        with ExitStack() as stack:
            stack.callback(leave.set)
            self._tried(
                "locked", lambda: stack.enter_context(lock()), otherwise=None, extra=timeout
            )
            # A lock that cannot be given back is no reason to lose what was done under it.
            release = stack.pop_all()
            try:
                yield
            finally:
                leave.set()
                self._tried("unlocked", release.close, otherwise=None)

    def _remember(self, identity: Identity, token: Token) -> None:
        if self._spare is not self.store:
            self._spare.save(identity, token.without_refresh_token())

    def _tried(self, what: str, work: Callable[[], T], *, otherwise: T, extra: float = 0.0) -> T:
        try:
            if self._breaker is None:
                result = work()
            else:
                # Only silence opens the circuit: what a store of the user's raises is tried again.
                result = self._breaker.run(lambda: _outcome(work), extra).result()
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
        is_news = not isinstance(error, CircuitOpenError) and at - self._warned >= self.REMINDER
        if is_news:
            self._warned = at
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "the token store %s could not be %s, going on without it: %s",
            type(self.store).__name__,
            what,
            washed(str(error)),
        )


def _outcome(work: Callable[[], T]) -> Future[T]:
    finished: Future[T] = Future()
    try:
        finished.set_result(work())
    except Exception as error:  # noqa: BLE001 - as above
        finished.set_exception(error)
    return finished


@contextmanager
def _held_elsewhere(lock: AbstractContextManager[object], leave: threading.Event) -> Iterator[None]:
    """Holds a lock until `leave` on a thread of its own, which also gives it back if it came late.

    Some locks must be given back by the thread that took them.
    """
    held: Future[None] = Future()
    left = threading.Event()

    def hold() -> None:
        try:
            with lock:
                settle(held)
                leave.wait()
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            settle(held, error=error)
        finally:
            left.set()

    if not started(partial(contextvars.copy_context().run, hold), "vathos-store-lock"):
        raise StoreError("there is no thread to hold the lock")
    try:
        held.result()
        yield
    finally:
        leave.set()
        left.wait()


_Shared: TypeAlias = tuple[MemoryStore, CircuitBreaker | None]

_shared: WeakKeyDictionary[TokenStore, _Shared] = WeakKeyDictionary()


def _shared_by_users_of(store: TokenStore) -> _Shared:
    """Returns what this process uses while the store fails, and what tells whether it hangs."""
    if type(store) is MemoryStore:
        return store, None
    has_own = type(store).__module__.startswith("vathos.stores.")
    breaker = None if has_own else CircuitBreaker(ResilientStore.DEADLINE, ResilientStore.REST)
    try:
        return _shared.setdefault(store, (MemoryStore(), breaker))
    except TypeError:  # a store of the user's that cannot be a key
        return MemoryStore(), breaker


def _swapped(store: TokenStore, identity: Identity, old: Token, new: Token) -> bool:
    if isinstance(store, SwappingStore):
        return store.swap(identity, old, new)
    # In two steps: without the lock another process may write in between.
    is_there = old.is_same(store.load(identity))
    if is_there:
        store.save(identity, new)
    return is_there
