"""Once for all: one renewal serves all threads, processes and machines that share a token."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.events import Event, Events, RenewalFailed, Renewed
from vathos.grants import Grant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Credentials, Identity
from vathos.renewal.cache import TokenCache, is_same_access_token
from vathos.renewal.obtain import Attempt, Obtained
from vathos.renewal.process import process
from vathos.renewal.retry import retry_after
from vathos.system.locks import SingleFlight
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["Renewer"]

log = logger("renewal")

# One for the process: all sessions of one identity share one renewal, and its failure.
_renewals: SingleFlight[Obtained] = SingleFlight()


class Renewer:
    """Renews the token of one identity in one place for all who wait.

    Args:
        credentials: Who asks.
        endpoint: The token endpoint.
        cache: Where the token is.
        sharing: What tells apart who may share a renewal: the store.
        events: Told of renewals and failures.
        on_renewed: Called with each token obtained here, without any lock held; what it raises is
            logged.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: TokenEndpoint,
        cache: TokenCache,
        *,
        sharing: object,
        events: Events,
        on_renewed: Callable[[Token], object] | None,
    ) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._cache = cache
        self._sharing = sharing
        self._events = events
        self._on_renewed = on_renewed

    def renew(self, rejected: Token | None, timeout: float, *, ahead: bool) -> Token:
        """Leads the one renewal, or waits for it; the new token is then at hand.

        `rejected` is a token that the API refused: the result is another one. `ahead` says that
        the old token still works, so that only a fresh one is a success.
        """
        while True:
            happened: list[Event] = []
            try:
                obtained, led = self._lead_or_wait(rejected, timeout, happened, ahead=ahead)
            finally:
                # Only now: no hook is called while a lock is held or others wait.
                for event in happened:
                    self._events.tell(event)
            if led and obtained.grant_type:
                self._announce(obtained)
            if led or not is_same_access_token(obtained.token, rejected):
                return obtained.token
            # That renewal had begun before the API refused what it was to bring: once more.

    def backoff_left(self) -> float:
        """Seconds for which no renewal is to be tried, as the last one failed; zero if one may."""
        at, credentials = self._endpoint.clock(), self._credentials
        left = process.failures.left(credentials.name, at)
        if credentials.is_read:
            left = max(left, process.failures.left(credentials.identity.key, at))
        return left

    def back_off(self) -> None:
        """Starts a backoff for secrets that cannot be read, whatever they would be."""
        process.failures.start(self._credentials.name, self._endpoint.clock())

    def _lead_or_wait(
        self, rejected: Token | None, timeout: float, happened: list[Event], *, ahead: bool
    ) -> tuple[Obtained, bool]:
        grant, identity = self._credentials.grant, self._credentials.identity
        deadline = time.monotonic() + timeout
        try:
            obtained, led = _renewals.run(
                (id(self._sharing), identity.key),
                lambda: self._renew(
                    grant, identity, rejected, deadline, happened=happened, ahead=ahead
                ),
                timeout=timeout,
            )
        except RenewalTimeout:
            raise
        except TimeoutError:
            raise RenewalTimeout(
                f"another caller's token renewal took longer than {timeout:.1f} s",
                endpoint=self._endpoint.url,
                sent=True,
            ) from None
        # Before the events are told: who hears of the renewal may ask for the token.
        self._cache.at_hand = obtained.token
        return obtained, led

    def _renew(
        self,
        grant: Grant,
        identity: Identity,
        rejected: Token | None,
        deadline: float,
        *,
        happened: list[Event],
        ahead: bool,
    ) -> Obtained:
        cache, started = self._cache, time.monotonic()
        if ahead and (found := cache.look(identity, fresh=True)):
            return Obtained(found, "")
        timeout = deadline - started
        # Whoever holds the lock may be stopped or hung: half of the time is left to do without it.
        with cache.locked(identity, timeout if ahead else timeout / 2):
            # Look again: another thread, process or machine may have been first.
            older = cache.stored(identity)
            if older is not None and cache.serves(older, rejected, fresh=ahead):
                return Obtained(older, "")
            attempt = Attempt(
                grant,
                identity,
                self._endpoint,
                cache,
                deadline=deadline,
                events=self._events,
                happened=happened,
            )
            try:
                # Not the token at hand: its refresh token may be in other hands as well.
                obtained = attempt.obtain(older, rejected, ahead=ahead)
            except (TokenRequestError, TokenResponseError) as error:
                pause = self._note_failure(identity, error)
                happened.append(RenewalFailed(identity.name, copy.copy(error), ahead, pause))
                raise
            process.failures.reset(identity.key)
            process.failures.reset(identity.name)
            if obtained.grant_type:
                cache.replace(identity, obtained.replaces, obtained.token, rejected)
        if obtained.grant_type:
            seconds, expires_at = time.monotonic() - started, obtained.token.expires_at
            grant_type = obtained.grant_type
            happened.append(Renewed(identity.name, grant_type, seconds, expires_at, ahead))
        return obtained

    def _note_failure(
        self, identity: Identity, error: TokenRequestError | TokenResponseError
    ) -> float:
        """Starts the next backoff, at least what the server asked for; returns its seconds."""
        at = self._endpoint.clock()
        asked = None
        if isinstance(error, TokenResponseError):
            asked = retry_after(error.retry_after, at.wall)
        process.failures.start(identity.key, at, at_least=asked or 0.0)
        return process.failures.left(identity.key, at)

    def _announce(self, obtained: Obtained) -> None:
        fields = {"vathos.identity": self._credentials.name}
        log.debug("token renewed by %s", obtained.grant_type, extra=fields)
        asked = self._credentials.original.scope
        if set(asked.split()) - set((obtained.token.scope or asked).split()):
            log.warning("the server granted less scope than asked for", extra=fields)
        if self._on_renewed is not None:
            try:
                self._on_renewed(obtained.token)
            except Exception:
                log.exception("a renewal callback failed", extra=fields)
