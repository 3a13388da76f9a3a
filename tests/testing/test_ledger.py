"""What was granted: numbers, and the refresh grant (RFC 6749 §6) with its sessions."""

from __future__ import annotations

import pytest

from tests.testing.plain import call, introspect, login, refresh, service
from vathos.testing import AuthorizationServer, Client


def test_refresh_rotates_and_continues_the_session(server: AuthorizationServer) -> None:
    """A refresh gives two new tokens and counts in the session; the old access token lives."""
    first = login(server).json()
    second = refresh(server, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert server.number(second["access_token"]) == 2
    assert [each.refreshes for each in server.sessions] == [1]
    assert call(server, first["access_token"]).status_code == 200


def test_without_rotation_the_refresh_token_stays() -> None:
    """Without rotation every refresh answers with the same refresh token."""
    with AuthorizationServer(rotate_refresh_tokens=False) as server:
        token = login(server).json()["refresh_token"]
        for _ in range(3):
            assert refresh(server, token).json()["refresh_token"] == token
        assert [each.refreshes for each in server.sessions] == [3]
        assert server.reuse_events == 0


def test_reuse_ends_the_session(server: AuthorizationServer) -> None:
    """A spent refresh token that comes again kills the session with everything in it."""
    first = login(server).json()
    second = refresh(server, first["refresh_token"]).json()
    response = refresh(server, first["refresh_token"])
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_grant"
    assert server.reuse_events == 1
    assert server.sessions == ()
    assert refresh(server, second["refresh_token"]).status_code == 400
    assert call(server, second["access_token"]).status_code == 401


def test_without_detection_reuse_is_only_refused() -> None:
    """Without reuse detection a spent refresh token is refused and the session lives on."""
    with AuthorizationServer(detect_reuse=False) as server:
        first = login(server).json()
        second = refresh(server, first["refresh_token"]).json()
        assert refresh(server, first["refresh_token"]).status_code == 400
        assert server.reuse_events == 1
        assert refresh(server, second["refresh_token"]).status_code == 200


def test_each_refresh_extends_the_session(server: AuthorizationServer) -> None:
    """A session lives as long as it is refreshed within the lifetime of its refresh token."""
    token = login(server).json()["refresh_token"]
    for _ in range(3):
        server.advance(1799)
        token = refresh(server, token).json()["refresh_token"]
    server.advance(1800)
    assert server.sessions == ()
    assert refresh(server, token).json()["error"] == "invalid_grant"


def test_unknown_refresh_token_is_refused(server: AuthorizationServer) -> None:
    """A refresh token that the server never issued, an access token included, is invalid_grant."""
    for token in ("made up", service(server).json()["access_token"]):
        assert refresh(server, token).json()["error"] == "invalid_grant"


def test_missing_refresh_token_is_an_invalid_request(server: AuthorizationServer) -> None:
    """A refresh grant without a refresh token is an invalid request."""
    assert refresh(server, "").json()["error"] == "invalid_request"


def test_refresh_token_belongs_to_its_client(server: AuthorizationServer) -> None:
    """Another client cannot use a refresh token, and does no harm by trying."""
    server.add_client(Client("other", "other-secret"))
    token = login(server).json()["refresh_token"]
    response = refresh(server, token, client_id="other", client_secret="other-secret")
    assert response.json()["error"] == "invalid_grant"
    assert refresh(server, token).status_code == 200


def test_disabled_user_cannot_refresh(server: AuthorizationServer) -> None:
    """A user who was disabled since the login cannot refresh; the session waits."""
    token = login(server).json()["refresh_token"]
    server.disable_user("ada")
    assert refresh(server, token).json()["error"] == "invalid_grant"
    server.enable_user("ada")
    assert refresh(server, token).status_code == 200


def test_scope_can_be_narrowed_and_never_widened(server: AuthorizationServer) -> None:
    """A refresh may ask for less; the refresh token keeps the scope of the login."""
    first = login(server, scope="email profile").json()
    narrow = refresh(server, first["refresh_token"], scope="email").json()
    assert narrow["scope"] == "email"
    wide = refresh(server, narrow["refresh_token"], scope="email openid")
    assert wide.json()["error"] == "invalid_scope"
    assert refresh(server, narrow["refresh_token"]).json()["scope"] == "email profile"


def test_clients_own_session_can_be_refreshed() -> None:
    """A client's own refresh token works like a user's."""
    with AuthorizationServer(refresh_for_client_credentials=True) as server:
        token = service(server).json()["refresh_token"]
        answer = refresh(server, token).json()
        assert introspect(server, answer["access_token"]).json()["active"]
        assert [each.refreshes for each in server.sessions] == [1]


def test_refresh_may_be_forbidden_to_a_client() -> None:
    """A client without the refresh grant gets unauthorized_client."""
    client = Client("short", "short-secret", grants=("password",))
    with AuthorizationServer(clients=[client]) as server:
        token = login(server).json()["refresh_token"]
        assert refresh(server, token).json()["error"] == "unauthorized_client"


@pytest.mark.parametrize("username", [None, "ada"])
def test_administrator_ends_sessions(server: AuthorizationServer, username: str | None) -> None:
    """An administrator's logout kills access and refresh tokens of the sessions, others live."""
    answer = login(server).json()
    robot = service(server).json()["access_token"]
    server.revoke_sessions("nobody")
    assert call(server, answer["access_token"]).status_code == 200
    server.revoke_sessions(username)
    assert refresh(server, answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert call(server, answer["access_token"]).status_code == 401
    assert call(server, robot).status_code == 200


def test_revoked_access_tokens_leave_the_session(server: AuthorizationServer) -> None:
    """Revoking all access tokens leaves the refresh tokens working."""
    answer = login(server).json()
    server.revoke_access_tokens()
    assert call(server, answer["access_token"]).status_code == 401
    fresh = refresh(server, answer["refresh_token"]).json()["access_token"]
    assert call(server, fresh).status_code == 200


def test_revoke_all_leaves_nothing(server: AuthorizationServer) -> None:
    """Revoking everything kills sessions and tokens without a session too."""
    answer, robot = login(server).json(), service(server).json()
    server.revoke_all()
    assert server.sessions == ()
    for token in (answer["access_token"], robot["access_token"]):
        assert call(server, token).status_code == 401
    assert refresh(server, answer["refresh_token"]).status_code == 400


@pytest.mark.parametrize(("keys", "status"), [(True, 401), (False, 200)])
def test_reset_is_a_restart_with_an_empty_database(
    server: AuthorizationServer, keys: bool, status: int
) -> None:
    """A reset forgets sessions, kills access tokens with the keys, and keeps the accounts."""
    answer = login(server).json()
    server.reset(keys=keys)
    assert server.sessions == ()
    assert call(server, answer["access_token"]).status_code == status
    assert refresh(server, answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert server.number(login(server).json()["access_token"]) == 2


def test_numbers_are_of_this_server_only(server: AuthorizationServer) -> None:
    """Tokens are numbered from 1 each kind, listed in order, and strangers are an error."""
    answers = [login(server).json() for _ in range(3)]
    assert [server.number(each["access_token"]) for each in answers] == [1, 2, 3]
    assert [server.number(each["refresh_token"]) for each in answers] == [1, 2, 3]
    assert server.issued == tuple(each["access_token"] for each in answers)
    with pytest.raises(LookupError):
        server.number("access-token-1-guessed")
