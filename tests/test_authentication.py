"""The two functions that the user's existing code calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vathos
from tests.helpers import wait_for
from vathos.authentication import get_client_token, get_service_account_token
from vathos.config.settings import DEFAULT_TOKEN_URL, Settings, resolve
from vathos.errors import ConfigurationError, InvalidClientError, InvalidGrantError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault


@pytest.fixture(autouse=True)
def _token_url(monkeypatch: pytest.MonkeyPatch, vathos_server: AuthorizationServer) -> None:
    monkeypatch.setenv("VATHOS_TOKEN_URL", vathos_server.token_url)


def test_service_account_token_is_a_bearer_string(vathos_server: AuthorizationServer) -> None:
    """With a client id and a secret alone, a token that the API takes comes back."""
    server = vathos_server
    token = get_service_account_token(server.client_id, server.client_secret)
    assert server.number(token) == 1
    assert server.count("client_credentials") == 1


def test_user_token_uses_the_password_grant(vathos_server: AuthorizationServer) -> None:
    """With the four arguments, a person's token comes back."""
    server = vathos_server
    token = get_client_token(
        server.client_id, server.client_secret, server.username, server.password
    )
    assert server.number(token) == 1
    assert server.count("password") == 1


def test_second_call_answers_from_the_store(vathos_server: AuthorizationServer) -> None:
    """While the token is good, no further token request is made."""
    server = vathos_server
    first = get_service_account_token(server.client_id, server.client_secret)
    assert get_service_account_token(server.client_id, server.client_secret) == first
    assert server.count() == 1


def test_store_of_ones_own_is_used(vathos_server: AuthorizationServer) -> None:
    """A store given by keyword keeps the token apart from the process's own."""
    server = vathos_server
    first = get_service_account_token(server.client_id, server.client_secret)
    other = get_service_account_token(
        server.client_id, server.client_secret, store=MemoryStore(), scope=None
    )
    assert other != first


def test_wrong_secret_raises_invalid_client(vathos_server: AuthorizationServer) -> None:
    """A wrong secret is an InvalidClientError, not a KeyError."""
    with pytest.raises(InvalidClientError, match="VATHOS_CLIENT_SECRET"):
        get_service_account_token(vathos_server.client_id, "wrong")


def test_wrong_password_is_not_fooled_by_the_cache(vathos_server: AuthorizationServer) -> None:
    """A wrong password never finds the token that the right one obtained."""
    server = vathos_server
    get_client_token(server.client_id, server.client_secret, server.username, server.password)
    with pytest.raises(InvalidGrantError):
        get_client_token(server.client_id, server.client_secret, server.username, "wrong")


def test_empty_argument_is_named() -> None:
    """An empty argument raises an error that names it."""
    with pytest.raises(ConfigurationError, match="client_secret is empty"):
        get_service_account_token("robot", "")


def test_functions_are_public_names() -> None:
    """Both are importable from the package itself."""
    assert vathos.get_client_token is get_client_token
    assert vathos.get_service_account_token is get_service_account_token


def test_default_endpoint_is_the_vathos_service() -> None:
    """Without any setting the Vathos realm is asked."""
    assert DEFAULT_TOKEN_URL == (
        "https://auth.gke.vathos.net/auth/realms/picking/protocol/openid-connect/token"
    )


def test_functions_renew_ahead_of_time(vathos_server: AuthorizationServer) -> None:
    """A stale token is handed out and renewed in the background, as a session does."""
    server = vathos_server
    server.fail("token", Fault.expires_in(2))
    first = get_service_account_token(server.client_id, server.client_secret)
    server.fail("token", Fault.delay(0.05))
    wait_for(lambda: get_service_account_token(server.client_id, server.client_secret) != first)
    assert server.count() == 2


def test_settings_are_read_once_until_they_change(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A call costs no look at the settings, until a variable or the configuration file changes."""
    server, reads = vathos_server, []

    def resolved(*args: Any, **kwargs: Any) -> Settings:
        reads.append(1)
        return resolve(*args, **kwargs)

    monkeypatch.setattr("vathos.authentication.resolve", resolved)
    config = tmp_path / "config.toml"
    config.touch(0o600)
    monkeypatch.setenv("VATHOS_CONFIG", str(config))
    for change in (
        lambda: None,
        lambda: monkeypatch.setenv("VATHOS_TOKEN_TIMEOUT", "7"),
        lambda: config.write_text("# a comment\n"),
    ):
        change()
        before = len(reads)
        for _ in range(50):
            get_service_account_token(server.client_id, server.client_secret)
        assert len(reads) == before + 1
    assert server.count() == 1


def test_other_arguments_are_another_source(vathos_server: AuthorizationServer) -> None:
    """What is remembered for one set of arguments never answers for another one."""
    server = vathos_server
    token = get_service_account_token(server.client_id, server.client_secret)
    scoped = get_service_account_token(server.client_id, server.client_secret, scope=["openid"])
    person = get_client_token(
        server.client_id, server.client_secret, server.username, server.password
    )
    assert len({token, scoped, person}) == 3
    with pytest.raises(InvalidClientError):
        get_service_account_token(server.client_id, "wrong")


def test_misspelt_argument_is_named() -> None:
    """An argument that neither function knows is an error with the one that was meant."""
    with pytest.raises(TypeError, match=r"unknown argument tiemout \(did you mean 'timeout'\?\)"):
        get_service_account_token("picking", "robot", tiemout=3)  # type: ignore[call-arg]
