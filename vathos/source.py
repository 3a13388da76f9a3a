"""Anything that answers `token()`, and the source that looks in a store before it renews."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol

from vathos.endpoint import TokenEndpoint
from vathos.errors import (
    InvalidClientError,
    RenewalTimeout,
    StoreError,
    TokenResponseError,
    VathosError,
)
from vathos.grants import Grant, RefreshGrant
from vathos.identity import identity_of
from vathos.locks import SingleFlight
from vathos.policy import Freshness, RenewalPolicy
from vathos.stores.base import TokenStore
from vathos.tokens import Instant, Token, now

__all__ = ["CachedSource", "TokenSource"]

log = logging.getLogger("vathos.source")

# One for the process, so that all sessions of one identity share one renewal.
_flights: SingleFlight[_Outcome] = SingleFlight()


class TokenSource(Protocol):
    """Answers with a token; safe to ask from any thread."""

    @property
    def name(self) -> str:
        """Names the identity in logs, and shows nothing of it."""
        ...

    def token(self, rejected: Token | None = None) -> Token:
        """Gives a token that works.

        Args:
            rejected: A token that the API refused; the answer is another one if there is any.

        Returns:
            The token.

        Raises:
            VathosError: If none can be had.
        """
        ...


class CachedSource:
    """Keeps a token at hand, shares it through a store, and renews it when it has expired.

    A usable token costs no lock and no I/O. Otherwise one caller renews and the others wait for its
    result, a failure included.

    Args:
        grant: What buys the token.
        endpoint: Where it is bought.
        store: Where it is kept.
        policy: When it must be renewed.
        timeout: Seconds a caller waits for a token at most.
        clock: Reads the present moment.
        on_renewed: Called with each token this source bought, after it was stored, without any lock
            held; what it raises is logged.
    """

    def __init__(
        self,
        grant: Grant,
        endpoint: TokenEndpoint,
        store: TokenStore,
        *,
        policy: RenewalPolicy | None = None,
        timeout: float = 30.0,
        clock: Callable[[], Instant] = now,
        on_renewed: Callable[[Token], object] | None = None,
    ) -> None:
        self.grant = grant
        self.endpoint = endpoint
        self.store = store
        self.policy = policy or RenewalPolicy()
        self.timeout = timeout
        self.clock = clock
        self.on_renewed = on_renewed
        self._identity = identity_of(endpoint.url, grant)
        self._current: Token | None = None  # replaced as a whole; reading it needs no lock

    @property
    def name(self) -> str:
        """Short hash of the identity, without its secrets."""
        return self._identity.name

    @property
    def current(self) -> Token | None:
        """The token at hand, expired or not, without asking anybody."""
        return self._current or self._load()

    def token(self, rejected: Token | None = None) -> Token:
        """Gives a token that works.

        Args:
            rejected: A token that the API refused; the answer is another one.

        Returns:
            The token.

        Raises:
            TokenRequestError: If the token endpoint could not be reached.
            TokenResponseError: If the token endpoint gave no token.
            RenewalTimeout: If it took longer than the time allowed.
        """
        token = self._current
        if token is not None and rejected is None and self._usable(token):
            return token
        return self._shared(rejected)

    def adopt(self, token: Token) -> None:
        """Takes over a token that was bought elsewhere, and stores it.

        Args:
            token: The token.
        """
        self._current = token
        self._save(token)

    def forget(self) -> None:
        """Drops the token here and in the store; the next caller gets a new one."""
        self._current = None
        try:
            self.store.delete(self._identity)
        except StoreError as error:
            _report(error)

    def _usable(self, token: Token) -> bool:
        return self.policy.state(token, self.clock()) is not Freshness.EXPIRED

    def _shared(self, rejected: Token | None) -> Token:
        """Looks in the store, then joins or starts the one renewal of this identity."""
        found = self._look(rejected)
        if found is None:
            try:
                found = self._renewed(rejected)
            except VathosError as error:
                found = self._last_resort(rejected, error)
        self._current = found
        return found

    def _renewed(self, rejected: Token | None) -> Token:
        """Takes part in the renewal of this identity, as the one who works or one who waits."""
        while True:
            try:
                outcome, led = _flights.run(
                    (id(self.store), self._identity.key),
                    lambda: self._look_again_and_renew(rejected),
                    timeout=self.timeout,
                )
            except RenewalTimeout:
                raise
            except TimeoutError:
                raise RenewalTimeout(
                    f"another caller's token renewal took longer than {self.timeout:g} s",
                    endpoint=self.endpoint.url,
                    sent=True,
                ) from None
            if led:
                if outcome.bought:
                    self._announce(outcome.token)
                return outcome.token
            if not _same(outcome.token, rejected):
                return outcome.token
            # That renewal had begun before the API refused what it was to bring: once more.

    def _last_resort(self, rejected: Token | None, error: VathosError) -> Token:
        """Returns the token in its last seconds when there is no successor, else raises."""
        token = self._current
        if rejected is None and token is not None and token.seconds_left(self.clock()) > 0:
            log.warning("renewal failed, the token still works: %s", error, extra=self._fields())
            return token
        raise error

    def _look(self, rejected: Token | None) -> Token | None:
        """Returns a usable token other than the rejected one from the store, if there is one."""
        token = self._load()
        if token is None or not self._usable(token) or _same(token, rejected):
            return None
        return token

    def _look_again_and_renew(self, rejected: Token | None) -> _Outcome:
        deadline = self.clock().boot + self.timeout
        with self._locked():
            if found := self._look(rejected):
                return _Outcome(found, bought=False)
            token = self._renew(rejected, deadline)
            self._save(token)
            return _Outcome(token, bought=True)

    def _renew(self, rejected: Token | None, deadline: float) -> Token:
        """Buys a token: by the refresh grant where one may work, else by the original grant."""
        older = self._load() or self._current
        if older is not None and older.refresh_token and older.may_refresh(self.clock()):
            grant = RefreshGrant(original=self.grant, refresh_token=older.refresh_token)
            try:
                return self._request(grant, deadline).keeping_refresh_token_of(older)
            except InvalidClientError:
                raise  # the original grant authenticates with the same secret
            except TokenResponseError as error:
                if not error.refused:
                    raise
                # Somebody else may have rotated it: then theirs is the token to use.
                if found := self._look(rejected):
                    return found
                log.info("refresh refused, using the original grant", extra=self._fields(error))
        return self._request(self.grant, deadline)

    def _request(self, grant: Grant | RefreshGrant, deadline: float) -> Token:
        # A deadline that has passed still leaves one attempt, which fails by itself.
        token = self.endpoint.request(grant, max(deadline - self.clock().boot, 0.001))
        log.debug("token renewed", extra={**self._fields(), "vathos.grant": grant.grant_type})
        missing = set(self.grant.scope.split()) - set((token.scope or self.grant.scope).split())
        if missing:
            log.warning("the server granted less scope than asked for", extra=self._fields())
        return token

    def _announce(self, token: Token) -> None:
        if self.on_renewed is not None:
            try:
                self.on_renewed(token)
            except Exception:
                log.exception("a renewal callback failed", extra=self._fields())

    def _load(self) -> Token | None:
        try:
            return self.store.load(self._identity)
        except StoreError as error:
            _report(error)
            return None

    def _save(self, token: Token) -> None:
        try:
            self.store.save(self._identity, token)
        except StoreError as error:
            _report(error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the store's lock, or goes on without it: it saves requests, nothing rests on it."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.store.lock(self._identity, self.timeout))
            except (StoreError, TimeoutError) as error:
                _report(error)
            yield

    def _fields(self, error: TokenResponseError | None = None) -> dict[str, object]:
        fields: dict[str, object] = {"vathos.identity": self.name}
        if error is not None:
            fields |= {"vathos.status": error.status, "vathos.error": error.error}
        return fields

    def __repr__(self) -> str:
        return f"CachedSource({self.name}, {self.grant.grant_type} at {self.endpoint.url})"


class _Outcome(NamedTuple):
    """What a renewal came to."""

    token: Token
    bought: bool


def _same(token: Token, other: Token | None) -> bool:
    return other is not None and token.access_token == other.access_token


def _report(error: Exception) -> None:
    log.warning("the token store failed, going on without it: %s", error)
