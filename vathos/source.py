"""Anything that answers `token()`, and the source that renews before anyone has to wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from vathos.errors import (
    ConfigurationError,
    TokenRequestError,
    TokenResponseError,
    VathosError,
)
from vathos.events import Events, ServedStale
from vathos.grants import Grant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Credentials
from vathos.policy import Freshness, RenewalPolicy
from vathos.renewal.lockout import refusals
from vathos.renewal.sharing import SharedToken
from vathos.stores.base import TokenStore
from vathos.stores.resilient import Bypass
from vathos.system.logs import logger
from vathos.system.threads import Background, KeepWarm
from vathos.tokens import Instant, Token

__all__ = ["CachedSource", "TokenSource"]

log = logger("source")

_LONGEST_SLEEP = 60.0
"""Seconds that keeping warm sleeps at most: a clock that was set is noticed within them."""


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
    """Keeps a token at hand, shares it through a store, and renews it before anyone has to wait.

    A fresh token costs no lock and no I/O. A stale one is handed out while one background renewal
    runs. In its last seconds a caller waits for the renewal, for half of what is left at most; once
    it has failed, nobody waits until the end. Without a token that works, one caller renews and the
    others wait for its result, a failure included; where there was a token before, they wait out a
    bad minute of the server as long as their time allows.

    Args:
        grant: What buys the token; its secrets are read anew at each renewal.
        endpoint: Where it is bought.
        store: Where it is kept.
        policy: When it must be renewed.
        timeout: Seconds a caller waits for a token at most.
        events: Who hears of renewals and failures.
        on_renewed: Called with each token this source bought, after it was stored, without any lock
            held; what it raises is logged.
        keep_warm: Whether to renew also when nobody asks, from the first token on.
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
        self.grant = grant
        self.endpoint = endpoint
        self.policy = policy or RenewalPolicy()
        self.timeout = timeout
        self.events = events or Events()
        self.keep_warm = keep_warm
        self._shared = SharedToken(
            Credentials(endpoint.url, grant),
            endpoint,
            Bypass(store),
            self.policy,
            events=self.events,
            on_renewed=on_renewed,
        )
        self._background = Background()
        self._warmth = KeepWarm()
        self._failures = 0  # in a row; for the log only

    @property
    def clock(self) -> Callable[[], Instant]:
        """Reads the present moment: the endpoint's clock."""
        return self.endpoint.clock

    @property
    def name(self) -> str:
        """Short hash of the identity, without its secrets."""
        return self._shared.credentials.name

    @property
    def current(self) -> Token | None:
        """The token at hand or in the store, expired or not, without asking the server."""
        shared = self._shared
        return shared.at_hand or shared.stored()

    def token(self, rejected: Token | None = None) -> Token:
        """Gives a token that works.

        Args:
            rejected: A token that the API refused; the answer is another one.

        Returns:
            The token.

        Raises:
            ConfigurationError: If a secret cannot be read.
            TokenRequestError: If the token endpoint could not be reached.
            TokenResponseError: If the token endpoint gave no token.
            RenewalTimeout: If it took longer than the time allowed.
        """
        token = self._shared.at_hand
        if token is not None and rejected is None:
            state = self.policy.state(token, self.endpoint.clock())
            if state is Freshness.FRESH:
                return token
            if state is Freshness.STALE:
                self._renew_ahead(token)
                return token
        return self._awaited(rejected)

    def warm(self) -> float:
        """Renews the token if that is due; for the thread that keeps it warm.

        Returns:
            Seconds until it is due again, by the present clocks.
        """
        token, at = self._shared.at_hand, self.clock()
        if token is not None and self.policy.state(token, at) is Freshness.FRESH:
            return min(self.policy.seconds_fresh(token, at), _LONGEST_SLEEP)
        self._renew_unasked(self.timeout)
        return max(self._shared.pause_left(), 0.01)

    def adopt(self, token: Token) -> None:
        """Takes over a token that was bought elsewhere, and stores it.

        Args:
            token: The token.
        """
        self._shared.keep(token)

    def forget(self) -> None:
        """Drops the token here and in the store; the next caller gets a new one."""
        self._shared.forget()

    def revoke(self, url: str | None = None) -> None:
        """Revokes the token at the server (RFC 7009), and drops it here and in the store.

        Args:
            url: The revocation endpoint, if it is not the neighbour of the token endpoint.

        Raises:
            ConfigurationError: If that is not known.
            TokenRequestError: If there was no answer; the token is kept.
            TokenResponseError: If the server refused; the token is kept.
        """
        self._shared.revoke(url, self.timeout)

    def close(self) -> None:
        """Ends the thread that keeps the token warm, until the next token is waited for."""
        self._warmth.stop()

    def _renew_ahead(self, token: Token) -> None:
        """Has a token that still works renewed, unless that is under way or has just failed."""
        if self._shared.pause_left() <= 0:
            budget = max(token.seconds_left(self.clock()) / 2, 0.5)
            self._background.start(lambda: self._renew_unasked(min(budget, self.timeout)))

    def _renew_unasked(self, timeout: float) -> None:
        """Renews where nobody waits: a failure is a log line, and another attempt later."""
        try:
            self._shared.credentials.read()
            self._shared.renew(None, timeout, ahead=True)
        except VathosError as error:
            if isinstance(error, ConfigurationError):
                self._shared.pause()
            self._note_failure(error)
        else:
            self._note_success()

    def _awaited(self, rejected: Token | None) -> Token:
        """Gets a token for a caller who waits, and notes for how long."""
        started = time.monotonic()
        try:
            token = self._found_or_bought(rejected, started + self.timeout)
        finally:
            self.events.waited(time.monotonic() - started)
        if self.keep_warm:
            self._warmth.start(self)
        return token

    def _found_or_bought(self, rejected: Token | None, deadline: float) -> Token:
        """Looks in the store, else renews; waits out failures that may pass, if time allows."""
        shared, had_one = self._shared, self._shared.at_hand is not None
        while True:
            try:
                _, identity = shared.credentials.read()
                if found := shared.look(rejected):
                    shared.at_hand = found
                    return found
                refusals.check(identity, self.clock())
                last = self._last_seconds(rejected)
                if last is not None and (self._failures or shared.pause_left() > 0):
                    self._renew_ahead(last)
                    return last
                # After a failure nobody asks before the pause is over, so that none stampedes.
                time.sleep(max(min(shared.pause_left(), deadline - time.monotonic()), 0.0))
                budget = deadline - time.monotonic()
                if last is not None:
                    # An outage must not outlast what is left to fall back on.
                    budget = min(budget, max(last.seconds_left(self.clock()) / 2, 1.0))
                token = shared.renew(rejected, budget, ahead=False)
            except VathosError as error:
                if last := self._last_seconds(rejected):
                    self._note_failure(error)
                    return last
                # A tenth of the time is what the last attempt needs to tell more than "too late".
                late = time.monotonic() + shared.pause_left() >= deadline - self.timeout / 10
                if late or not had_one or not _may_pass(error):
                    raise
            else:
                self._note_success()
                return token

    def _last_seconds(self, rejected: Token | None) -> Token | None:
        """Returns the token in its last seconds, for when there is no successor."""
        token = self._shared.at_hand
        works = token is not None and token.seconds_left(self.clock()) > 0
        return token if works and rejected is None else None

    def _note_failure(self, error: VathosError) -> None:
        """Logs a failure that nobody else will hear of; the first of a row the loudest."""
        self._failures += 1
        token = self._shared.at_hand
        left = 0.0 if token is None else token.seconds_left(self.clock())
        log.log(
            logging.WARNING if self._failures == 1 else logging.INFO,
            "renewal failed, the token works for another %.0f s: %s",
            max(left, 0.0),
            error,
            extra={"vathos.oauth.identity": self.name},
        )
        if left > 0:
            self.events.tell(ServedStale(self.name, left))

    def _note_success(self) -> None:
        if self._failures:
            log.info("renewed after %d failures", self._failures)
            self._failures = 0

    def __repr__(self) -> str:
        return f"CachedSource({self.grant.grant_type} at {self.endpoint.url})"


def _may_pass(error: VathosError) -> bool:
    """Tells whether waiting can help, as opposed to somebody mending the credentials."""
    if isinstance(error, TokenResponseError):
        return not error.refused
    return isinstance(error, TokenRequestError)
