"""Whether a token request may be sent again, by what the server may already have done.

A lost answer is not a refusal: the server may have opened a session for a password, or have rotated
a refresh token. Pure functions; nothing here waits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from vathos.errors import TokenRequestError, TokenResponseError

__all__ = ["ATTEMPTS", "answer_is_lost", "retry_after", "retry_in"]

ATTEMPTS = 3
"""Token requests of one grant in one renewal at most."""

FIRST_PAUSE = 0.2
"""Seconds that the first retry waits at most; twice as long for each further one."""

LONGEST_RETRY_AFTER = 60.0
"""Seconds of a `Retry-After` that are honoured at most."""

_TOO_MANY, _UNAVAILABLE = 429, 503


def retry_in(
    error: TokenRequestError | TokenResponseError,
    grant_type: str,
    attempt: int,
    wall: float,
    chance: Callable[[], float] = random.random,
) -> float | None:
    """Returns the seconds until a failed token request is sent again, `None` if it must not be.

    `attempt` counts from 1; `wall` is the present (Unix timestamp, UTC), for a `Retry-After` that
    is a date; `chance` gives a random number from 0 to 1 for the jitter.
    """
    if attempt >= ATTEMPTS:
        return None
    # Full jitter: all waits from nothing to the bound are equally likely.
    pause: float = chance() * FIRST_PAUSE * 2 ** (attempt - 1)
    if isinstance(error, TokenResponseError):
        if error.status in {_TOO_MANY, _UNAVAILABLE}:
            asked = retry_after(error.retry_after, wall)
            if asked is not None:
                return asked + pause
        if error.refused or error.redirected:
            return None
    elif not error.retryable:
        return None
    if answer_is_lost(error):
        if grant_type == "refresh_token":
            return None
        if grant_type == "password" and attempt > 1:
            return None
    return pause


def answer_is_lost(error: TokenRequestError | TokenResponseError) -> bool:
    """Tells whether the server may have done what it was asked, although no token came back.

    So it is with a connection that broke after the request, and with an answer that is neither a
    token nor a refusal.
    """
    if isinstance(error, TokenRequestError):
        return error.sent
    if error.status == _TOO_MANY or (error.status == _UNAVAILABLE and error.retry_after):
        return False
    return not error.refused and not error.redirected


def retry_after(value: str | None, wall: float) -> float | None:
    """Reads a `Retry-After` header (RFC 9110 §10.2.3) as seconds from now."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - wall
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST_RETRY_AFTER)
