"""Once for all: one renewal serves all threads, processes and machines that share a token."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

from vathos.errors import RenewalTimeout, TokenRequestError, VathosError
from vathos.events import Events, RenewalFailed, Renewed
from vathos.grants import Grant
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.exchange import is_replaced
from vathos.oauth.identity import Credentials, Identity
from vathos.renewal.cache import TokenCache, is_same_access_token
from vathos.renewal.former import end_former_quietly
from vathos.renewal.obtain import Attempt, Obtained, Order
from vathos.renewal.process import process
from vathos.renewal.retry import retry_after
from vathos.system.locks import ReentryError, SingleFlight
from vathos.system.logs import logger
from vathos.tokens import Token

__all__ = ["Renewer"]

log = logger("renewal")

# One for the process: all sessions of one identity share one renewal, and its failure.
_renewals: SingleFlight[Obtained] = SingleFlight()

_GRACE = 1.0
"""Seconds after its time is up that a renewal gets to say what went wrong."""

_DECAY = 0.75
"""What is left of the memory of a slow renewal after each quicker one."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Renewer:
    """Renews the token of one identity in one place for all who wait.

    Who has the same `sharing`, the store, may share a renewal. `on_renewed` is called with each
    token obtained here, without any lock held; what it raises is logged.
    """

    credentials: Credentials
    endpoint: TokenEndpoint
    cache: TokenCache
    sharing: object
    events: Events
    on_renewed: Callable[[Token], object] | None
    unreadable: object = field(default_factory=object)
    """Names the backoff after secrets that cannot be read."""

    def renew(
        self,
        rejected: Token | None,
        budget: float,
        *,
        wait: float = math.inf,
        ahead: bool,
        here: bool = False,
    ) -> Token:
        """Returns a token from the store, else a new one; it is then at hand.

        The renewal itself may take `budget` seconds and goes on when this caller, after `wait`
        seconds, goes away. A renewal `ahead`, or `here`, is done on the present thread, which waits
        for nothing else.
        """
        started = time.monotonic()
        leave = started + min(wait, budget)
        while True:
            order = Order(rejected, ahead, started + budget)
            obtained, led = self._lead_or_wait(order, leave, here=here or ahead or is_replaced())
            # Also whoever only waited: each source has a cache of its own.
            self.cache.at_hand = obtained.token
            if led or not is_same_access_token(obtained.token, rejected):
                return obtained.token
            # That renewal had begun before the API refused what it was to bring: once more.

    def takes_longer_than(self, seconds: float) -> RenewalTimeout:
        """Returns the error of who has waited so long."""
        return RenewalTimeout(
            f"the token renewal at {self.endpoint.url} took longer than the {seconds:.1f} s that "
            "this call may wait; it goes on",
            endpoint=self.endpoint.url,
            sent=True,
        )

    def is_at_work(self) -> bool:
        """Tells whether this is called from inside a renewal of this token."""
        return _renewals.is_at_work(self._key)

    @property
    def _key(self) -> Hashable:
        return (id(self.sharing), self.credentials.key)

    def backoff_left(self) -> float:
        """Seconds for which no renewal is to be tried, as the last one failed; zero if one may."""
        at, credentials = self.endpoint.clock(), self.credentials
        left = process.failures.left(self.unreadable, at)
        if credentials.is_read:
            left = max(left, process.failures.left(credentials.identity.presented, at))
        return left

    def _lead_or_wait(self, order: Order, leave: float, *, here: bool) -> tuple[Obtained, bool]:
        timeout = max(leave - time.monotonic(), 0.0)
        # Whoever waits to the end of the renewal hears from itself what went wrong.
        grace = _GRACE if leave >= order.deadline else 0.0
        obtained: list[Obtained] = []

        def work() -> Obtained:
            obtained.append(self._renew(order))
            return obtained[0]

        def then() -> None:
            for event in order.happened:
                self.events.tell(event)
            if obtained and obtained[0].grant_type:
                self._announce(obtained[0])

        try:
            return _renewals.run(
                self._key, work, timeout=timeout, grace=grace, then=then, here=here
            )
        except RenewalTimeout:
            raise
        except TimeoutError:
            raise self.takes_longer_than(timeout) from None
        except ReentryError:
            raise TokenRequestError(
                "a token was asked for from inside its own renewal (by a log handler, a store or a "
                "callable that reads a secret), and there is none that still works",
                endpoint=self.endpoint.url,
                retryable=False,
            ) from None

    def _renew(self, order: Order) -> Obtained:
        try:
            grant, identity = self.credentials.read()
        except VathosError:
            # Not by the name of the client: another session of it may have its secret.
            process.failures.start(self.unreadable, self.endpoint.clock())
            raise
        cache, rejected, ahead = self.cache, order.rejected, order.ahead
        if found := cache.look(identity, rejected, fresh=ahead):
            return self._found(found)
        process.lockout.check(identity, self.endpoint.clock())
        # After a failure nobody asks before the backoff is over, so that callers do not stampede.
        time.sleep(max(min(self.backoff_left(), order.deadline - time.monotonic()), 0.0))
        started = time.monotonic()
        left = max(order.deadline - started, 0.0)
        # Whoever holds the lock may be stopped or hung: half of the time is left to do without it.
        # Ahead of time no call waits, and a thousand workers without it would all ask the server.
        with cache.locked(identity, left if ahead else left / 2):
            # Look again: another thread, process or machine may have been first.
            older = cache.stored(identity)
            if older is not None and cache.serves(older, rejected, fresh=ahead):
                return self._found(older)
            obtained = self._obtain(grant, identity, older, order)
            if obtained.grant_type:
                cache.replace(identity, obtained.replaces, obtained.token, rejected)
        cache.at_hand = obtained.token
        if obtained.grant_type:
            seconds, expires_at = time.monotonic() - started, obtained.token.expires_at
            renewed = Renewed(identity.name, obtained.grant_type, seconds, expires_at, ahead)
            order.happened.append(renewed)
        return obtained

    def _found(self, token: Token) -> Obtained:
        self.cache.at_hand = token
        return Obtained(token, "")

    def _obtain(
        self, grant: Grant, identity: Identity, older: Token | None, order: Order
    ) -> Obtained:
        """Makes one attempt, and learns from it: how long it took, or when the next may be."""
        clock = self.endpoint.clock
        started = clock().boot
        attempt = Attempt(grant, identity, self.endpoint, self.cache, order, self.events)
        try:
            # Not the token at hand: its refresh token may be in other hands as well.
            obtained = attempt.obtain(older)
        except VathosError as error:
            at = clock()
            asked = retry_after(getattr(error, "retry_after", None), at.wall)
            process.failures.start(identity.presented, at, at_least=asked or 0.0)
            pause = process.failures.left(identity.presented, at)
            happened = RenewalFailed(identity.name, copy.copy(error), order.ahead, pause)
            order.happened.append(happened)
            raise
        process.failures.reset(identity.presented)
        process.failures.reset(self.unreadable)
        before = older.renewal_seconds * _DECAY if older is not None else 0.0
        seconds = max(clock().boot - started, before)
        return obtained._replace(token=replace(obtained.token, renewal_seconds=seconds))

    def _announce(self, obtained: Obtained) -> None:
        fields = {"vathos.identity": self.credentials.name}
        log.debug("token renewed by %s", obtained.grant_type, extra=fields)
        asked = self.credentials.original.scope
        if set(asked.split()) - set((obtained.token.scope or asked).split()):
            log.warning("the server granted less scope than asked for", extra=fields)
        if obtained.grant_type == self.credentials.original.grant_type:
            end_former_quietly(self.credentials, self.endpoint, self.cache)
        if self.on_renewed is not None:
            try:
                self.on_renewed(obtained.token)
            except Exception:
                log.exception("a renewal callback failed", extra=fields)
