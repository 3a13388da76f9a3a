"""Revocation (RFC 7009) and introspection (RFC 7662)."""

from __future__ import annotations

import pytest

from tests.testing.plain import (
    call,
    credentials,
    introspect,
    login,
    refresh,
    revoke,
    send,
    service,
)
from vathos.testing import AuthorizationServer, Client

OTHER = {"client_id": "other", "client_secret": "other-secret"}


def test_revoked_access_token_dies_alone(server: AuthorizationServer) -> None:
    """Revoking an access token leaves its session and all other tokens alive."""
    answer = login(server).json()
    response = revoke(server, answer["access_token"])
    assert (response.status_code, response.content) == (200, b"")
    assert call(server, answer["access_token"]).status_code == 401
    assert refresh(server, answer["refresh_token"]).status_code == 200


def test_revoked_refresh_token_takes_its_session_along(server: AuthorizationServer) -> None:
    """Revoking a refresh token kills the access tokens of its session (§2.1)."""
    answer = login(server).json()
    assert revoke(server, answer["refresh_token"]).status_code == 200
    assert call(server, answer["access_token"]).status_code == 401
    assert refresh(server, answer["refresh_token"]).status_code == 400
    assert server.sessions == ()


def test_revoking_twice_or_anything_is_fine(server: AuthorizationServer) -> None:
    """An unknown or dead token is revoked already (§2.2)."""
    token = login(server).json()["refresh_token"]
    for each in (token, token, "unheard-of"):
        assert revoke(server, each).status_code == 200


def test_foreign_tokens_cannot_be_revoked(server: AuthorizationServer) -> None:
    """Another client's token stays alive, and the client is told."""
    server.add_client(Client("other", "other-secret"))
    token = service(server).json()["access_token"]
    response = send("POST", server.revocation_url, data={"token": token, **OTHER})
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_grant"
    assert call(server, token).status_code == 200


@pytest.mark.parametrize("endpoint", ["revocation_url", "introspection_url"])
def test_token_management_wants_client_authentication(
    server: AuthorizationServer, endpoint: str
) -> None:
    """Nobody revokes or inspects without client authentication, a token, or by GET."""
    url = getattr(server, endpoint)
    assert send("POST", url, data={"token": "x"}).status_code == 401
    assert send("POST", url, data=credentials(server)).json()["error"] == "invalid_request"
    assert send("GET", url).status_code == 405


def test_live_access_token_is_described(server: AuthorizationServer) -> None:
    """Introspection of a live access token tells scope, client, user, birth and end."""
    with AuthorizationServer(clock=lambda: 1000.0) as frozen:
        token = login(frozen).json()["access_token"]
        assert introspect(frozen, token).json() == {
            "active": True,
            "scope": "openid profile email",
            "client_id": "robot",
            "username": "ada",
            "token_type": "Bearer",
            "iat": 1000,
            "exp": 1300,
        }


def test_service_account_has_no_username(server: AuthorizationServer) -> None:
    """The token of a client stands for no user."""
    assert "username" not in introspect(server, service(server).json()["access_token"]).json()


def test_dead_tokens_are_inactive(server: AuthorizationServer) -> None:
    """Expired, revoked, spent and unknown tokens are described as inactive and nothing else."""
    first = login(server).json()
    second = refresh(server, first["refresh_token"]).json()
    assert introspect(server, second["refresh_token"]).json()["active"]
    server.advance(300)
    dead = [first["access_token"], first["refresh_token"], "unheard-of"]
    server.advance(1500)
    dead.append(second["refresh_token"])
    third = login(server).json()
    server.revoke_sessions()
    for token in (*dead, third["access_token"], third["refresh_token"]):
        assert introspect(server, token).json() == {"active": False}


def test_introspection_changes_nothing(server: AuthorizationServer) -> None:
    """Looking at a refresh token does not use it up."""
    token = login(server).json()["refresh_token"]
    introspect(server, token)
    assert refresh(server, token).status_code == 200
