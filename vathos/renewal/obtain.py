"""One attempt: which grant, how often, and what is never presented twice."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from vathos.errors import InvalidClientError, RenewalTimeout, TokenRequestError, TokenResponseError
from vathos.events import CredentialsRefused, Event, Events
from vathos.grants import Grant, PasswordGrant, RefreshGrant
from vathos.oauth.client_authentication import client_of
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Identity
from vathos.renewal.cache import TokenCache
from vathos.renewal.lockout import Lockout
from vathos.renewal.process import process
from vathos.renewal.retry import answer_is_lost, retry_in
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["Attempt", "Obtained", "Order"]

log = logger("renewal")

_SHORTEST_ATTEMPT = 10.0
"""Seconds that one token request gets where the deadline leaves them; else half of what is left."""

_LEEWAY = 1.25
"""How many times as long as lately a token request may take before another one is tried."""


class Obtained(NamedTuple):
    """A token, and how it was obtained."""

    token: Token
    grant_type: str  # RFC 6749; empty if somebody else obtained it meanwhile
    replaces: Token | None = None  # the one in the store


@dataclass(frozen=True, slots=True)
class Order:
    """What a renewal is for, and what happened in it."""

    rejected: Token | None  # that the API refused: the result is another one
    ahead: bool  # the old token still works, so that only a fresh one is a success
    deadline: float  # when to give up, on the clock of `time.monotonic`
    happened: list[Event] = field(default_factory=list)  # told when no lock is held any more


@dataclass(slots=True)
class Attempt:
    """Obtains one token: by the refresh grant where one may work, else by the original grant."""

    grant: Grant  # the original one, its secrets read
    identity: Identity  # computed from the same secrets
    endpoint: TokenEndpoint
    cache: TokenCache  # holds the refresh token
    order: Order
    events: Events  # counts the token requests
    usual: float = 0.0  # seconds that a renewal took lately

    def obtain(self, older: Token | None) -> Obtained:
        """Obtains a token in place of `older`, the one in the store."""
        process.lockout.check(self.identity, self.endpoint.clock())
        self.usual = older.renewal_seconds if older is not None else 0.0
        if older is not None and older.refresh_token and older.may_refresh(self.endpoint.clock()):
            obtained = self._refresh(older, older.refresh_token)
            if obtained is not None:
                return obtained
            older = older.without_refresh_token()
        try:
            token = self._request(self.grant)
        except TokenResponseError as error:
            if _is_refusal(error):
                self._lock_out(error)
            raise
        process.lockout.forget(self.identity)
        return Obtained(token, self.grant.grant_type, older)

    def _refresh(self, older: Token, refresh_token: str) -> Obtained | None:
        """Presents the refresh token; `None` if the original grant must do."""
        cache, identity, order = self.cache, self.identity, self.order
        # Taken before it is sent, as this process may die at any moment: presented a second time it
        # would look stolen, and the server would end the whole session (RFC 9700 §4.14).
        if not cache.take_refresh_token(identity, older):
            theirs = cache.look(identity, order.rejected, fresh=order.ahead)
            return Obtained(theirs, "") if theirs else None
        grant = RefreshGrant(original=self.grant, refresh_token=refresh_token)
        try:
            token = self._request(grant).keeping_refresh_token_of(older)
            return Obtained(token, grant.grant_type, older.without_refresh_token())
        except InvalidClientError as error:
            # The original grant authenticates with the same secret: it would be refused as well.
            cache.give_back_refresh_token(identity, older)
            self._lock_out(error)
            raise
        except (TokenRequestError, TokenResponseError) as error:
            refused = isinstance(error, TokenResponseError) and _is_refusal(error)
            if not refused and not answer_is_lost(error):
                cache.give_back_refresh_token(identity, older)
                raise
            # On a refusal somebody else may have rotated it: then theirs is the token to use.
            if refused and (theirs := cache.look(identity, order.rejected, fresh=order.ahead)):
                return Obtained(theirs, "")
            # Refused, or perhaps rotated with the answer lost: it stays out of the store.
            log.info("refresh brought no token, using the original grant: %s", error)
            return None

    def _request(self, grant: Grant | RefreshGrant) -> Token:
        """Sends a token request, and again where that is safe and the deadline allows it."""
        attempt = 1
        while True:
            try:
                with self._turn(grant):
                    self.events.count("token_requests")
                    return self.endpoint.request(grant, self._request_timeout())
            except (TokenRequestError, TokenResponseError) as error:
                if self._tries_again(grant, error):
                    continue
                pause = retry_in(error, grant.grant_type, attempt, self.endpoint.clock().wall)
                if pause is None or time.monotonic() + pause >= self.order.deadline:
                    raise
                log.debug("token request failed, again in %.2f s: %s", pause, error)
                time.sleep(pause)
                attempt += 1

    def _tries_again(self, grant: Grant | RefreshGrant, error: Exception) -> bool:
        """Tells whether the client can prove who it is in another way; the server did nothing."""
        return (
            isinstance(error, InvalidClientError)
            and client_of(grant).tries_again(error, self.endpoint.clock())
            and time.monotonic() < self.order.deadline
        )

    @contextmanager
    def _turn(self, grant: Grant | RefreshGrant) -> Iterator[None]:
        """Waits until a password may be presented; other grants need not wait."""
        with ExitStack() as stack:
            if isinstance(grant, PasswordGrant):
                left = max(self.order.deadline - time.monotonic(), 0.0)
                try:
                    stack.enter_context(process.lockout.turn(self.identity, left))
                except TimeoutError:
                    raise RenewalTimeout(
                        "password attempts for one person are made one by one, "
                        f"{Lockout.SPACING:g} s apart, and there was no time left for this one",
                        endpoint=self.endpoint.url,
                    ) from None
            yield

    def _request_timeout(self) -> float:
        # A deadline that has passed leaves one short attempt, which then says what is wrong.
        left = max(self.order.deadline - time.monotonic(), 0.01)
        # Where it is known how long one takes, the first may hang and a second one still helps.
        is_known = self.order.ahead and self.usual > 0
        least = _LEEWAY * self.usual if is_known else _SHORTEST_ATTEMPT
        return min(left, max(left / 2, least))

    def _lock_out(self, error: TokenResponseError) -> None:
        pause = process.lockout.remember(self.identity, error, self.endpoint.clock())
        log.error("credentials refused, not presented again for %.0f s: %s", pause, error)
        self.order.happened.append(CredentialsRefused(self.identity.name, copy.copy(error), pause))


def _is_refusal(error: TokenResponseError) -> bool:
    """Tells whether credentials were judged; where no endpoint was found, they were not."""
    return error.refused and not error.not_found
