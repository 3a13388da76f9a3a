"""Credentials that were refused, remembered, so that nobody is locked out by a job that insists."""

from __future__ import annotations

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from vathos.errors import TokenResponseError
from vathos.oauth.identity import Identity
from vathos.system.backoff import Pauses
from vathos.system.forks import renew_after_fork
from vathos.system.locks import KeyedLock
from vathos.tokens import Instant

__all__ = ["Refusals", "refusals"]


class Refusals:
    """Remembers credentials that were refused, so that they are not presented again and again.

    Keycloak locks a person after two failures within a second, and calls it a wrong password. The
    pause grows from 5 s to 5 min; other credentials are another identity and not affected.
    """

    SPACING = 1.1
    """Seconds between the end of a password attempt for one person and the next one, unless it
    succeeded; Keycloak counts a second, from when it judged the first."""

    def __init__(self) -> None:
        self._pauses = Pauses(first=5.0, longest=300.0)
        self._errors: OrderedDict[str, TokenResponseError] = OrderedDict()
        self._attempts: dict[str, float] = {}  # when the last failed one ended
        self._turns = KeyedLock()
        self._after_fork()
        renew_after_fork(self)

    def _after_fork(self) -> None:
        self._guard = threading.Lock()  # guards _errors and _attempts

    def check(self, identity: Identity, at: Instant) -> None:
        """Raises the remembered refusal while its pause lasts.

        Args:
            identity: Whose credentials.
            at: The present moment.

        Raises:
            TokenResponseError: What the server said, and how long the pause still is.
        """
        left = self._pauses.left(identity.key, at)
        error = self._errors.get(identity.key) if left > 0 else None
        if error is not None:
            again = copy.copy(error)
            again.args = (f"{error}; these credentials are not presented for another {left:.0f} s",)
            raise again

    def remember(self, identity: Identity, error: TokenResponseError, at: Instant) -> float:
        """Starts the next pause for refused credentials.

        Args:
            identity: Whose credentials.
            error: What the server said.
            at: The present moment.

        Returns:
            Seconds of the pause.
        """
        with self._guard:
            self._errors[identity.key] = copy.copy(error)
            if len(self._errors) > 1024:  # noqa: PLR2004 - as many as there are pauses
                self._errors.popitem(last=False)
        return self._pauses.lengthen(identity.key, at)

    def forget(self, identity: Identity) -> None:
        """Forgets a refusal: the credentials were taken.

        Args:
            identity: Whose credentials.
        """
        self._pauses.end(identity.key)
        with self._guard:
            self._errors.pop(identity.key, None)
            self._attempts.pop(identity.name, None)

    @contextmanager
    def turn(self, identity: Identity, timeout: float) -> Iterator[None]:
        """Lets password attempts for one person happen one by one, a second apart.

        Args:
            identity: Whose password; attempts with other passwords of the same person count too.
            timeout: Seconds to wait at most.

        Yields:
            Nothing; the attempt is made inside the `with`, and has failed if that raises.

        Raises:
            TimeoutError: If the turn does not come in time.
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
        with self._guard:
            for old in [old for old, at in self._attempts.items() if at < present - 60]:
                del self._attempts[old]
            self._attempts[name] = present


refusals = Refusals()
"""One for the process: all threads and sessions share what is known of bad credentials."""
