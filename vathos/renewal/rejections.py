"""When a token that the API refuses is renewed, and how long callers wait for another one."""

from __future__ import annotations

import time

from vathos.system.backoff import Backoff
from vathos.system.bounded import Bounded
from vathos.tokens import Instant, Token

__all__ = ["Rejections"]

_MANY = 4
"""Young tokens in a row whose renewal helped, after which the API itself is in doubt."""

_YOUNG = 60.0
"""Seconds after its issue up to which the refusal of a token says more of the API than of it."""

_SHARE = 3
"""Callers wait this part of `token_timeout` for an outage to end: the 401 is an answer too."""


class Rejections:
    """What the answers 401 of an API tell, by the name of the identity.

    A renewal helps where a token was revoked. It does not where the API refuses all tokens, and not
    for long where one of several servers does; then no 401 forces one for a time that grows.
    """

    def __init__(self) -> None:
        self._backoff = Backoff(first=5.0, longest=300.0)
        self._helped: Bounded[str, tuple[int, int]] = Bounded()  # the last young token, how many
        self._since: Bounded[int, float] = Bounded()  # by token: first refused without a successor

    def left(self, name: str, at: Instant) -> float:
        """Seconds for which no 401 forces a renewal; zero if one may."""
        return self._backoff.left(name, at)

    def start(self, name: str, at: Instant) -> float:
        """Starts the next backoff, as renewals are no remedy; its seconds, zero if one is on."""
        return self._backoff.start(name, at)

    def note_help(self, name: str, refused: Token, at: Instant) -> None:
        """Notes that the API took another token in place of the refused one."""
        issued, token = refused.issued_boot, hash(refused.access_token)
        is_young = issued is not None and at.boot - issued < _YOUNG
        last, count = self._helped.get(name, (0, 0))
        # Many threads may have been refused with the same token.
        if not is_young or token != last:
            self._helped[name] = (token, count + 1 if is_young else 0)
        if not self.is_doubtful(name):
            self._backoff.reset(name)

    def is_doubtful(self, name: str) -> bool:
        """Tells whether the API refuses new tokens so often that a refused one may still work."""
        return self._helped.get(name, (0, 0))[1] >= _MANY

    def patience(self, refused: Token, timeout: float) -> float:
        """Seconds that are left to wait for a renewal in an outage; zero or less if none are.

        They count from the first refusal of that token, so that not each call waits as long.
        """
        token, present = hash(refused.access_token), time.monotonic()
        since = self._since.get(token)
        if since is None:
            since = self._since[token] = present
        return since + timeout / _SHARE - present
