"""Which requests get the token, and what follows a 401: the rules that all HTTP clients share.

Nothing here sends a request. `Bearer.after_401` says step by step what to do, and whoever carries
it out, in a thread or in a coroutine, tells it what came of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, TypeAlias

from vathos.errors import ConfigurationError, InsecureTransportError, RenewalTimeout, VathosError
from vathos.events import Events, Replayed
from vathos.oauth.challenges import bearer_error
from vathos.oauth.urls import Origin, is_below, origin_of
from vathos.renewal.process import process
from vathos.system.logs import logger
from vathos.token_source import CachedSource, TokenSource
from vathos.tokens import Instant, Token, now

__all__ = ["REFUSALS", "Ask", "Bearer", "Send", "Steps", "ask", "header", "told"]

log = logger("auth")

REFUSALS = frozenset({401, 403})
"""Statuses after which `Bearer.after` is asked: a 403 may be about the token too."""

_UNAUTHORIZED = 401

_MOST_OTHERS = 2
"""Other tokens that a request is retried with: one that was there, and one that is new."""

_SHORT_WAIT = 1.0
"""Seconds that a call waits for one attempt to renew, after others have waited in vain."""


class Ask(NamedTuple):
    """A step: ask the source for a token, and wait so many seconds at most.

    Its answer is the token, or the `VathosError`.
    """

    rejected: Token | None = None
    most: float = math.inf


class Send(NamedTuple):
    """A step: send the request again with this token.

    Its answer is the status, or `None` if the request cannot be sent again.
    """

    token: Token


Step: TypeAlias = Ask | Send
Steps: TypeAlias = Generator[Step, Any, None]


class Bearer:
    """What every `BearerAuth` knows: whose token it attaches, where it may go, if it replays.

    Args:
        source: Where tokens come from.
        origins: URLs whose origins (scheme, host, port) may get the token; other requests are sent
            without it. `None` for all.
        base_url: URL below which a request without the token is an error; by default none is.
        clock: Reads the present moment.
        events: Counts retries and passes them on as events.
        replay: Whether a refused request is retried; else the caller gets the 401.
    """

    _WITHHOLD = "withhold_token=True"
    """What a caller passes to send a request without the token."""

    def __init__(
        self,
        source: TokenSource,
        *,
        origins: Iterable[str] | None = None,
        base_url: str | None = None,
        clock: Callable[[], Instant] = now,
        events: Events | None = None,
        replay: bool = True,
    ) -> None:
        self.source = source
        self.replay = replay
        self.events = events or Events()
        self.origins = None if origins is None else frozenset(origin_of(url) for url in origins)
        self.base_url = base_url or None
        self.clock = clock

    def may_get_token(self, origin: Origin, url: str) -> bool:
        """Tells whether a request gets the token.

        Args:
            origin: Where it goes.
            url: Its URL.

        Returns:
            `False` if it is to be sent without the token.

        Raises:
            ConfigurationError: If a request below the base URL would go without a token.
            InsecureTransportError: If the token would be sent over plain http to another machine.
        """
        if self.origins is not None and origin not in self.origins:
            if self.base_url is not None and is_below(url, self.base_url):
                raise ConfigurationError(
                    f"{origin} is the API of this session, but not among its origins=, so that the "
                    f"request would go without a token; add it there, or pass {self._WITHHOLD}"
                )
            log.debug("no token for a foreign origin", extra={"vathos.origin": str(origin)})
            return False
        if not origin.is_secure:
            raise InsecureTransportError(
                f"{origin} is plain http: a token would be readable on the way; use https "
                "(plain http is allowed to this machine's own loopback addresses only)"
            )
        return True

    def after(self, status: int, challenge: str | None, token: Token) -> Steps:
        """Decides what follows an answer to a request with a token: for most, nothing.

        Args:
            status: Its HTTP status.
            challenge: Its `WWW-Authenticate` header (RFC 6750 §3), or `None`.
            token: The token that was sent.

        Yields:
            What to do next.
        """
        if status not in REFUSALS or not self.replay:
            return
        error = bearer_error(challenge or "")
        # Some APIs answer 403 where RFC 6750 §3.1 has 401.
        if error != "invalid_token" and (status != _UNAUTHORIZED or error == "insufficient_scope"):
            return
        rejections, name, at = process.rejections, self.source.name, self.clock()
        if rejections.is_doubtful(name) and not rejections.left(name, at):
            again = yield Send(token)
            if again is not None:
                self.events.tell(Replayed(name, again))
                if again != status:
                    log.warning(
                        "the API accepted a token that it had refused; perhaps one of its servers "
                        "is wrong; no 401 forces a renewal for %.0f s",
                        rejections.start(name, at),
                    )
                    return
        refused = token
        for _ in range(_MOST_OTHERS):
            other = yield from self._other_token(refused)
            again = None if other is None else (yield Send(other))
            if other is None or again is None:
                return
            self.events.tell(Replayed(name, again))
            # One that another process had stored before may have been revoked with the first.
            if again != status or not _is_older(other, at):
                break
            refused = other
        self._note(again, status, token)

    def _other_token(self, refused: Token) -> Generator[Step, Any, Token | None]:
        """Finds a token to try instead; `None` if there is none."""
        source, most = self.source, math.inf
        token = yield Ask()
        if isinstance(token, Token) and token.access_token == refused.access_token:
            wait = process.rejections.left(source.name, self.clock())
            if isinstance(source, CachedSource):
                most = process.rejections.patience(refused, source.timeout)
                # In an outage one call waits, for all: the next ones get their 401 at once.
                if (backoff := source.state().backoff) >= most:
                    wait = max(wait, backoff)
            if wait > 0:
                log.info("401 returned to the caller: no renewal for another %.0f s", wait)
                return None
            token = yield Ask(refused, max(most, _SHORT_WAIT))
        if isinstance(token, VathosError):
            if most < 0 and isinstance(token, RenewalTimeout):  # it hangs, which starts no backoff
                process.rejections.start(source.name, self.clock())
            log.warning("401 returned to the caller: no other token: %s", token)
            return None
        return None if token.access_token == refused.access_token else token

    def _note(self, again: int, status: int, refused: Token) -> None:
        """Notes whether another token helped, so that the status is not the same again."""
        name, at = self.source.name, self.clock()
        if again != status:
            process.rejections.note_help(name, refused, at)
            log.debug("401: the retry with another token was accepted")
        elif wait := process.rejections.start(name, at):
            log.warning(
                "the API refuses a new token too (HTTP %d); perhaps it is for another "
                "audience or lacks a scope, or the API trusts another realm; "
                "no 401 forces a renewal for %.0f s",
                status,
                wait,
            )

    def __repr__(self) -> str:
        return f"BearerAuth({self.source!r})"


def _is_older(token: Token, at: Instant) -> bool:
    """Tells whether a token was issued before that moment, so that it is none of a renewal now."""
    return token.issued_boot is not None and token.issued_boot < at.boot


def told(steps: Steps, answer: Any = None) -> Step | None:
    """Tells what came of the last step, and returns the next one; `None` if there is none."""
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def ask(source: TokenSource, step: Ask, seconds: float = math.inf) -> Token | VathosError:
    """Carries out a step within the time of a call; blocks."""
    try:
        if isinstance(source, CachedSource):
            return source.token(step.rejected, timeout=min(seconds, step.most))
        # One of the user's keeps its own time.
        return source.token(step.rejected) if step.rejected else source.token()
    except VathosError as error:
        return error


def header(token: Token) -> str:
    """Returns the value of the `Authorization` header (RFC 6750 §2.1)."""
    return "Bearer " + token.access_token
