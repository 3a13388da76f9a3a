"""Revoking and forgetting: what is left at the server, in the store and at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from vathos import VathosSession
from vathos.errors import ConfigurationError, TokenRequestError, TokenResponseError
from vathos.oauth.revocation import revocation_url
from vathos.stores.file import FileStore
from vathos.testing import AuthorizationServer, Fault

TOKEN_URL = "https://as.example/realms/r/protocol/openid-connect/token"


@pytest.fixture
def session(vathos_server: AuthorizationServer, tmp_path: Path) -> VathosSession:
    """A person's session with a token."""
    session = VathosSession(**vathos_server.person, store=FileStore(tmp_path / "tokens"))
    assert session.get("ping").status_code == 200
    return session


def revocations(server: AuthorizationServer) -> list[str]:
    """Lists the kinds of token that were revoked, in order."""
    requests = [each for each in server.requests if each.endpoint == "revocation"]
    return [each.form["token_type_hint"] for each in requests]


def test_revoking_ends_the_login(
    session: VathosSession, vathos_server: AuthorizationServer
) -> None:
    """The refresh token is revoked, then the access token; no session is left at the server."""
    assert len(vathos_server.sessions) == 1
    session.revoke()
    assert revocations(vathos_server) == ["refresh_token", "access_token"]
    assert vathos_server.sessions == ()
    assert session.token == {}


def test_next_request_logs_in_again(
    session: VathosSession, vathos_server: AuthorizationServer
) -> None:
    """A session that was revoked can be used again."""
    session.revoke()
    assert session.get("ping").status_code == 200
    assert vathos_server.count("password") == 2
    assert vathos_server.count("refresh_token") == 0


def test_revoking_empties_the_store(
    session: VathosSession, vathos_server: AuthorizationServer, tmp_path: Path
) -> None:
    """Others who share the store do not find the revoked token."""
    session.revoke()
    other = VathosSession(**vathos_server.person, store=FileStore(tmp_path / "tokens"))
    assert other.token == {}
    assert not list((tmp_path / "tokens").glob("*.json"))


def test_token_that_only_the_store_has_is_revoked(
    session: VathosSession, vathos_server: AuthorizationServer, tmp_path: Path
) -> None:
    """A later process can end the login of an earlier one."""
    later = VathosSession(**vathos_server.person, store=FileStore(tmp_path / "tokens"))
    later.revoke()
    assert vathos_server.sessions == ()
    assert vathos_server.count() == 1


def test_revoking_without_a_token_asks_nobody(vathos_server: AuthorizationServer) -> None:
    """Where there is no token, there is nothing to revoke."""
    VathosSession(**vathos_server.person, store="memory:").revoke()
    assert vathos_server.requests == ()


def test_revoking_twice_is_harmless(
    session: VathosSession, vathos_server: AuthorizationServer
) -> None:
    """The second time there is nothing left."""
    session.revoke()
    session.revoke()
    assert len(revocations(vathos_server)) == 2


def test_service_account_has_only_an_access_token(vathos_server: AuthorizationServer) -> None:
    """Without a refresh token, the access token alone is revoked."""
    session = VathosSession(**vathos_server.service_account)
    assert session.get("ping").status_code == 200
    session.revoke()
    assert revocations(vathos_server) == ["access_token"]
    assert session.get("ping").status_code == 200
    assert vathos_server.count() == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.status(503), TokenResponseError),
        (Fault.json({"error": "invalid_client"}, status=401), TokenResponseError),
        (Fault.drop_before(), TokenRequestError),
    ],
    ids=["503", "refused", "dropped"],
)
def test_token_is_kept_when_revoking_fails(
    session: VathosSession, vathos_server: AuthorizationServer, fault: Fault, error: type[Exception]
) -> None:
    """What the server did not revoke is kept, so that one can try again."""
    vathos_server.fail("revocation", fault)
    with pytest.raises(error):
        session.revoke()
    assert session.token != {}
    session.revoke()
    assert vathos_server.sessions == ()


def test_server_that_revokes_refresh_tokens_only_is_fine(
    session: VathosSession, vathos_server: AuthorizationServer
) -> None:
    """`unsupported_token_type` for the access token is no failure (RFC 7009 §2.2.1)."""
    unsupported = Fault.json({"error": "unsupported_token_type"}, status=400)
    vathos_server.fail("revocation", unsupported, times=2)
    session.revoke()
    assert session.token == {}


def test_error_tells_no_secret(session: VathosSession, vathos_server: AuthorizationServer) -> None:
    """The message names the endpoint, the status and the code, and nothing that was sent."""
    echo = {"error": vathos_server.password + "!", "error_description": vathos_server.password}
    vathos_server.fail("revocation", Fault.json(echo, status=400))
    with pytest.raises(TokenResponseError) as caught:
        session.revoke()
    assert vathos_server.password not in str(caught.value)
    assert f"{vathos_server.revocation_url} answered HTTP 400" in str(caught.value)


def test_forgetting_asks_nobody(session: VathosSession, vathos_server: AuthorizationServer) -> None:
    """`forget` deletes the token here and in the store; at the server the login lives on."""
    session.forget()
    assert session.token == {}
    assert revocations(vathos_server) == []
    assert len(vathos_server.sessions) == 1
    assert session.get("ping").status_code == 200
    assert vathos_server.count("password") == 2


def test_session_without_a_grant_has_nothing_to_revoke() -> None:
    """A plain OAuth2Session keeps its token itself."""
    with pytest.raises(ConfigurationError, match="needs a session with client id"):
        VathosSession("id", token={"access_token": "a"}).revoke()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, TOKEN_URL.removesuffix("token") + "revoke"),
        ("https://as.example/oauth/revoke", "https://as.example/oauth/revoke"),
        ("http://127.0.0.1:1/revoke", "http://127.0.0.1:1/revoke"),
    ],
)
def test_revocation_endpoint_is_the_neighbour_or_given(given: str | None, found: str) -> None:
    """Keycloak has it beside the token endpoint; any other URL can be given."""
    assert revocation_url(TOKEN_URL, given) == found


@pytest.mark.parametrize(
    ("token_url", "given", "words"),
    [
        ("https://as.example/oauth2/v1", None, "pass its URL"),
        (TOKEN_URL, "http://as.example/revoke", "must start with https://"),
        (TOKEN_URL, "revoke", "is not a URL"),
    ],
)
def test_unusable_revocation_url_is_named(token_url: str, given: str | None, words: str) -> None:
    """Where nothing is known, or tokens would leave in clear, an error says what to pass."""
    with pytest.raises(ConfigurationError, match=words):
        revocation_url(token_url, given)
