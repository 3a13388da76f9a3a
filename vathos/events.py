"""What happens to tokens: events for a hook, and counters. No secret is in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from vathos.errors import VathosError
from vathos.system.forks import ForkSafeLock
from vathos.system.logs import logger

__all__ = [
    "CredentialsRefused",
    "Event",
    "Events",
    "RenewalFailed",
    "Renewed",
    "Replayed",
    "ServedStale",
    "Stats",
]

log = logger("events")


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new token was obtained.

    Attributes:
        identity: Short hash that names the identity, without secrets.
        grant: The grant type it was obtained with (RFC 6749): `client_credentials`, `password` or
            `refresh_token`.
        seconds: How long it took.
        expires_at: Unix timestamp (seconds, UTC) of its end, or `None` if unknown.
        in_background: Whether it was obtained ahead of time, in the background.
    """

    identity: str
    grant: str
    seconds: float
    expires_at: float | None
    in_background: bool


@dataclass(frozen=True, slots=True)
class RenewalFailed:
    """No token was obtained; calls go on with the old one if that still works.

    Attributes:
        identity: Short hash that names the identity, without secrets.
        error: Why.
        in_background: Whether it was tried ahead of time, in the background.
        retry_in: Seconds until the next attempt at the earliest.
    """

    identity: str
    error: VathosError
    in_background: bool
    retry_in: float


@dataclass(frozen=True, slots=True)
class ServedStale:
    """A renewal failed, and the old token, which still works, was used; once for each failure.

    Attributes:
        identity: Short hash that names the identity, without secrets.
        seconds_left: How long the old token still works.
    """

    identity: str
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """The API answered 401, and the request was retried once with another token.

    Attributes:
        identity: Short hash that names the identity, without secrets.
        status: HTTP status of the second answer; 401 if the retry did not help.
    """

    identity: str
    status: int


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """The token endpoint refused the credentials; they are not sent again for a while.

    Attributes:
        identity: Short hash that names the identity, without secrets.
        error: What the server said.
        retry_in: Seconds until they may be sent again.
    """

    identity: str
    error: VathosError
    retry_in: float


Event: TypeAlias = Renewed | RenewalFailed | ServedStale | Replayed | CredentialsRefused


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters since the session was built.

    Attributes:
        token_requests: Token requests this session sent.
        renewals: Tokens this session obtained.
        renewal_failures: Renewals of this session that failed.
        served_stale: How often the old token was used as a renewal had failed.
        replays: API requests retried after a 401.
        refusals: How often the credentials were refused.
        longest_wait: The longest that a caller waited for a token, in seconds.
    """

    token_requests: int = 0
    renewals: int = 0
    renewal_failures: int = 0
    served_stale: int = 0
    replays: int = 0
    refusals: int = 0
    longest_wait: float = 0.0


_COUNTERS = {
    Renewed: "renewals",
    RenewalFailed: "renewal_failures",
    ServedStale: "served_stale",
    Replayed: "replays",
    CredentialsRefused: "refusals",
}


class Events:
    """Counts events and passes them to a hook; if the hook raises, that is logged and ignored.

    Args:
        hook: Called with each event, in the thread that caused it, while no lock is held.
    """

    def __init__(self, hook: Callable[[Event], object] | None = None) -> None:
        self.hook = hook
        self._stats = Stats()
        self._guard = ForkSafeLock()  # guards _stats

    @property
    def stats(self) -> Stats:
        """The counters now."""
        return self._stats

    def tell(self, event: Event) -> None:
        """Counts an event and passes it to the hook.

        Args:
            event: The event.
        """
        self.count(_COUNTERS[type(event)])
        if self.hook is not None:
            try:
                self.hook(event)
            except Exception:
                log.exception("an event hook failed on %s", type(event).__name__)

    def count(self, name: str) -> None:
        """Adds one to a counter.

        Args:
            name: A name of `Stats`.
        """
        with self._guard.lock:
            self._stats = replace(self._stats, **{name: getattr(self._stats, name) + 1})

    def waited(self, seconds: float) -> None:
        """Remembers how long a caller waited for a token, if nobody waited longer.

        Args:
            seconds: Seconds.
        """
        with self._guard.lock:
            if seconds > self._stats.longest_wait:
                self._stats = replace(self._stats, longest_wait=seconds)

    def __getstate__(self) -> dict[str, object]:
        return {"hook": self.hook}

    def __setstate__(self, state: dict[str, Callable[[Event], object] | None]) -> None:
        Events.__init__(self, state["hook"])
