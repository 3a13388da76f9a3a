"""The issuer of workload tokens: what a cluster or a CI system gives a job in place of a secret.

Its tokens name the job (`sub`) and the server they are for (`aud`). Their keys are published as a
cluster does it (discovery document and JWKS), and a job can ask for one as in GitHub Actions.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vathos.testing.accounts import same_secret
from vathos.testing.messages import Request, Response
from vathos.testing.signatures import SigningKeys
from vathos.testing.urls import Urls

__all__ = ["GITHUB_SUBJECT", "POD_SUBJECT", "Workloads"]

POD_SUBJECT = "system:serviceaccount:picking:robot"
GITHUB_SUBJECT = "repo:example/picking:ref:refs/heads/main"

_GITHUB_LIFETIME = 300.0
_GITHUB_AUDIENCE = "https://github.com/example"


class Workloads:
    """Signs workload tokens and publishes the keys that verify them."""

    def __init__(self, urls: Urls, now: Callable[[], float]) -> None:
        self.issuer = urls.workloads
        self.request_token = secrets.token_urlsafe(24)
        self._urls = urls
        self._now = now
        self._keys = SigningKeys()

    def token(
        self, sub: str, aud: str | Sequence[str], lifetime: float, claims: Mapping[str, Any]
    ) -> str:
        """Issues one token; claims that are `None` are left out."""
        now = self._now()
        all_claims = {
            "iss": self.issuer,
            "sub": sub,
            "aud": aud,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime),
            "jti": secrets.token_hex(16),
            **claims,
        }
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return self._keys.newest().sign(kept)

    def rotate(self, *, keep_old: bool) -> None:
        """Signs with a new key from now on; an old key that is kept still verifies."""
        self._keys.rotate(keep_old=keep_old)

    def keys(self) -> list[dict[str, Any]]:
        """Lists the public keys, the newest first."""
        return self._keys.public()

    def answer(self, request: Request) -> Response:
        """Answers with the discovery document, the keys (RFC 7517), or as GitHub does a job."""
        try:
            if self._urls.find(request.path) == "github":
                return self._github(request)
            if self._urls.origin + request.path == self._urls.workload_keys:
                return Response.json({"keys": self.keys()})
        except ImportError as error:  # the extra is missing: say so to who asks
            return Response.json({"error": str(error)}, 501)
        return Response.json(
            {
                "issuer": self.issuer,
                "jwks_uri": self._urls.workload_keys,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        )

    def _github(self, request: Request) -> Response:
        if not same_secret(self.request_token, request.bearer_token or ""):
            return Response.json({"message": "The request token is missing or wrong"}, 401)
        audience = request.parameters.get("audience") or _GITHUB_AUDIENCE
        claims = {"repository": "example/picking", "ref": "refs/heads/main"}
        token = self.token(GITHUB_SUBJECT, audience, _GITHUB_LIFETIME, claims)
        return Response.json({"count": len(token), "value": token})
