"""Remembers refused credentials, so that a job that insists does not get a person locked out."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vathos.errors import TokenResponseError
from vathos.oauth.identity import Identity
from vathos.system.backoff import Backoff
from vathos.system.bounded import Bounded
from vathos.system.clock import Instant
from vathos.system.forks import ForkSafeLock
from vathos.system.locks import KeyedLock

__all__ = ["Lockout"]


class Lockout:
    """Leaves refused credentials alone for a time that grows from 5 s to 5 min.

    Keycloak locks a person after two failures within a second, and calls it a wrong password.
    Other credentials are another identity and not affected, nor is a client assertion that has
    changed.
    """

    SPACING = 1.1
    """Seconds between the end of a password attempt for one person and the next one, unless it
    succeeded; Keycloak counts a second, from when it judged the first."""

    def __init__(self) -> None:
        self._backoff = Backoff(first=5.0, longest=300.0)
        self._errors: Bounded[str, TokenResponseError] = Bounded()
        self._attempts: dict[str, float] = {}  # when the last failed one ended
        self._turns = KeyedLock()
        self._guard = ForkSafeLock()  # guards _errors and _attempts

    def check(self, identity: Identity, at: Instant) -> None:
        """Raises the remembered refusal while its backoff lasts."""
        left = self._backoff.left(identity.presented, at)
        error = self._errors.get(identity.presented) if left > 0 else None
        if error is not None:
            again = copy.copy(error)
            again.args = (f"{error}; these credentials are not presented for another {left:.0f} s",)
            raise again

    def remember(self, identity: Identity, error: TokenResponseError, at: Instant) -> float:
        """Starts the next backoff for refused credentials, and returns its seconds."""
        with self._guard.lock:
            self._errors[identity.presented] = copy.copy(error)
        return self._backoff.start(identity.presented, at)

    def forget(self, identity: Identity) -> None:
        """Forgets a refusal: the credentials were accepted."""
        self._backoff.reset(identity.presented)
        with self._guard.lock:
            self._errors.pop(identity.presented, None)
            self._attempts.pop(identity.name, None)

    @contextmanager
    def turn(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Lets password attempts for one person happen one by one, a second apart.

        Attempts with other passwords of the same person count too. An attempt that raises has
        failed. `TimeoutError` if the turn does not come within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._turns.hold(identity.name, timeout):
            pause = self._attempts.get(identity.name, -self.SPACING) + self.SPACING
            pause = max(pause - time.monotonic(), 0.0)
            if time.monotonic() + pause > deadline:
                raise TimeoutError("another attempt has just failed")
            time.sleep(pause)
            try:
                yield
            except BaseException:
                self._note_end(identity.name)
                raise

    def _note_end(self, name: str) -> None:
        present = time.monotonic()
        with self._guard.lock:
            for old in [old for old, at in self._attempts.items() if at < present - 60]:
                del self._attempts[old]
            self._attempts[name] = present
