"""The token endpoint against RFC 6749 §2.3, §3.2, §4.3, §4.4 and §5; nothing secret is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import oauthlib
import pytest

from tests.testing.plain import (
    basic,
    call,
    credentials,
    introspect,
    login,
    refresh,
    revoke,
    send,
    service,
)
from vathos.testing import AuthorizationServer, Client, User


def test_client_credentials_answer_has_the_members_of_the_rfc(server: AuthorizationServer) -> None:
    """A client credentials answer has token, type, whole seconds and scope, and nothing else."""
    response = service(server)
    answer = response.json()
    assert response.status_code == 200
    assert answer.pop("access_token").startswith("access-token-1-")
    assert answer == {"token_type": "Bearer", "expires_in": 300, "scope": "openid profile email"}
    assert server.sessions == ()


def test_token_answers_are_not_to_be_stored(server: AuthorizationServer) -> None:
    """Token answers and refusals forbid caching (§5.1, §5.2)."""
    for response in (service(server), service(server, client_secret="wrong")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Type"] == "application/json"


def test_password_answer_has_a_refresh_token_and_opens_a_session(
    server: AuthorizationServer,
) -> None:
    """A password answer has a refresh token, and each of them opens a session."""
    answer = login(server).json()
    login(server)
    assert answer["refresh_token"].startswith("refresh-token-1-")
    assert answer["refresh_expires_in"] == 1800
    assert [(each.username, each.client_id, each.refreshes) for each in server.sessions] == [
        ("ada", "robot", 0),
        ("ada", "robot", 0),
    ]


def test_basic_credentials_are_form_urlencoded() -> None:
    """A secret with every kind of character passes through Basic when it is urlencoded (§2.3.1)."""
    with AuthorizationServer(clients=[Client("röbot:1", "s%cret:+ü &")]) as server:
        encoded = basic("r%C3%B6bot%3A1", "s%25cret%3A%2B%C3%BC+%26")
        data = {"grant_type": "client_credentials"}
        assert send("POST", server.token_url, data=data, headers=encoded).status_code == 200
        plain = basic("röbot", "s%cret")
        assert send("POST", server.token_url, data=data, headers=plain).status_code == 401


def test_basic_may_repeat_its_client_id_in_the_form(server: AuthorizationServer) -> None:
    """A client identifier in the form beside Basic is fine if it is the same one."""
    headers = basic(server.client_id, server.client_secret)
    data = {"grant_type": "client_credentials", "client_id": server.client_id}
    assert send("POST", server.token_url, data=data, headers=headers).status_code == 200
    data["client_id"] = "other"
    assert send("POST", server.token_url, data=data, headers=headers).status_code == 401


def test_two_client_authentications_are_refused(server: AuthorizationServer) -> None:
    """Basic and a secret in the form at once are an invalid request (§2.3)."""
    headers = basic(server.client_id, server.client_secret)
    data = {"grant_type": "client_credentials", **credentials(server)}
    response = send("POST", server.token_url, data=data, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "form",
    [{"client_secret": "wrong"}, {"client_id": "nobody"}, {"client_secret": ""}, {"client_id": ""}],
)
def test_failed_client_authentication_is_401(
    server: AuthorizationServer, form: dict[str, str]
) -> None:
    """Wrong, unknown and missing clients are 401 invalid_client with a Basic challenge (§5.2)."""
    response = service(server, **form)
    assert response.status_code == 401
    assert response.json()["error"] == "invalid_client"
    assert response.headers["WWW-Authenticate"] == 'Basic realm="picking"'
    assert server.issued == ()


@pytest.mark.parametrize("value", ["Basic !!!", "Basic bm9jb2xvbg==", "Basic /w==", "Bearer x"])
def test_malformed_authorization_is_no_authentication(
    server: AuthorizationServer, value: str
) -> None:
    """An Authorization header that is no Basic credential authenticates nobody."""
    data = {"grant_type": "client_credentials"}
    response = send("POST", server.token_url, data=data, headers={"Authorization": value})
    assert response.status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_gets_tokens(server: AuthorizationServer, method: str) -> None:
    """Any other method at the token endpoint is 405 and is counted."""
    response = send(method, server.token_url, data={"grant_type": "client_credentials"})
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert server.count() == 1


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("scope=email", "invalid_request"),
        ("grant_type=&scope=email", "invalid_request"),
        ("grant_type=authorization_code", "unsupported_grant_type"),
        ("grant_type=password&grant_type=password", "invalid_request"),
    ],
)
def test_malformed_token_requests_are_refused(
    server: AuthorizationServer, form: str, error: str
) -> None:
    """A missing, empty, unknown or doubled grant type has its error code."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = send("POST", server.token_url, data=form, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"] == error


def test_json_is_not_a_token_request(server: AuthorizationServer) -> None:
    """A JSON body is not read: its grant type is missing."""
    body = {"grant_type": "client_credentials", **credentials(server)}
    response = send("POST", server.token_url, json=body)
    assert response.json()["error"] == "invalid_request"


def test_parameters_in_the_url_are_refused(server: AuthorizationServer) -> None:
    """Credentials do not belong into the URL of the token endpoint (§2.3.1)."""
    data = {"grant_type": "client_credentials", **credentials(server)}
    response = send("POST", server.token_url + "?audience=api", data=data)
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize("form", [{"username": ""}, {"password": ""}])
def test_missing_user_credentials_are_an_invalid_request(
    server: AuthorizationServer, form: dict[str, str]
) -> None:
    """A password grant without user name or password is an invalid request."""
    response = login(server, **form)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


def test_wrong_users_are_invalid_grants(server: AuthorizationServer) -> None:
    """Wrong password, unknown user and disabled user are one answer: 400 invalid_grant."""
    wrong = login(server, password="wrong")
    unknown = login(server, username="nobody")
    server.disable_user("ada")
    disabled = login(server)
    assert wrong.status_code == 400
    assert wrong.json()["error"] == "invalid_grant"
    assert wrong.text == unknown.text == disabled.text
    server.enable_user("ada")
    assert login(server).status_code == 200


def test_clients_use_only_their_grants() -> None:
    """A grant that the client may not use is unauthorized_client."""
    client = Client("mute", "mute-secret", grants=())
    with AuthorizationServer(clients=[client]) as server:
        response = service(server)
        assert response.status_code == 400
        assert response.json()["error"] == "unauthorized_client"
        assert login(server).json()["error"] == "unauthorized_client"


def test_scopes_are_granted_as_asked(server: AuthorizationServer) -> None:
    """The granted scope is the one asked for, everything if none, and never more."""
    assert service(server, scope="email").json()["scope"] == "email"
    assert service(server, scope="").json()["scope"] == "openid profile email"
    response = service(server, scope="email admin")
    assert response.status_code == 400
    assert response.json() == {
        "error": "invalid_scope",
        "error_description": "Invalid scopes: admin",
    }


def test_client_without_scopes_gets_no_scope() -> None:
    """An answer that grants no scope has no scope member."""
    with AuthorizationServer(clients=[Client("bare", "bare-secret", scopes=())]) as server:
        assert "scope" not in service(server).json()


def test_client_credentials_may_get_refresh_tokens() -> None:
    """When asked to, the server gives clients refresh tokens and sessions of their own."""
    with AuthorizationServer(refresh_for_client_credentials=True) as server:
        answer = service(server).json()
        assert answer["refresh_token"].startswith("refresh-token-1-")
        assert [each.username for each in server.sessions] == [None]


SECRET, PASSWORD = "canary-secret-4711", "canary-password-4711"


class Everything(logging.Handler):
    """Keeps every record as text, with its arguments and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one record."""
        self.lines.append(f"{record.name} {self.format(record)} {record.args!r}")


@pytest.fixture
def everything() -> Iterator[Everything]:
    """Every logger at DEBUG, oauthlib's own debug switch included."""
    handler, root = Everything(), logging.getLogger()
    names = [None, *logging.Logger.manager.loggerDict]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    oauthlib.set_debug(True)
    yield handler
    oauthlib.set_debug(False)
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_nothing_secret_is_logged_or_printed(
    everything: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    """Grants, refusals, revocation, introspection and API calls leave no secret behind."""
    clients, users = [Client("robot", SECRET)], [User("ada", PASSWORD)]
    with AuthorizationServer(clients=clients, users=users) as server:
        answer = login(server).json()
        rotated = refresh(server, answer["refresh_token"]).json()
        refresh(server, answer["refresh_token"])
        refresh(server, rotated["refresh_token"], scope="nonsense")
        headers = basic("robot", SECRET)
        send("POST", server.token_url, data={"grant_type": "client_credentials"}, headers=headers)
        service(server, client_secret=SECRET + "x")
        login(server, password=PASSWORD + "x")
        login(server, username=PASSWORD, scope="nonsense")
        last = service(server).json()["access_token"]
        introspect(server, last)
        call(server, last)
        revoke(server, last)
        call(server, last)
        secrets = [SECRET, PASSWORD, *server.issued, answer["refresh_token"]]
    told = "\n".join(everything.lines) + "".join(capfd.readouterr())
    for secret in (*secrets, rotated["refresh_token"], "access-token-"):
        assert secret not in told
    assert "oauthlib" not in told


def test_oauthlib_speaks_elsewhere(everything: Everything, server: AuthorizationServer) -> None:
    """What oauthlib logs outside of the server's threads is still heard."""
    service(server)
    logging.getLogger("oauthlib.oauth2.rfc6749.grant_types.base").debug("heard")
    assert any("heard" in line for line in everything.lines)
