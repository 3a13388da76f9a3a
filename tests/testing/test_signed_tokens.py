"""Access tokens that are JWTs, verified as an API does it: by the keys that are published."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from tests.testing.plain import login, send, service
from vathos import VathosSession
from vathos.testing import AuthorizationServer


def verified(server: AuthorizationServer, token: str, algorithm: str = "ES256") -> dict[str, Any]:
    """Verifies a token with nothing but the issuer's address, as an API does."""
    document = send("GET", server.discovery_url).json()
    assert document["jwks_uri"] == server.keys_url
    keys = jwt.PyJWKSet.from_dict(send("GET", document["jwks_uri"]).json())
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        [algorithm],
        audience=server.api_url,
        issuer=document["issuer"],
    )
    return claims


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_api_can_verify_the_token(algorithm: str) -> None:
    """The keys of the issuer verify signature, issuer and audience; the claims say whose it is."""
    with AuthorizationServer(access_token_algorithm=algorithm) as server:
        token = service(server).json()["access_token"]
        claims = verified(server, token, algorithm)
        assert (claims["client_id"], claims["sub"]) == ("robot", "service-account-robot")
        assert claims["exp"] - claims["iat"] == 300
        assert claims["scope"] == "openid profile email"
        assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
        of_ada = verified(server, login(server).json()["access_token"], algorithm)
        assert (of_ada["sub"], of_ada["preferred_username"]) == ("ada", "ada")
        assert of_ada["jti"] != claims["jti"]


def test_everything_else_is_as_with_opaque_tokens() -> None:
    """They are numbered, expire by the server's clock, and can be revoked."""
    with AuthorizationServer(access_token_algorithm="ES256") as server:
        with VathosSession(**server.service_account) as session:
            assert session.get("products").json()["token_number"] == 1
            server.revoke_access_tokens()
            assert session.get("products").json()["token_number"] == 2
            server.advance(301)
            assert session.get("products").json()["token_number"] == 3
        assert server.number(server.issued[-1]) == 3


def test_keys_rotate() -> None:
    """A new key signs; old tokens stay good if the old key stays published, and only then."""
    with AuthorizationServer(access_token_algorithm="ES256") as server:
        with VathosSession(**server.service_account) as session:
            session.get("products")
            server.rotate_access_token_key()
            first = server.issued[0]
            assert verified(server, first)["jti"].startswith("access-token-1-")
            assert session.get("products").json()["token_number"] == 1
            server.rotate_access_token_key(keep_old=False)
            assert session.get("products").json()["token_number"] == 2
        assert verified(server, server.issued[1])["client_id"] == "robot"
        with pytest.raises(KeyError):
            verified(server, first)


def test_opaque_tokens_have_no_keys() -> None:
    """By default there is nothing to verify, and an unknown algorithm is refused."""
    with AuthorizationServer() as server:
        assert send("GET", server.keys_url).json() == {"keys": []}
        assert service(server).json()["access_token"].startswith("access-token-1-")
    with pytest.raises(ValueError, match="there is no algorithm 'HS256', only ES256, RS256"):
        AuthorizationServer(access_token_algorithm="HS256")
