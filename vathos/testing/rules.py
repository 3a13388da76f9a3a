"""The rules of a realm: how long things live, and in which dialect refusals are worded."""

from __future__ import annotations

from dataclasses import dataclass

from vathos.testing.dialects import RFC, Dialect

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a server that stay the same while it lives.

    Attributes:
        access_token_lifetime: Seconds.
        refresh_token_lifetime: Seconds since the last refresh of the session.
        rotate_refresh_tokens: Whether each refresh gives a new refresh token and spends the old.
        detect_reuse: Whether a spent refresh token ends its session (RFC 9700 §4.14).
        refresh_for_client_credentials: Whether that grant gets a refresh token too.
        dialect: The wording of refusals.
    """

    access_token_lifetime: float = 300.0
    refresh_token_lifetime: float = 1800.0
    rotate_refresh_tokens: bool = True
    detect_reuse: bool = True
    refresh_for_client_credentials: bool = False
    dialect: Dialect = RFC
