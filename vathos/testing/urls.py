"""The URLs of a server, laid out like a Keycloak realm, and which endpoint a path belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vathos.testing.accounts import GRANTS
from vathos.testing.signatures import ALGORITHMS

__all__ = ["Urls"]

_CONTROL = "/__vathos__/"
_ENDPOINTS = {"token": "/token", "revocation": "/revoke", "introspection": "/token/introspect"}


@dataclass(frozen=True, slots=True)
class Urls:
    """The URLs of one server, from its origin and the name of its realm."""

    origin: str
    realm: str
    mtls_origin: str = ""
    """Where clients show their certificates, if that is a place of its own."""

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 §2)."""
        return f"{self.origin}/auth/realms/{self.realm}"

    @property
    def discovery(self) -> str:
        """The URL of the discovery document."""
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def api(self) -> str:
        """The base URL of the protected API."""
        return f"{self.origin}/v1"

    @property
    def control(self) -> str:
        """The base URL of the control endpoint."""
        return f"{self.origin}{_CONTROL}".rstrip("/")

    @property
    def workloads(self) -> str:
        """The issuer identifier of workload tokens."""
        return f"{self.origin}/workloads"

    @property
    def workload_keys(self) -> str:
        """The URL of the keys that verify workload tokens (JWKS, RFC 7517)."""
        return f"{self.workloads}/keys"

    @property
    def keys(self) -> str:
        """The URL of the keys that verify access tokens (JWKS, RFC 7517)."""
        return f"{self.issuer}/protocol/openid-connect/certs"

    def is_of_keys(self, path: str) -> bool:
        """Tells whether a path is that of the keys."""
        return self.origin + path == self.keys

    @property
    def github(self) -> str:
        """The URL where a job asks for a workload token as in GitHub Actions."""
        # GitHub's has a query of its own, so that a client must add to it.
        return f"{self.workloads}/github?api-version=2.0"

    def endpoint(self, name: str) -> str:
        """Returns the URL of an OAuth endpoint."""
        return f"{self.issuer}/protocol/openid-connect{_ENDPOINTS[name]}"

    def find(self, path: str) -> str:
        """Returns the endpoint that a path belongs to, or `"unknown"`."""
        if path == "/v1" or path.startswith("/v1/"):
            return "api"
        url = self.origin + path
        issuer_path = self.issuer.removeprefix(self.origin)
        # RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID after it.
        places = (
            self.discovery,
            f"{self.origin}/.well-known/oauth-authorization-server{issuer_path}",
            f"{self.issuer}/.well-known/oauth-authorization-server",
            self.keys,
        )
        if url in places:
            return "discovery"
        if url in (f"{self.workloads}/.well-known/openid-configuration", self.workload_keys):
            return "workloads"
        if url == self.github.partition("?")[0]:
            return "github"
        return next((name for name in _ENDPOINTS if url == self.endpoint(name)), "unknown")

    @staticmethod
    def control_name(path: str) -> str | None:
        """Returns the last part of a path of the control endpoint, `None` for any other path."""
        return path.removeprefix(_CONTROL) if path.startswith(_CONTROL) else None

    def not_found(self, path: str) -> str:
        """Words the error of an unknown path as Keycloak does."""
        parts = path.split("/")
        if parts[1:3] == ["auth", "realms"] and parts[3:4] != [self.realm]:
            return "Realm does not exist"
        return "Unable to find matching target resource method"

    def document(self, methods: Iterable[str]) -> dict[str, object]:
        """Writes the discovery document (RFC 8414 §2), with these authentication methods."""
        known = list(methods)
        document: dict[str, object] = {
            "issuer": self.issuer,
            **self._endpoints(),
            "jwks_uri": self.keys,
            "grant_types_supported": list(GRANTS),
            "token_endpoint_auth_methods_supported": known,
            "revocation_endpoint_auth_methods_supported": known,
            "introspection_endpoint_auth_methods_supported": known,
        }
        if "private_key_jwt" in known:
            algorithms = list(ALGORITHMS)
            document["token_endpoint_auth_signing_alg_values_supported"] = algorithms
        if self.mtls_origin:
            # RFC 8705 §5: where to go with a certificate, instead of the endpoints above.
            document["mtls_endpoint_aliases"] = {
                name: url.replace(self.origin, self.mtls_origin, 1)
                for name, url in self._endpoints().items()
            }
        return document

    def _endpoints(self) -> dict[str, str]:
        return {f"{name}_endpoint": self.endpoint(name) for name in _ENDPOINTS}
