"""When a token is fresh, stale or expired: a pure function of the token and the moment."""

from __future__ import annotations

import enum
import math
import os
from dataclasses import dataclass, field

from vathos.system.late_errors import configuration_error
from vathos.tokens import Instant, Token

__all__ = ["Freshness", "RenewalPolicy"]


class Freshness(enum.Enum):
    """What to do with a token of this age.

    Attributes:
        FRESH: Use it.
        STALE: Use it, and renew it in the background, before anyone has to wait.
        EXPIRED: Do not use it; callers wait for the renewal.
    """

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


_RETRY = 0.1
"""Seconds that pass on average before a token request that failed is sent again."""


@dataclass(frozen=True, slots=True)
class RenewalPolicy:
    """Margins as shares of the lifetime, so that a token of 2 s works as well as one of 12 h.

    A token is stale earlier than that where renewals take long: so early that two of them and the
    pause of a retry fit before its end, but never before half of its life.

    Attributes:
        stale_share: Share of the lifetime after which a token is stale, at the earliest.
        jitter: Share of the lifetime by which that moment is moved back, times `position`.
        expired_share: Share of the lifetime, before its end, from which the token is expired: it
            could end on its way to the API.
        expired_cap: Upper bound of that margin in seconds: what a request needs to arrive.
        position: How much of the jitter this policy uses, 0 to 1; random, so that many machines do
            not renew at the same moment.

    Raises:
        ConfigurationError: If a value makes no sense; the message names it.
    """

    stale_share: float = 0.8
    jitter: float = 0.08
    expired_share: float = 0.05
    expired_cap: float = 1.0
    # Not from random, whose import costs a command more than all else here.
    position: float = field(default_factory=lambda: int.from_bytes(os.urandom(6), "big") / 2**48)

    def __post_init__(self) -> None:
        for name in ("stale_share", "jitter", "expired_share", "position"):
            self._check(name, 1.0)
        self._check("expired_cap", math.inf)

    def _check(self, name: str, most: float) -> None:
        value = getattr(self, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= most:
            bound = "" if most == math.inf else f" to {most:g}"
            configuration_error(f"RenewalPolicy: {name} must be a number from 0{bound}")

    def state(self, token: Token, at: Instant, renewal_seconds: float = 0.0) -> Freshness:
        """Judges a token.

        Args:
            token: The token.
            at: The moment to judge at.
            renewal_seconds: How long a renewal takes.

        Returns:
            Fresh, stale or expired. A token of unknown lifetime is fresh: only the API can tell.
        """
        lifetime = token.lifetime
        if lifetime is None:
            return Freshness.FRESH
        left = token.seconds_left(at)
        if left <= self.expired_cap and left <= lifetime * self.expired_share:
            return Freshness.EXPIRED
        if left <= self._margin(lifetime, renewal_seconds):
            return Freshness.STALE
        return Freshness.FRESH

    def seconds_fresh(self, token: Token, at: Instant, renewal_seconds: float = 0.0) -> float:
        """Tells how long a token stays fresh, if no clock is set meanwhile.

        Args:
            token: The token.
            at: The moment to judge at.
            renewal_seconds: How long a renewal takes.

        Returns:
            Seconds; zero or less once it is stale, `inf` if the lifetime is unknown.
        """
        lifetime = token.lifetime
        if lifetime is None:
            return math.inf
        return token.seconds_left(at) - self._margin(lifetime, renewal_seconds)

    def _margin(self, lifetime: float, renewal_seconds: float) -> float:
        """Seconds before its end from which a token is stale."""
        margin = lifetime * (1 - self.stale_share - self.jitter * self.position)
        if renewal_seconds:
            margin = max(margin, min(2 * renewal_seconds + _RETRY, lifetime / 2))
        return margin
