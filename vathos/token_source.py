"""Anything that answers `token()`, and the sources that keep their token valid."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from vathos.config.settings import Settings
from vathos.errors import (
    ConfigurationError,
    RenewalTimeout,
    TokenRequestError,
    TokenResponseError,
    VathosError,
)
from vathos.events import Events, ServedStale, Stats
from vathos.grants import Grant, Secret
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Credentials, Identity
from vathos.oauth.revocation import revoke
from vathos.policy import Freshness, RenewalPolicy
from vathos.renewal.cache import TokenCache
from vathos.renewal.former import end_former
from vathos.renewal.renewer import Renewer
from vathos.stores.base import TokenStore, no_store_key
from vathos.stores.resilient import ResilientStore
from vathos.system.logs import logger
from vathos.system.threads import Background, KeepWarm
from vathos.tokens import Instant, Token

__all__ = ["CachedSource", "Source", "SourceState", "TokenSource"]

log = logger("source")

_LONGEST_SLEEP = 60.0
"""Upper bound, in seconds, of the sleep of `keep_warm`, so that a changed clock is noticed."""


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


class SourceState(NamedTuple):
    """What a source knows at the moment; for tests and tools, nothing is asked or renewed.

    Attributes:
        token: The token at hand in this process, expired or not, or `None`.
        identity: Whose token it is, by the secrets that were last read.
        backoff: Seconds for which no renewal is tried, as the last one failed.
    """

    token: Token | None
    identity: Identity
    backoff: float


class CachedSource:
    """Keeps a token at hand, shares it through a store, and renews it ahead of its end.

    A fresh token costs no lock and no I/O. A stale one is handed out while one background renewal
    runs. In its last seconds a caller waits for the renewal, for half of what is left at most; once
    a renewal has failed, callers get the token without waiting until it expires. Without a token
    that works, one caller renews and the others wait for its result, a failure included; where
    there was a token before, they wait for the server to recover as long as their time allows.

    Args:
        grant: What a token is obtained with; its secrets are read anew at each renewal.
        endpoint: Where it is obtained.
        store: Where it is kept.
        policy: When it must be renewed.
        timeout: Seconds a caller waits for a token at most.
        events: Counts renewals and failures and passes them to a hook.
        on_renewed: Called with each token this source obtained, after it was stored, without any
            lock held; what it raises is logged.
        keep_warm: Whether to renew also when no request comes, from the first token on.

    Raises:
        ConfigurationError: If the store encrypts, and there is no secret to encrypt with.
    """

    def __init__(
        self,
        grant: Grant,
        endpoint: TokenEndpoint,
        store: TokenStore,
        *,
        policy: RenewalPolicy | None = None,
        timeout: float = 30.0,
        events: Events | None = None,
        on_renewed: Callable[[Token], object] | None = None,
        keep_warm: bool = False,
    ) -> None:
        if getattr(store, "encrypts", False) and not grant.can_seal:
            raise ConfigurationError(no_store_key(repr(store)))
        self.grant = grant
        self.endpoint = endpoint
        self.store = store
        self.policy = policy or RenewalPolicy()
        self.timeout = timeout
        self.events = events or Events()
        self.keep_warm = keep_warm
        self._credentials = Credentials(endpoint.identifier, grant)
        self._cache = TokenCache(ResilientStore(store), self.policy, endpoint.clock)
        self._renewer = Renewer(
            self._credentials, endpoint, self._cache, store, self.events, on_renewed
        )
        self._background = Background()
        self._warmth = KeepWarm()
        self._failures = 0  # in a row
        self._closed = 0  # how often

    @property
    def clock(self) -> Callable[[], Instant]:
        """Reads the present moment: the endpoint's clock."""
        return self.endpoint.clock

    @property
    def name(self) -> str:
        """Short hash of the identity, without its secrets."""
        return self._credentials.name

    @property
    def current(self) -> Token | None:
        """The token at hand or in the store, expired or not, without asking the server."""
        return self._cache.at_hand or self._cache.stored(self._credentials.identity)

    @property
    def expires_at(self) -> float | None:
        """Unix timestamp (seconds, UTC) of the end of the token at hand, or `None` if unknown."""
        token = self._cache.at_hand
        return None if token is None else token.expires_at

    def state(self) -> SourceState:
        """Tells what the source knows, without asking the server or the store.

        Returns:
            Token, identity and backoff.

        Raises:
            ConfigurationError: If a secret has not been read before and cannot be read.
        """
        backoff = self._renewer.backoff_left()
        return SourceState(self._cache.at_hand, self._credentials.identity, backoff)

    def token(self, rejected: Token | None = None, *, timeout: float | None = None) -> Token:
        """Gives a token that works.

        A renewal that takes longer than this caller waits goes on, and serves the next one.

        Args:
            rejected: A token that the API refused; the answer is another one.
            timeout: Keyword only. Seconds this caller waits at most; the source's own at most.

        Returns:
            The token.

        Raises:
            ConfigurationError: If a secret cannot be read.
            TokenRequestError: If the token endpoint could not be reached.
            TokenResponseError: If the token endpoint gave no token.
            RenewalTimeout: If it took longer than the time allowed.
        """
        if rejected is None and (token := self.at_once()):
            return token
        return self._wait_for_token(rejected, timeout)

    async def atoken(self, rejected: Token | None = None, *, timeout: float | None = None) -> Token:
        """Gives a token that works, as `token` does, without blocking the event loop.

        A fresh or stale token comes back at once. Else one thread waits for the renewal on behalf
        of all coroutines, of asyncio and of trio, in any number of loops; the store is used in that
        thread only. A coroutine that is cancelled leaves, and the renewal goes on.

        Args:
            rejected: A token that the API refused; the answer is another one.
            timeout: Keyword only. Seconds this coroutine waits at most; the source's own at most.

        Returns:
            The token.

        Raises:
            ConfigurationError: If a secret cannot be read.
            TokenRequestError: If the token endpoint could not be reached.
            TokenResponseError: If the token endpoint gave no token.
            RenewalTimeout: If it took longer than the time allowed.
        """
        if rejected is None and (token := self.at_once()):
            return token
        if self._renewer.is_at_work():  # of which this call is a part, so it cannot wait for it
            return self.token(rejected)
        from vathos.system.loops import shared_work  # noqa: PLC0415 - loads asyncio

        def work() -> Token:
            return self._wait_for_token(rejected, None, here=True)

        key = (id(self), rejected and Secret(rejected.access_token))
        try:
            result: Token = await shared_work.run(key, work, timeout)
        except RenewalTimeout:
            raise
        except TimeoutError:
            raise self._renewer.takes_longer_than(timeout or 0.0) from None
        return result

    def at_once(self) -> Token | None:
        """Gives the token at hand, if it may be used without waiting for anything.

        A stale one is then renewed in the background.

        Returns:
            The token, or `None` if a caller has to wait for one.
        """
        token = self._cache.at_hand
        if token is None:
            return None
        match self.policy.state(token, self.endpoint.clock(), token.renewal_seconds):
            case Freshness.FRESH:
                return token
            case Freshness.STALE:
                self._renew_in_background(token)
                return token
        return None

    def warm(self) -> float:
        """Renews the token if that is due; for the thread that keeps it warm.

        Returns:
            Seconds until it is due again, by the present clocks.
        """
        token, at = self._cache.at_hand, self.clock()
        if token is not None:
            fresh = self.policy.seconds_fresh(token, at, token.renewal_seconds)
            if fresh > 0:
                return min(fresh, _LONGEST_SLEEP)
        self._renew_ahead(self.timeout)
        return max(self._renewer.backoff_left(), 0.01)

    def adopt(self, token: Token) -> None:
        """Takes over a token that was obtained elsewhere, and stores it.

        Args:
            token: The token.
        """
        self._cache.keep(self._credentials.identity, token)

    def forget(self) -> None:
        """Drops the token here and in the store; the next caller gets a new one."""
        self._cache.forget(self._credentials.identity)

    def revoke(self, url: str | None = None) -> None:
        """Revokes the token at the server (RFC 7009), and drops it here and in the store.

        So it does with what earlier secrets of the account obtained, as far as the store can tell.

        Args:
            url: The revocation endpoint, if it is not the neighbour of the token endpoint.

        Raises:
            ConfigurationError: If that is not known.
            TokenRequestError: If there was no answer; the token is kept.
            TokenResponseError: If the server refused; the token is kept.
        """
        cache = self._cache
        grant, identity = self._credentials.read()
        with cache.locked(identity, self.timeout):  # so that no renewal is under way
            token = cache.stored(identity) or cache.at_hand
            revoke(self.endpoint, grant, token, url, self.timeout)
            cache.forget(identity)
        end_former(self._credentials, self.endpoint, cache, self.timeout, url)

    def former(self) -> list[Token]:
        """Finds the tokens that earlier secrets of the account obtained.

        Returns:
            The tokens, as far as the store can tell.
        """
        credentials = self._credentials
        found = self._cache.former(credentials.identity, credentials.former)
        return [each.token for each in found]

    def forget_former(self) -> None:
        """Drops the tokens that earlier secrets of the account obtained, without the server."""
        credentials = self._credentials
        for former in self._cache.former(credentials.identity, credentials.former):
            former.drop()

    def succeed(self, token: Token) -> None:
        """Takes over a token of a new login, and ends the sessions of earlier ones.

        Args:
            token: The token.

        Raises:
            TokenRequestError: If there was no answer; the new token is kept.
            TokenResponseError: If the server refused; the new token is kept.
        """
        earlier = self._cache.stored(self._credentials.identity)
        self.adopt(token)
        if earlier is not None and earlier.refresh_token:  # without one there is no session
            revoke(self.endpoint, self._credentials.grant, earlier, None, self.timeout)
        end_former(self._credentials, self.endpoint, self._cache, self.timeout)

    def close(self) -> None:
        """Ends the thread that keeps the token warm, until the next token is waited for."""
        self._closed += 1
        self._warmth.stop()

    def _renew_in_background(self, token: Token) -> None:
        """Has a token that still works renewed, unless that is under way or has just failed."""
        if self._renewer.backoff_left() <= 0:
            budget = min(max(token.seconds_left(self.clock()), 0.5), self.timeout)
            self._background.start(lambda: self._renew_ahead(budget))

    def _renew_ahead(self, budget: float) -> None:
        """Renews while no caller waits: a failure is a log line, and another attempt later."""
        try:
            self._renewer.renew(None, budget, ahead=True)
        except VathosError as error:
            self._note_failure(error)
        else:
            self._note_success()

    def _wait_for_token(
        self, rejected: Token | None, timeout: float | None, *, here: bool = False
    ) -> Token:
        """Gets a token for a caller who waits, and notes for how long.

        With `here`, the present thread is one that may itself renew.
        """
        started, closed = time.monotonic(), self._closed
        wait = self.timeout if timeout is None else min(timeout, self.timeout)
        try:
            token = self._find_or_renew(rejected, started, wait, here=here)
        finally:
            self.events.waited(time.monotonic() - started)
        if self.keep_warm and closed == self._closed:
            self._warmth.start(self)
        return token

    def _find_or_renew(
        self, rejected: Token | None, started: float, wait: float, *, here: bool
    ) -> Token:
        """Looks in the store, else renews; repeats after failures that may pass, if time allows."""
        had_one, left = self._cache.at_hand is not None, wait
        while True:
            old = self._old_token(rejected)
            if old is not None and (self._failures or self._renewer.backoff_left() > 0):
                self._renew_in_background(old)
                return old
            try:
                if old is not None:
                    # An outage must not outlast what is left to fall back on.
                    left = min(left, old.seconds_left(self.clock()) / 2)
                # Where there is nothing to fall back on, no call waits for less than the renewal.
                here = here and old is None
                token = self._renewer.renew(
                    rejected, self.timeout, wait=left, ahead=False, here=here
                )
            except VathosError as error:
                here = False
                if old := self._old_token(rejected):
                    self._note_failure(error)
                    return old
                left = started + wait - time.monotonic()
                # A tenth of the time is what the last attempt needs to tell more than "too late".
                late = left - self._renewer.backoff_left() <= wait / 10
                if late or not had_one or not _may_pass(error):
                    raise
            else:
                self._note_success()
                return token

    def _old_token(self, rejected: Token | None) -> Token | None:
        """Returns the token at hand if it still works, for when there is no successor."""
        token = self._cache.at_hand
        works = token is not None and token.seconds_left(self.clock()) > 0
        return token if works and rejected is None else None

    def _note_failure(self, error: VathosError) -> None:
        """Logs a failure that no caller sees; the first of a row at WARNING."""
        self._failures += 1
        token = self._cache.at_hand
        left = 0.0 if token is None else token.seconds_left(self.clock())
        log.log(
            logging.WARNING if self._failures == 1 else logging.INFO,
            "renewal failed, the token works for another %.0f s: %s",
            max(left, 0.0),
            error,
            extra={"vathos.identity": self.name},
        )
        if left > 0:
            self.events.tell(ServedStale(self.name, left))

    def _note_success(self) -> None:
        if self._failures:
            log.info("renewed after %d failures", self._failures)
            self._failures = 0

    def __repr__(self) -> str:
        return f"CachedSource({self.grant.grant_type} at {self.endpoint.url})"


class Source(CachedSource):
    """The token source of an API, as `vathos.source` builds it: it knows its settings.

    Args:
        settings: Where API and token endpoint are.
        grant: As for `CachedSource`.
        endpoint: As for `CachedSource`.
        store: As for `CachedSource`.
        **options: As for `CachedSource`.
    """

    def __init__(
        self,
        settings: Settings,
        grant: Grant,
        endpoint: TokenEndpoint,
        store: TokenStore,
        **options: Any,
    ) -> None:
        super().__init__(grant, endpoint, store, **options)
        self.settings = settings

    @property
    def base_url(self) -> str:
        """Base URL of the API."""
        return self.settings.base_url

    def stats(self) -> Stats:
        """Returns counts of what happened to tokens since the source was built.

        Returns:
            The counters.
        """
        return self.events.stats


def _may_pass(error: VathosError) -> bool:
    """Tells whether waiting can help, as opposed to correcting the credentials."""
    if isinstance(error, TokenResponseError):
        return not error.refused
    return isinstance(error, TokenRequestError) and error.retryable
