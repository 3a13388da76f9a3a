"""The token of one identity: at hand in this process, kept in a store, renewed once for all."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.events import Event, Events, RenewalFailed, Renewed
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Credentials, Identity
from vathos.oauth.revocation import revocation_url, revoke
from vathos.policy import Freshness, RenewalPolicy
from vathos.renewal.obtain import Bought, Renewal
from vathos.renewal.retry import retry_after
from vathos.stores.resilient import Bypass
from vathos.system.backoff import Pauses
from vathos.system.locks import SingleFlight
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["SharedToken"]

log = logger("sharing")


@dataclass(frozen=True, slots=True)
class _Work:
    """One renewal to be done, and the events of it that are still to be told."""

    rejected: Token | None
    timeout: float
    ahead: bool
    events: list[Event] = field(default_factory=list)


class _Outcome(NamedTuple):
    """What a renewal came to: a token, and what bought it unless it was found."""

    token: Token
    bought: Bought | None


# One each for the process: all sessions of one identity share one renewal, and its failure.
_flights: SingleFlight[_Outcome] = SingleFlight()
_pauses = Pauses(first=0.5, longest=30.0, jitter=0.5)


class SharedToken:
    """Shares a token with all who have the same identity and store.

    Args:
        credentials: Who asks.
        endpoint: Where tokens are bought.
        store: Where they are kept.
        policy: When they must be renewed.
        events: Who hears of renewals and failures.
        on_renewed: Called with each token bought here, without any lock held.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: TokenEndpoint,
        store: Bypass,
        policy: RenewalPolicy,
        *,
        events: Events,
        on_renewed: Callable[[Token], object] | None,
    ) -> None:
        self.credentials = credentials
        self.endpoint = endpoint
        self.store = store
        self.policy = policy
        self.events = events
        self.on_renewed = on_renewed
        self.at_hand: Token | None = None  # replaced as a whole; reading it needs no lock

    def look(self, rejected: Token | None = None, *, fresh: bool = False) -> Token | None:
        """Looks in the store.

        Args:
            rejected: A token that the API refused.
            fresh: Whether it must be fresh; else a stale one will do.

        Returns:
            A token that works, other than the rejected one, or `None`.
        """
        token = self.stored()
        return token if token is not None and self._serves(token, rejected, fresh=fresh) else None

    def stored(self) -> Token | None:
        """Looks in the store.

        Returns:
            What is kept there, expired or not.
        """
        token = self.store.load(self.credentials.identity)
        if token is None:
            return None
        known = self.at_hand
        if known is not None and known.issued_boot is not None and _same(token, known):
            # It was tied to the boot clock when first seen; anew, it would live anew each time.
            return known if token.is_same(known) else known.with_refresh_token_of(token)
        return token.anchored(self.endpoint.clock())

    def _serves(self, token: Token, rejected: Token | None, *, fresh: bool) -> bool:
        if _same(token, rejected):
            return False
        state = self.policy.state(token, self.endpoint.clock())
        return state is Freshness.FRESH or (state is Freshness.STALE and not fresh)

    def keep(self, token: Token) -> None:
        """Takes a token in hand and stores it.

        Args:
            token: The token.
        """
        self.at_hand = token
        self.store.save(self.credentials.identity, token)

    def forget(self) -> None:
        """Drops the token here and in the store."""
        self.at_hand = None
        self.store.delete(self.credentials.identity)

    def revoke(self, url: str | None, timeout: float) -> None:
        """Revokes the token at the server, then drops it here and in the store.

        Args:
            url: The revocation endpoint, if it is not the neighbour of the token endpoint.
            timeout: Seconds for each exchange.

        Raises:
            ConfigurationError: If that is not known, or a secret cannot be read.
            TokenRequestError: If there was no answer; the token is kept.
            TokenResponseError: If the server refused; the token is kept.
        """
        url = url or self.endpoint.revocation_address(timeout)
        url = revocation_url(self.endpoint.url, url)
        grant, identity = self.credentials.read()
        with self.store.locked(identity, timeout):  # so that no renewal is under way
            token = self.stored() or self.at_hand
            if token is not None:
                revoke(self.endpoint, grant, token, url, timeout)
            self.forget()

    def pause_left(self) -> float:
        """Tells how long no renewal is to be tried, as the last one failed.

        Returns:
            Seconds; zero if one may be tried now.
        """
        at = self.endpoint.clock()
        left = _pauses.left(self.credentials.name, at)
        if self.credentials.is_read:
            left = max(left, _pauses.left(self.credentials.identity.key, at))
        return left

    def pause(self) -> None:
        """Starts a pause for secrets that cannot be read, whatever they would be."""
        _pauses.lengthen(self.credentials.name, self.endpoint.clock())

    def renew(self, rejected: Token | None, timeout: float, *, ahead: bool) -> Token:
        """Takes part in the one renewal, as the one who works or one who waits.

        Args:
            rejected: A token that the API refused; the result is another one.
            timeout: Seconds it may take.
            ahead: Whether the old token still works, so that only a fresh one is a success.

        Returns:
            The new token, now at hand.

        Raises:
            TokenRequestError: If the token endpoint gave no answer.
            TokenResponseError: If it gave no token.
            RenewalTimeout: If it took longer than the time allowed.
        """
        while True:
            work = _Work(rejected, timeout, ahead)
            outcome, led = self._flown(work)
            if led and outcome.bought is not None:
                self._announce(outcome.bought)
            if led or not _same(outcome.token, rejected):
                return outcome.token
            # That renewal had begun before the API refused what it was to bring: once more.

    def _flown(self, work: _Work) -> tuple[_Outcome, bool]:
        key = (id(self.store.store), self.credentials.identity.key)
        try:
            outcome, led = _flights.run(key, lambda: self._renewed(work), timeout=work.timeout)
        except RenewalTimeout:
            raise
        except TimeoutError:
            raise RenewalTimeout(
                f"another caller's token renewal took longer than {work.timeout:.1f} s",
                endpoint=self.endpoint.url,
                sent=True,
            ) from None
        else:
            # Before anybody hears of it: who does may ask for the token.
            self.at_hand = outcome.token
            return outcome, led
        finally:
            # Only now: no hook is called while a lock is held or others wait.
            for event in work.events:
                self.events.tell(event)

    def _renewed(self, work: _Work) -> _Outcome:
        grant, identity = self.credentials.grant, self.credentials.identity
        started = time.monotonic()
        if work.ahead and (found := self.look(fresh=True)):
            return _Outcome(found, None)
        # Whoever holds the lock may be stopped or hung: half of the time is left to do without it.
        with self.store.locked(identity, work.timeout if work.ahead else work.timeout / 2):
            # Look again: another thread, process or machine may have been first.
            older = self.stored()
            if older is not None and self._serves(older, work.rejected, fresh=work.ahead):
                return _Outcome(older, None)
            renewal = Renewal(
                self.endpoint,
                grant,
                identity,
                started + work.timeout,
                tell=work.events.append,
                sent=lambda: self.events.count("token_requests"),
                sibling=lambda: self.look(work.rejected, fresh=work.ahead),
                claim=self._claim,
                unclaim=self._unclaim,
            )
            try:
                # Not the token at hand: its refresh token may be in other hands as well.
                bought = renewal.buy(older)
            except (TokenRequestError, TokenResponseError) as error:
                pause = self._pause(identity, error)
                failed = RenewalFailed(identity.name, copy.copy(error), work.ahead, pause)
                work.events.append(failed)
                raise
            _pauses.end(identity.key)
            _pauses.end(identity.name)
            if bought.grant_type:
                self._save(bought.token, work.rejected)
        if not bought.grant_type:
            return _Outcome(bought.token, None)
        seconds, expires_at = time.monotonic() - started, bought.token.expires_at
        renewed = Renewed(identity.name, bought.grant_type, seconds, expires_at, work.ahead)
        work.events.append(renewed)
        return _Outcome(bought.token, bought)

    def _save(self, token: Token, rejected: Token | None) -> None:
        """Saves a token, unless a newer one is there: the lock may have been lost meanwhile."""
        there = self.stored()
        if there is None:
            self.store.save(self.credentials.identity, token)
        elif not self._serves(there, rejected, fresh=True):
            self.store.swap(self.credentials.identity, there, token)

    def _claim(self, token: Token) -> bool:
        """Takes a refresh token out of the store and out of the hand, for one caller alone."""
        if self.at_hand is not None and _same(token, self.at_hand):
            self.at_hand = self.at_hand.without_refresh_token()
        rest = token.without_refresh_token()
        return self.store.swap(self.credentials.identity, token, rest)

    def _unclaim(self, token: Token) -> None:
        """Puts a refresh token back that was not used."""
        if self.at_hand is not None and _same(token, self.at_hand):
            self.at_hand = token
        rest = token.without_refresh_token()
        self.store.swap(self.credentials.identity, rest, token)

    def _pause(self, identity: Identity, error: TokenRequestError | TokenResponseError) -> float:
        at = self.endpoint.clock()
        asked = None
        if isinstance(error, TokenResponseError):
            asked = retry_after(error.retry_after, at.wall)
        _pauses.lengthen(identity.key, at, at_least=asked or 0.0)
        return _pauses.left(identity.key, at)

    def _announce(self, bought: Bought) -> None:
        fields = {"vathos.oauth.identity": self.credentials.name}
        log.debug("token renewed by %s", bought.grant_type, extra=fields)
        asked = self.credentials.original.scope
        if set(asked.split()) - set((bought.token.scope or asked).split()):
            log.warning("the server granted less scope than asked for", extra=fields)
        if self.on_renewed is not None:
            try:
                self.on_renewed(bought.token)
            except Exception:
                log.exception("a renewal callback failed", extra=fields)


def _same(token: Token, other: Token | None) -> bool:
    return other is not None and token.access_token == other.access_token
