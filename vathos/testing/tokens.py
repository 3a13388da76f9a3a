"""Access tokens, refresh tokens and sessions as the server keeps them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

__all__ = ["AccessToken", "RefreshState", "RefreshToken", "Session"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token on record.

    Attributes:
        value: The token itself; not shown in the string form.
        number: Its number, counted from 1.
        client_id: The client it was issued to.
        username: The user it stands for, or `None`.
        scopes: The granted scopes.
        issued_at: When it was issued, by the server's clock (Unix seconds).
        expires_at: When it expires, by the server's clock (Unix seconds).
        session: Number of its session, or `None`.
        revoked: Whether it was revoked.
    """

    value: str = field(repr=False)
    number: int
    client_id: str
    username: str | None
    scopes: tuple[str, ...]
    issued_at: float
    expires_at: float
    session: int | None
    revoked: bool = False

    def state(self, now: float) -> str:
        """Returns `"live"`, `"expired"` or `"revoked"`.

        Args:
            now: The server's time (Unix seconds).
        """
        if self.revoked:
            return "revoked"
        return "live" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token on record; it works no longer than its session."""

    value: str = field(repr=False)
    number: int
    session: int
    client_id: str
    username: str | None
    scopes: tuple[str, ...]
    spent: bool = False
    """Whether it was used and replaced by another one."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a user (or of a client that gets refresh tokens for client credentials).

    Attributes:
        number: Its number, counted from 1.
        username: The user, or `None` for a client's own session.
        client_id: The client that opened it.
        started_at: When it began, by the server's clock (Unix seconds).
        expires_at: When it ends unless it is refreshed before, by the server's clock (Unix
            seconds).
        refreshes: How often it was refreshed.
    """

    number: int
    username: str | None
    client_id: str
    started_at: float
    expires_at: float
    refreshes: int = 0


class RefreshState(enum.Enum):
    """What the server finds when a refresh token is presented."""

    GOOD = "good"
    UNKNOWN = "unknown"
    FOREIGN = "issued to another client"
    ENDED = "its session was ended"
    EXPIRED = "its session expired"
    REUSED = "rotated away and presented again"
