"""Access tokens that are JWTs (RFC 9068), and the keys by which an API verifies them (RFC 7517).

The claims are those of Keycloak where it has some: `azp`, `preferred_username`, `typ`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vathos.testing.dialects import Rules
from vathos.testing.messages import Response
from vathos.testing.signatures import SigningKeys
from vathos.testing.urls import Urls

__all__ = ["ACCESS_TOKEN_ALGORITHMS", "SignedTokens"]

ACCESS_TOKEN_ALGORITHMS = ("ES256", "RS256")


class SignedTokens:
    """Writes access tokens as JWTs, and publishes the keys that verify them."""

    def __init__(self, rules: Rules, urls: Urls, now: Callable[[], float]) -> None:
        self._rules = rules
        self._urls = urls
        self._now = now
        self.keys = SigningKeys(rules.access_token_algorithm or ACCESS_TOKEN_ALGORITHMS[0])

    def write(self, name: str, request: Any) -> str:
        """Writes the access token that a request is granted; `name` becomes its `jti`."""
        client_id = request.client.client_id
        claims = {
            "iss": self._urls.issuer,
            "sub": request.user or f"service-account-{client_id}",
            "aud": self._urls.api,
            "exp": int(self._now() + self._rules.access_token_lifetime),
            "iat": int(self._now()),
            "jti": name,
            "client_id": client_id,
            "azp": client_id,
            "typ": "Bearer",
            "preferred_username": request.user or f"service-account-{client_id}",
            "scope": " ".join(request.scopes or ()),
        }
        return self.keys.newest().sign(claims, kind="at+jwt")

    def answer(self) -> Response:
        """Answers with the keys; there are none while access tokens are opaque."""
        is_opaque = self._rules.access_token_algorithm is None
        return Response.json({"keys": [] if is_opaque else self.keys.public()})
