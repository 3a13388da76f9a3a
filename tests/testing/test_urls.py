"""The URLs of a server: discovery (RFC 8414), its realm, and unknown paths."""

from __future__ import annotations

import pytest

from tests.testing.plain import send, service
from vathos.testing import AuthorizationServer


def test_discovery_names_the_endpoints(server: AuthorizationServer) -> None:
    """The discovery document is at the OpenID place and at both readings of RFC 8414."""
    path = server.issuer.split("/", 3)[3]
    origin = server.api_url.removesuffix("/v1")
    places = (
        server.discovery_url,
        f"{server.issuer}/.well-known/oauth-authorization-server",
        f"{origin}/.well-known/oauth-authorization-server/{path}",
    )
    documents = [send("GET", place).json() for place in places]
    assert documents[0] == documents[1] == documents[2]
    assert documents[0]["issuer"] == server.issuer
    assert documents[0]["token_endpoint"] == server.token_url
    assert documents[0]["revocation_endpoint"] == server.revocation_url
    assert documents[0]["introspection_endpoint"] == server.introspection_url
    assert "password" in documents[0]["grant_types_supported"]
    assert documents[0]["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
    ]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/auth/realms/other/protocol/openid-connect/token", "Realm does not exist"),
        ("/realms/picking/protocol/openid-connect/token", "Unable to find matching target"),
        ("/auth/realms/picking/protocol/openid-connect/tokens", "Unable to find matching target"),
        ("/", "Unable to find matching target"),
    ],
)
def test_unknown_paths_are_worded_as_keycloak_does(
    server: AuthorizationServer, path: str, error: str
) -> None:
    """A wrong realm and a wrong prefix have Keycloak's 404 answers, and are no token requests."""
    response = send("POST", server.api_url.removesuffix("/v1") + path)
    assert response.status_code == 404
    assert response.json()["error"].startswith(error)
    assert server.count() == 0
    assert [each.endpoint for each in server.requests] == ["unknown"]


def test_realm_is_part_of_the_urls() -> None:
    """The realm given to the constructor is in the URLs."""
    with AuthorizationServer(realm="packing") as server:
        assert server.issuer.endswith("/auth/realms/packing")
        assert service(server).status_code == 200
