"""What introspection tells of a token (RFC 7662 §2.2)."""

from __future__ import annotations

from vathos.testing.ledger import Ledger
from vathos.testing.tokens import AccessToken, RefreshToken

__all__ = ["describe"]

Members = dict[str, int | str | list[str]]


def describe(ledger: Ledger, token: str) -> Members | None:
    """Describes a live token, access or refresh.

    Args:
        ledger: The tokens and sessions.
        token: The token.

    Returns:
        The members of the answer but `active`, or `None` if the token is not live.
    """
    with ledger.lock:
        access = ledger.access_token(token)
        if access is not None:
            live = access.state(ledger.now()) == "live"
            members = _members(access, access.issued_at, access.expires_at)
            return {**members, "token_type": "Bearer"} if live else None
        refresh = ledger.refresh_token(token)
        session = ledger.session(refresh.session) if refresh else None
        if refresh is None or refresh.spent or session is None:
            return None
        live = ledger.now() < session.expires_at
        return _members(refresh, session.started_at, session.expires_at) if live else None


def _members(token: AccessToken | RefreshToken, born: float, dies: float) -> Members:
    members: Members = {
        "scope": " ".join(token.scopes),
        "client_id": token.client_id,
        "exp": int(dies),
        "iat": int(born),
    }
    return members if token.username is None else {**members, "username": token.username}
