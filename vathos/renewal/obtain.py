"""How a token is bought: which grant, how often, and what is never presented twice."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from vathos.errors import (
    InvalidClientError,
    RenewalTimeout,
    TokenRequestError,
    TokenResponseError,
)
from vathos.events import CredentialsRefused, Event
from vathos.grants import Grant, PasswordGrant, RefreshGrant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Identity
from vathos.renewal.lockout import refusals
from vathos.renewal.retry import answer_is_lost, retry_in
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["Bought", "Renewal"]

log = logger("renewal")

_SHORTEST_ATTEMPT = 10.0
"""Seconds that one attempt gets where the deadline leaves them; else half of what is left."""


class Bought(NamedTuple):
    """A new token, and what bought it.

    Attributes:
        token: The token.
        grant_type: The grant type (RFC 6749).
    """

    token: Token
    grant_type: str


class Renewal:
    """Buys one token, by the refresh grant where one may work, else by the original grant.

    Args:
        endpoint: Where.
        grant: The original grant, its secrets read.
        identity: Whose token.
        deadline: When to give up, on the clock of `time.monotonic`.
        tell: Called with the event of a refusal.
        sent: Called for each token request.
        sibling: Returns a token that somebody else bought meanwhile, or `None`.
        claim: Called with the older token before its refresh token is presented; takes that out of
            the store, and returns whether it was there to take: nobody else presents it then.
        unclaim: Called with the older token when its refresh token was certainly not used.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        grant: Grant,
        identity: Identity,
        deadline: float,
        *,
        tell: Callable[[Event], object],
        sent: Callable[[], object],
        sibling: Callable[[], Token | None],
        claim: Callable[[Token], bool],
        unclaim: Callable[[Token], object],
    ) -> None:
        self._endpoint = endpoint
        self._grant = grant
        self._identity = identity
        self._deadline = deadline
        self._tell = tell
        self._sent = sent
        self._sibling = sibling
        self._claim = claim
        self._unclaim = unclaim

    def buy(self, older: Token | None) -> Bought:
        """Buys a token.

        Args:
            older: The token it replaces, whose refresh token is presented first.

        Returns:
            The token.

        Raises:
            TokenRequestError: If the token endpoint gave no answer.
            TokenResponseError: If it gave no token, or refused these credentials a moment ago.
        """
        refusals.check(self._identity, self._endpoint.clock())
        if older is not None and older.refresh_token and older.may_refresh(self._endpoint.clock()):
            bought = self._refreshed(older, older.refresh_token)
            if bought is not None:
                return bought
        try:
            token = self._present(self._grant)
        except TokenResponseError as error:
            if error.refused:
                self._refuse(error)
            raise
        refusals.forget(self._identity)
        return Bought(token, self._grant.grant_type)

    def _refreshed(self, older: Token, refresh_token: str) -> Bought | None:
        """Presents the refresh token; `None` if the original grant must do."""
        # Before it leaves, as this process may die at any moment: presented a second time it would
        # look stolen, and the server would end the whole session (RFC 9700 §4.14).
        if not self._claim(older):
            theirs = self._sibling()
            return Bought(theirs, "") if theirs else None
        grant = RefreshGrant(original=self._grant, refresh_token=refresh_token)
        try:
            token = self._present(grant).keeping_refresh_token_of(older)
            return Bought(token, grant.grant_type)
        except InvalidClientError as error:
            # The original grant authenticates with the same secret: it would be refused as well.
            self._unclaim(older)
            self._refuse(error)
            raise
        except (TokenRequestError, TokenResponseError) as error:
            refused = isinstance(error, TokenResponseError) and error.refused
            if not refused and not answer_is_lost(error):
                self._unclaim(older)
                raise
            # On a refusal somebody else may have rotated it: then theirs is the token to use.
            if refused and (theirs := self._sibling()):
                return Bought(theirs, "")
            # Refused, or perhaps rotated with the answer lost: it stays out of the store.
            log.info("refresh brought no token, using the original grant: %s", error)
            return None

    def _present(self, grant: Grant | RefreshGrant) -> Token:
        """Sends a token request, again where that is safe and the deadline allows it."""
        attempt = 1
        while True:
            try:
                with self._turn(grant):
                    self._sent()
                    return self._endpoint.request(grant, self._attempt_timeout())
            except (TokenRequestError, TokenResponseError) as error:
                pause = retry_in(error, grant.grant_type, attempt, self._endpoint.clock().wall)
                if pause is None or time.monotonic() + pause >= self._deadline:
                    raise
                log.debug("token request failed, again in %.2f s: %s", pause, error)
                time.sleep(pause)
                attempt += 1

    @contextmanager
    def _turn(self, grant: Grant | RefreshGrant) -> Iterator[None]:
        """Waits until a password may be presented; other grants need not wait."""
        with ExitStack() as stack:
            if isinstance(grant, PasswordGrant):
                left = max(self._deadline - time.monotonic(), 0.0)
                try:
                    stack.enter_context(refusals.turn(self._identity, left))
                except TimeoutError:
                    raise RenewalTimeout(
                        "password attempts for one person are made one by one, "
                        f"{refusals.SPACING:g} s apart, and there was no time left for this one",
                        endpoint=self._endpoint.url,
                    ) from None
            yield

    def _attempt_timeout(self) -> float:
        # A deadline that has passed leaves one short attempt, which then says what is wrong.
        left = max(self._deadline - time.monotonic(), 0.01)
        return min(left, max(left / 2, _SHORTEST_ATTEMPT))

    def _refuse(self, error: TokenResponseError) -> None:
        pause = refusals.remember(self._identity, error, self._endpoint.clock())
        log.error("credentials refused, not presented again for %.0f s: %s", pause, error)
        self._tell(CredentialsRefused(self._identity.name, copy.copy(error), pause))
