"""The Keycloak dialect: its status codes, its texts, its members, its brute force protection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.testing.plain import credentials, login, refresh, revoke, send, service
from vathos.testing import AuthorizationServer, Client

CLIENT = "Invalid client or Invalid client credentials"
USER = "Invalid user credentials"


@pytest.fixture
def keycloak() -> Iterator[AuthorizationServer]:
    """A server that speaks Keycloak and whose clock stands still."""
    with AuthorizationServer(dialect="keycloak", clock=lambda: 1000.0) as server:
        yield server


def said(response: requests.Response) -> tuple[int, str, str]:
    """Status, error and description of a refusal."""
    answer = response.json()
    return response.status_code, answer["error"], answer["error_description"]


def test_unknown_dialect_is_an_error() -> None:
    """A dialect that does not exist is refused, with those that do."""
    with pytest.raises(ValueError, match="rfc, keycloak"):
        AuthorizationServer(dialect="okta")


def test_service_account_answer_has_keycloaks_members(keycloak: AuthorizationServer) -> None:
    """Without a refresh token Keycloak says refresh_expires_in: 0 and not-before-policy: 0."""
    answer = service(keycloak).json()
    assert (answer["refresh_expires_in"], answer["not-before-policy"]) == (0, 0)
    assert "refresh_token" not in answer
    assert login(keycloak).json()["refresh_expires_in"] == 1800


def test_client_refusals(keycloak: AuthorizationServer) -> None:
    """A wrong secret is unauthorized_client, an unknown or disabled client invalid_client."""
    assert said(service(keycloak, client_secret="x")) == (401, "unauthorized_client", CLIENT)
    assert said(service(keycloak, client_id="x")) == (401, "invalid_client", CLIENT)
    keycloak.disable_client("robot")
    assert said(service(keycloak)) == (401, "invalid_client", CLIENT)


def test_disabled_service_account(keycloak: AuthorizationServer) -> None:
    """The user behind a client can be disabled: 401 invalid_request, for that grant alone."""
    keycloak.disable_user("service-account-robot")
    assert said(service(keycloak)) == (
        401,
        "invalid_request",
        "User 'service-account-robot' disabled",
    )
    assert login(keycloak).status_code == 200
    keycloak.enable_user("service-account-robot")
    assert service(keycloak).status_code == 200


def test_grant_refusals(keycloak: AuthorizationServer) -> None:
    """Grants that are missing, unknown or not allowed have Keycloak's words."""
    keycloak.add_client(Client("mute", "mute-secret", grants=()))
    mute = {"client_id": "mute", "client_secret": "mute-secret"}
    assert said(service(keycloak, **mute)) == (
        401,
        "unauthorized_client",
        "Client not enabled to retrieve service account",
    )
    assert said(service(keycloak, grant_type="")) == (
        400,
        "invalid_request",
        "Missing form parameter: grant_type",
    )
    assert said(service(keycloak, grant_type="x")) == (
        400,
        "unsupported_grant_type",
        "Unsupported grant_type",
    )
    assert said(login(keycloak, username="")) == (
        401,
        "invalid_request",
        "Missing parameter: username",
    )


def test_password_client_refusal(keycloak: AuthorizationServer) -> None:
    """A client without direct access grants is told so with 400, whatever the password."""
    client = Client("service", "service-secret", grants=("client_credentials",))
    keycloak.add_client(client)
    form = {"client_id": "service", "client_secret": "service-secret", "password": "wrong"}
    assert said(login(keycloak, **form)) == (
        400,
        "unauthorized_client",
        "Client not allowed for direct access grants",
    )


def test_user_refusals(keycloak: AuthorizationServer) -> None:
    """A wrong password and an unknown user get one answer; disabled users differ."""
    assert said(login(keycloak, password="wrong")) == (400, "invalid_grant", USER)
    assert said(login(keycloak, username="nobody")) == (400, "invalid_grant", USER)
    keycloak.disable_user("ada")
    assert said(login(keycloak)) == (400, "invalid_grant", "Account disabled")


def test_refresh_refusals(keycloak: AuthorizationServer) -> None:
    """Each way to lose a refresh token has its own text."""
    assert said(refresh(keycloak, "x")) == (400, "invalid_grant", "Invalid refresh token")
    spent = login(keycloak).json()["refresh_token"]
    refresh(keycloak, spent)
    reused = said(refresh(keycloak, spent))
    assert reused[2] == "Maximum allowed refresh token reuse exceeded"
    assert said(refresh(keycloak, spent))[2] == "Session not active"
    token = login(keycloak).json()["refresh_token"]
    keycloak.disable_user("ada")
    assert said(refresh(keycloak, token))[2] == "User disabled"
    keycloak.advance(1800)
    assert said(refresh(keycloak, token))[2] == "Token is not active"


def test_two_quick_failures_lock_the_user(keycloak: AuthorizationServer) -> None:
    """Two failures within a second lock the user for a minute, in the words of a wrong one."""
    login(keycloak, password="wrong")
    keycloak.advance(0.9)
    login(keycloak, password="wrong")
    assert said(login(keycloak)) == (400, "invalid_grant", USER)
    keycloak.advance(59)
    assert login(keycloak).status_code == 400
    keycloak.advance(1)
    assert login(keycloak).status_code == 200


def test_failures_while_locked_do_not_count(keycloak: AuthorizationServer) -> None:
    """Trying on while locked does not make the lock longer."""
    for _ in range(5):
        login(keycloak, password="wrong")
        keycloak.advance(0.5)
    keycloak.advance(58)
    assert login(keycloak).status_code == 200


def test_slow_failures_do_not_lock(keycloak: AuthorizationServer) -> None:
    """Failures a second apart, or with a success between them, lock nobody."""
    for _ in range(3):
        login(keycloak, password="wrong")
        keycloak.advance(1)
    login(keycloak, password="wrong")
    assert login(keycloak).status_code == 200
    login(keycloak, password="wrong")
    assert login(keycloak).status_code == 200


@pytest.mark.parametrize("cure", ["enable_user", "reset"])
def test_administrator_unlocks(keycloak: AuthorizationServer, cure: str) -> None:
    """Enabling the user or resetting the server ends a lock."""
    login(keycloak, password="wrong")
    login(keycloak, password="wrong")
    assert login(keycloak).status_code == 400
    getattr(keycloak, cure)(*(["ada"] if cure == "enable_user" else []))
    assert login(keycloak).status_code == 200


def test_rfc_dialect_locks_nobody(server: AuthorizationServer) -> None:
    """Brute force protection belongs to the Keycloak dialect."""
    for _ in range(3):
        login(server, password="wrong")
    assert login(server).status_code == 200


def test_foreign_revocation_refusal(keycloak: AuthorizationServer) -> None:
    """Revoking another client's token is an invalid request about unmatching clients."""
    keycloak.add_client(Client("other", "other-secret"))
    other = {"client_id": "other", "client_secret": "other-secret"}
    token = service(keycloak, **other).json()["access_token"]
    assert said(revoke(keycloak, token)) == (400, "invalid_request", "Unmatching clients")
    refresh_token = login(keycloak).json()["refresh_token"]
    assert said(refresh(keycloak, refresh_token, **other))[2].endswith("don't match")


def test_duplicates_and_methods_have_keycloaks_words(keycloak: AuthorizationServer) -> None:
    """Doubled parameters and other methods are refused in Keycloak's words."""
    form = [("grant_type", "client_credentials"), *credentials(keycloak).items(), ("x", "1")] * 2
    assert said(send("POST", keycloak.token_url, data=form))[2] == "duplicated parameter"
    assert said(send("GET", keycloak.token_url))[:2] == (405, "invalid_request")
