"""Issuer discovery: the document is checked, cached, and never in the way of a renewal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import PATIENCE, join_background
from tests.wire import Connection, Wire, answering
from vathos import VathosSession, get_service_account_token
from vathos.errors import (
    ConfigurationError,
    InsecureTransportError,
    TokenResponseError,
    VathosError,
)
from vathos.oauth import discovery
from vathos.oauth.client_authentication import Occasion
from vathos.oauth.discovery import DiscoveredEndpoint, audience_of, discover
from vathos.oauth.transport import Transport
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault
from vathos.tokens import now


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    discovery.forget()
    return tmp_path / "vathos" / "issuers"


def session_of(server: AuthorizationServer) -> VathosSession:
    """Builds a session that knows the issuer alone."""
    return VathosSession(
        server.client_id,
        server.client_secret,
        issuer=server.issuer,
        base_url=server.api_url,
        store=MemoryStore(),
    )


def asked(server: AuthorizationServer) -> int:
    """Counts how often the document was asked for."""
    return sum(request.endpoint == "discovery" for request in server.requests)


def document(server: AuthorizationServer, **changes: Any) -> dict[str, Any]:
    """Returns the issuer's document, changed."""
    return {"issuer": server.issuer, "token_endpoint": server.token_url, **changes}


def test_issuer_is_enough(vathos_server: AuthorizationServer) -> None:
    """A session that knows the issuer finds the token endpoint by its document, once."""
    session = session_of(vathos_server)
    assert asked(vathos_server) == 0
    assert session.get("x").status_code == 200
    session.fetch_token()
    assert asked(vathos_server) == 1


def test_endpoint_may_be_logged() -> None:
    """The text form names the issuer."""
    endpoint = DiscoveredEndpoint("https://as.example/realms/r")
    assert repr(endpoint) == "DiscoveredEndpoint('https://as.example/realms/r')"


def test_functions_take_the_issuer_from_the_environment(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`VATHOS_ISSUER` is used instead of the token URL."""
    monkeypatch.setenv("VATHOS_ISSUER", vathos_server.issuer)
    token = get_service_account_token(vathos_server.client_id, vathos_server.client_secret)
    assert vathos_server.number(token) == 1


def test_document_is_cached_beyond_the_process(
    vathos_server: AuthorizationServer, cache: Path
) -> None:
    """What another process has read is not read again."""
    session_of(vathos_server).get("x")
    assert len(list(cache.iterdir())) == 1
    discovery.forget()
    session_of(vathos_server).get("x")
    assert asked(vathos_server) == 1


def test_old_document_serves_while_it_is_read_anew(
    vathos_server: AuthorizationServer, cache: Path
) -> None:
    """No renewal waits for discovery: an old document is used, and read again in the background."""
    session = session_of(vathos_server)
    session.get("x")
    (file,) = cache.iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), "read_at": time.time() - 86_401}))
    discovery.forget()
    vathos_server.fail("discovery", Fault.status(503), times=None)
    session.fetch_token()
    join_background()
    assert session.fetch_token()
    join_background()
    assert asked(vathos_server) == 3


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"issuer": 5}', "nonsense"])
def test_spoilt_cache_is_read_past(
    vathos_server: AuthorizationServer, cache: Path, content: str
) -> None:
    """A cache file that is no document of the issuer is as good as none."""
    session_of(vathos_server).get("x")
    (file,) = cache.iterdir()
    file.write_text(content)
    discovery.forget()
    assert session_of(vathos_server).get("x").status_code == 200
    assert asked(vathos_server) == 2


def test_no_place_for_a_cache_is_no_failure(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a home, or with a folder that cannot be made, discovery works all the same."""
    for folder in ("", "/proc/no-such-folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        monkeypatch.delenv("HOME", raising=False)
        discovery.forget()
        assert session_of(vathos_server).get("x").status_code == 200


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"issuer": "https://other.example"}, TokenResponseError, "is the document of the issuer"),
        ({"token_endpoint": None}, TokenResponseError, "names no token_endpoint"),
        (
            {"token_endpoint": "https://other.example/token"},
            InsecureTransportError,
            "not on the origin of its issuer",
        ),
        (
            {"token_endpoint": "http://other.example/token"},
            InsecureTransportError,
            "plain http",
        ),
    ],
)
def test_document_of_somebody_else_is_refused(
    vathos_server: AuthorizationServer,
    changes: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    """The issuer must be the one asked for, and its endpoints on its own origin (RFC 8414 §3.3)."""
    vathos_server.fail("discovery", Fault.json(document(vathos_server, **changes)), times=None)
    with pytest.raises(error, match=words):
        session_of(vathos_server).get("x")
    assert vathos_server.count() == 0


@pytest.mark.fault(42)
def test_document_of_another_issuer_starts_the_backoff(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken document is not asked for again and again, however many calls are made."""
    odd = document(vathos_server, issuer="https://other.example")
    vathos_server.fail("discovery", Fault.json(odd), times=None)
    asked, get = [], discovery.get
    monkeypatch.setattr(
        discovery, "get", lambda url, **rest: (asked.append(url), get(url, **rest))[1]
    )
    session = session_of(vathos_server)
    for _ in range(20):
        with pytest.raises(VathosError):
            session.get("x", timeout=0.05)
    assert len(asked) < 10


def test_what_is_no_document_is_refused(vathos_server: AuthorizationServer) -> None:
    """A page instead of the document is named."""
    vathos_server.fail("discovery", Fault.html(), times=None)
    with pytest.raises(TokenResponseError, match="is no discovery document"):
        session_of(vathos_server).get("x")


def test_missing_document_says_what_may_be_wrong(vathos_server: AuthorizationServer) -> None:
    """Both well-known places are tried, then the message speaks of the path."""
    issuer = vathos_server.issuer.replace("/realms/picking", "/realms/nowhere")
    with pytest.raises(TokenResponseError, match=r"HTTP 404.*'/auth' may be too much"):
        discover(issuer, Transport(), 5)
    issuer = vathos_server.issuer.replace("/auth/", "/")
    with pytest.raises(TokenResponseError, match=r"'/auth' may be missing"):
        discover(issuer, Transport(), 5)


def test_server_error_is_not_taken_for_a_missing_document(
    vathos_server: AuthorizationServer,
) -> None:
    """A busy server is not asked in the other place as well."""
    vathos_server.fail("discovery", Fault.status(503))
    with pytest.raises(TokenResponseError, match="HTTP 503"):
        discover(vathos_server.issuer, Transport(), 5)
    assert asked(vathos_server) == 1


def revocations(server: AuthorizationServer) -> list[int | None]:
    """Lists the statuses of the answers of the revocation endpoint."""
    return [each.status for each in server.requests if each.endpoint == "revocation"]


def test_revocation_follows_the_document(vathos_server: AuthorizationServer) -> None:
    """`revoke` asks where the document says, else beside the token endpoint."""
    for named in ({"revocation_endpoint": vathos_server.revocation_url}, {}):
        vathos_server.fail("discovery", Fault.json(document(vathos_server, **named)))
        discover(vathos_server.issuer, Transport(), 5)
        session = session_of(vathos_server)
        session.fetch_token()
        session.revoke()
    assert revocations(vathos_server) == [200, 200]


def test_document_without_a_known_revocation_endpoint(vathos_server: AuthorizationServer) -> None:
    """If the document names none and there is no such neighbour, `revoke` asks for the URL."""
    odd = document(vathos_server, token_endpoint=vathos_server.token_url + "s")
    vathos_server.fail("discovery", Fault.json(odd))
    discover(vathos_server.issuer, Transport(), 5)
    with pytest.raises(ConfigurationError, match="pass its URL"):
        session_of(vathos_server).revoke()
    assert revocations(vathos_server) == []


# --- the audience of an assertion ---------------------------------------------------------------


def occasion(url: str, issuer: str | None = None) -> Occasion:
    """A token request at a URL."""
    return Occasion("robot", url, issuer, Transport(), now, time.monotonic() + PATIENCE)


def test_audience_is_the_issuer_that_was_given() -> None:
    """With an issuer nothing is asked."""
    assert audience_of(occasion("https://as.example", "https://as.example")) == "https://as.example"


def test_audience_of_keycloak_is_its_realm() -> None:
    """The realm is a part of Keycloak's token URL, so nothing is asked either."""
    realm = "https://as.example/auth/realms/picking"
    assert audience_of(occasion(f"{realm}/protocol/openid-connect/token")) == realm


@pytest.mark.parametrize("path", ["", "/tenant"])
def test_audience_is_found_by_discovery(path: str) -> None:
    """The issuer whose document names the token endpoint is found, and asked for once."""

    def serve(connection: Connection) -> None:
        asked = connection.read_request().line.split(" ")[1]
        body = {"issuer": origin + path, "token_endpoint": f"{origin}{path}/v1/token"}
        found = asked == f"{path}/.well-known/openid-configuration"
        content = json.dumps(body).encode() if found else b""
        status = b"200 OK" if found else b"404 Not Found"
        connection.send(
            b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content)
        )

    with Wire(serve) as wire:
        origin = f"http://127.0.0.1:{wire.port}"
        assert audience_of(occasion(f"{origin}{path}/v1/token")) == origin + path
        asked = len(wire.connections)
        assert audience_of(occasion(f"{origin}{path}/v1/token")) == origin + path
        assert len(wire.connections) == asked


def test_audience_that_is_not_known_is_an_error() -> None:
    """A token endpoint that no document names needs an issuer in the settings."""
    with Wire(answering(status="404 Not Found")) as wire:
        url = f"http://127.0.0.1:{wire.port}/v1/token"
        with pytest.raises(ConfigurationError, match=r"issuer=, VATHOS_ISSUER"):
            audience_of(occasion(url))
