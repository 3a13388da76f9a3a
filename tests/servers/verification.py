"""Two ways in which a protected resource can tell whether a Bearer token is good."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any, Protocol

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from requests.adapters import HTTPAdapter

from tests.servers.admin import TIMEOUT
from tests.servers.realm import RESOURCE_ID, RESOURCE_SECRET, Realm

MANY_THREADS = 32


class Verifier(Protocol):
    """Tells what a token says."""

    def claims(self, token: str) -> dict[str, Any] | None:
        """Returns the claims of a token, or None if it is not good."""

    def close(self) -> None:
        """Lets go of connections."""


class Introspection:
    """Asks Keycloak about each token (RFC 7662), so that a revocation is seen at once."""

    def __init__(self, realm: Realm) -> None:
        self._url = realm.introspection_url
        self._session = _session(realm.verify)

    def claims(self, token: str) -> dict[str, Any] | None:
        """Returns the claims of a token, or None if Keycloak calls it inactive."""
        client = (RESOURCE_ID, RESOURCE_SECRET)
        answer = self._session.post(self._url, {"token": token}, auth=client, timeout=TIMEOUT)
        answer.raise_for_status()
        claims: dict[str, Any] = answer.json()
        return claims if claims["active"] else None

    def close(self) -> None:
        """Closes the connections to Keycloak."""
        self._session.close()


class PublishedKeys:
    """Checks the signature with the realm's published keys, without asking about the token.

    Keys are fetched when an unknown key id comes by, as resource servers do: a disabled key counts
    until `refetch`, and a revoked token counts until it expires.
    """

    def __init__(self, realm: Realm) -> None:
        self._issuer = realm.issuer
        self._url = realm.keys_url
        self._session = _session(realm.verify)
        self._lock = threading.Lock()
        self._keys: dict[str, RSAPublicKey] = {}  # replaced as a whole, under _lock

    def claims(self, token: str) -> dict[str, Any] | None:
        """Returns the claims of a token, or None if it is forged, expired or of another issuer."""
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
            if header["alg"] != "RS256":
                return None
            key = self._key(header["kid"])
            if key is None:
                return None
            key.verify(_decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
            good = claims["iss"] == self._issuer and claims["exp"] > time.time()
        except (InvalidSignature, ValueError, KeyError, TypeError):
            return None
        return claims if good else None

    def refetch(self) -> None:
        """Fetches the published keys anew."""
        with self._lock:
            answer = self._session.get(self._url, timeout=TIMEOUT)
            answer.raise_for_status()
            published = [key for key in answer.json()["keys"] if key["use"] == "sig"]
            self._keys = {key["kid"]: _public_key(key) for key in published}

    def close(self) -> None:
        """Closes the connections to Keycloak."""
        self._session.close()

    def _key(self, kid: str) -> RSAPublicKey | None:
        if kid not in self._keys:
            self.refetch()
        return self._keys.get(kid)


def _session(verify: str | bool) -> requests.Session:
    """Returns a session that keeps a connection for each thread of a busy resource."""
    session = requests.Session()
    session.trust_env = False
    session.verify = verify
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=MANY_THREADS))
    return session


def _decoded(part: str) -> bytes:
    """Returns the bytes behind one part of a JWT, which leaves the padding out."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _public_key(jwk: dict[str, str]) -> RSAPublicKey:
    """Returns the RSA key of one entry of a JWKS."""
    modulus, exponent = (int.from_bytes(_decoded(jwk[name])) for name in ("n", "e"))
    return RSAPublicNumbers(e=exponent, n=modulus).public_key()
