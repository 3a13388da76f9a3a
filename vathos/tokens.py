"""The access token as a value, with its expiry timestamps (RFC 6749 §5.1).

A `Token` never changes: a renewal makes a new one, which replaces the old one as a whole.

Two clocks decide whether it has expired: the wall clock, which a person or NTP may set, and the
boot clock, which nobody can set and which runs on while the machine is suspended. It has expired
when either clock says so.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vathos.system.clock import Instant, now

__all__ = ["Instant", "MalformedTokenError", "Token", "claims_of", "now"]

# RFC 6750 §2.1 names the characters of a bearer token; servers use a few more. Refused is what
# ends a header line or is not visible ASCII.
_HEADER_SAFE = re.compile(r"[!-~]+")

# What a message may quote: anything else that a server sends may be a secret, or forge log lines.
_WORD = re.compile(r"[A-Za-z0-9_-]{1,20}")

_BASE64URL = str.maketrans("-_", "+/")


class MalformedTokenError(ValueError):
    """An answer of the token endpoint is not a token response; the message says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token, and when it ends.

    Its string form shows no secret.

    Attributes:
        access_token: The token itself. Treat it like a password.
        expires_at: Unix timestamp (seconds, UTC) counted from the moment before the token request
            was sent, or `None` if the server named no lifetime (it is used until the API refuses
            it).
        scope: The scope the server granted, space separated, or `None` if it did not say.
        refresh_token: The refresh token that came with it (RFC 6749 §6), or `None`.
        refresh_expires_at: Unix timestamp (seconds, UTC) of the refresh token's end, or `None`
            if unknown.
        issued_at: Unix timestamp (seconds, UTC) of the moment before the token request was sent.
        issued_boot: The same moment on the boot clock of the machine that obtained the token, or
            `None` if it came from elsewhere.
        renewal_seconds: How long renewals took lately, in seconds, the slow ones remembered for
            some time; zero if that is not known.
    """

    access_token: str
    expires_at: float | None = None
    scope: str | None = None
    refresh_token: str | None = None
    refresh_expires_at: float | None = None
    issued_at: float = 0.0
    issued_boot: float | None = None
    renewal_seconds: float = 0.0

    @classmethod
    def from_response(cls, answer: Mapping[str, Any], requested: Instant) -> Token:
        """Reads a token response (RFC 6749 §5.1); unknown members are ignored.

        A lifetime that is not a positive, finite number is unknown, never an error. Without
        `expires_in`, the lifetime is taken from a JWT's `exp` and `iat`. `refresh_expires_in: 0`
        means "unknown", as Keycloak uses it.

        Args:
            answer: The decoded JSON object.
            requested: The moment before the token request was sent.

        Returns:
            The token.

        Raises:
            MalformedTokenError: If there is no usable access token, or its type is not Bearer
                (RFC 6749 §7.1: a token of unknown type must not be used).
        """
        access_token = _token_text(answer, "access_token")
        if access_token is None:
            raise MalformedTokenError("it has no access_token")
        kind = answer.get("token_type")
        kind = "Bearer" if kind is None else kind
        if not isinstance(kind, str) or kind.lower() != "bearer":
            is_word = isinstance(kind, str) and _WORD.fullmatch(kind)
            raise MalformedTokenError(
                f"its token_type is {f'{kind!r}, ' if is_word else ''}not Bearer"
            )
        lifetime = _seconds(answer.get("expires_in")) or _jwt_lifetime(access_token)
        return cls(
            access_token=access_token,
            expires_at=_after(requested, lifetime),
            scope=_scope(answer.get("scope")),
            refresh_token=_token_text(answer, "refresh_token"),
            refresh_expires_at=_after(requested, _seconds(answer.get("refresh_expires_in"))),
            issued_at=requested.wall,
            issued_boot=requested.boot,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], at: Instant) -> Token:
        """Reads a token dictionary as `requests_oauthlib` and `as_dict` write it.

        Args:
            values: A mapping with `access_token` and, if known, `expires_at` (Unix timestamp).
            at: The present moment.

        Returns:
            The token; without `expires_at`, its `expires_in` counts from `at`.

        Raises:
            MalformedTokenError: If there is no usable access token, or its type is not Bearer.
        """
        token = cls.from_response(values, at)
        expires_at, expires_in = (_number(values.get(f"expires_{end}")) for end in ("at", "in"))
        if expires_at is not None:
            # Its age is not known; its lifetime is taken to start now.
            return replace(token, expires_at=expires_at)
        if expires_in is not None and expires_in <= 0:
            # A server that says so is wrong; a caller who says so means that it has expired.
            return replace(token, expires_at=at.wall + expires_in)
        return token

    def as_dict(self) -> dict[str, Any]:
        """Returns the token as the dictionary that `requests_oauthlib` uses.

        Returns:
            `access_token` and `token_type`; `expires_at` (Unix timestamp, UTC), `refresh_token` and
            `scope` (a list) where known. The secrets in it are in clear.
        """
        values: dict[str, Any] = {"access_token": self.access_token, "token_type": "Bearer"}
        if self.expires_at is not None:
            values["expires_at"] = self.expires_at
        if self.refresh_token is not None:
            values["refresh_token"] = self.refresh_token
        if self.scope is not None:
            values["scope"] = self.scope.split()
        return values

    def anchored(self, at: Instant) -> Token:
        """Adds the boot clock of this machine to a token that was obtained elsewhere.

        A token that was issued in the future, by a clock that was wrong, is taken to be new: it is
        never used for longer than its lifetime from now.

        Args:
            at: The present moment.

        Returns:
            The token; unchanged if it has this machine's boot clock already.
        """
        if self.issued_boot is not None:
            return self
        ahead = max(self.issued_at - at.wall, 0.0)
        return replace(
            self,
            issued_at=self.issued_at - ahead,
            expires_at=None if self.expires_at is None else self.expires_at - ahead,
            refresh_expires_at=(
                None if self.refresh_expires_at is None else self.refresh_expires_at - ahead
            ),
            issued_boot=at.boot - (at.wall - self.issued_at + ahead),
        )

    def is_same(self, other: Token | None) -> bool:
        """Tells whether two are the same token, whatever their clocks.

        Args:
            other: Another token, or none.

        Returns:
            `True` if both access token and refresh token are equal.
        """
        mine = self.access_token, self.refresh_token
        return other is not None and mine == (other.access_token, other.refresh_token)

    @property
    def lifetime(self) -> float | None:
        """The whole lifetime in seconds, from before the token request; `None` if unknown."""
        return None if self.expires_at is None else self.expires_at - self.issued_at

    def seconds_left(self, at: Instant) -> float:
        """Tells how long the access token still works, by the clock that gives it less.

        Args:
            at: The moment to judge at.

        Returns:
            Seconds, negative once expired, `inf` if the lifetime is unknown.
        """
        return self._left(self.expires_at, at)

    def may_refresh(self, at: Instant) -> bool:
        """Tells whether a refresh grant (RFC 6749 §6) is worth trying.

        Args:
            at: The moment to judge at.

        Returns:
            `True` if there is a refresh token that is not known to have expired.
        """
        return self.refresh_token is not None and self._left(self.refresh_expires_at, at) > 0

    def with_refresh_token_of(self, other: Token) -> Token:
        """Takes the refresh token of another token, or none if that has none.

        Args:
            other: The other token.

        Returns:
            This token with the other one's refresh token.
        """
        refresh_token, ends = other.refresh_token, other.refresh_expires_at
        return replace(self, refresh_token=refresh_token, refresh_expires_at=ends)

    def keeping_refresh_token_of(self, older: Token) -> Token:
        """Keeps the refresh token if a refresh was answered without a new one (RFC 6749 §6).

        Args:
            older: The token whose refresh token was sent.

        Returns:
            This token, or one with the older refresh token.
        """
        return self if self.refresh_token is not None else self.with_refresh_token_of(older)

    def without_refresh_token(self) -> Token:
        """Removes a refresh token that may have been used.

        Returns:
            The same access token alone.
        """
        return replace(self, refresh_token=None, refresh_expires_at=None)

    def _left(self, expires_at: float | None, at: Instant) -> float:
        if expires_at is None:
            return math.inf
        by_wall = expires_at - at.wall
        if self.issued_boot is None:
            return by_wall
        return min(by_wall, expires_at - self.issued_at - (at.boot - self.issued_boot))

    def __repr__(self) -> str:
        refresh = "None" if self.refresh_token is None else "***"
        return (
            f"Token(access_token=***, expires_at={self.expires_at!r}, scope={self.scope!r}, "
            f"refresh_token={refresh}, refresh_expires_at={self.refresh_expires_at!r})"
        )


def _token_text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _HEADER_SAFE.fullmatch(value):
        raise MalformedTokenError(f"its {name} is not a string of visible ASCII characters")
    return value


def _after(start: Instant, seconds: float | None) -> float | None:
    return None if seconds is None else start.wall + seconds


def _scope(value: object) -> str | None:
    """Reads a scope: text as in RFC 6749 §3.3, or a list as `requests_oauthlib` keeps it."""
    if isinstance(value, list):
        return " ".join(str(name) for name in value)
    return value if isinstance(value, str) else None


def _seconds(value: object) -> float | None:
    """Reads a lifetime as servers send it: one that is not positive is unknown."""
    seconds = _number(value)
    return seconds if seconds is not None and seconds > 0 else None


def _number(value: object) -> float | None:
    """Reads a number or a numeric string; `None` if it is neither, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _jwt_lifetime(access_token: str) -> float | None:
    """Reads `exp - iat` of a JWT."""
    claims = claims_of(access_token)
    try:
        return _seconds(float(claims["exp"]) - float(claims["iat"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def claims_of(access_token: str) -> dict[str, Any]:
    """Reads the claims of an access token, unverified: only as a hint (RFC 7519 §4.1).

    Args:
        access_token: The token.

    Returns:
        The claims, whatever their types; none if the token is no JWT.
    """
    parts = access_token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        # Not the module base64, whose import costs a command more than this.
        text = parts[1].translate(_BASE64URL) + "=" * (-len(parts[1]) % 4)
        claims = json.loads(binascii.a2b_base64(text))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
