"""With every logger at DEBUG, nothing the server knows appears anywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import oauthlib
import pytest

from tests.testing.plain import basic, call, introspect, login, refresh, revoke, send, service
from vathos.testing import AuthorizationServer, Client, User

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
