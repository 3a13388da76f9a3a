"""Signed JWTs (RFC 7515, 7517, 7519): keys, signatures, and what a JWT says.

PyJWT and cryptography are loaded when the first key is made or the first signature checked: the
server needs nothing but oauthlib otherwise.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "ALGORITHMS",
    "SigningKey",
    "SigningKeys",
    "claims_of",
    "header_of",
    "need_jwt",
    "signed_by",
]

ALGORITHMS = (
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "PS256",
    "PS384",
    "PS512",
    "RS256",
    "RS384",
    "RS512",
)
"""What an assertion may be signed with: public keys only (RFC 8725 §3.1)."""


def need_jwt() -> Any:
    """Imports PyJWT, with cryptography below it; an `ImportError` says how to install them."""
    try:
        import cryptography  # noqa: F401, PLC0415 - PyJWT knows no public keys without it
        import jwt  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImportError(
            "JWTs (client assertions, workload tokens) need the packages PyJWT and cryptography: "
            "pip install 'PyJWT>=2.10' 'cryptography>=43'"
        ) from None
    return jwt


class SigningKey:
    """A key of an issuer, for ES256 or RS256."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self._jwt = need_jwt()
        self._algorithm = algorithm
        from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - an extra

        self._private: Any
        if algorithm == "RS256":
            self._private = rsa.generate_private_key(65537, 2048)
            writer = self._jwt.algorithms.RSAAlgorithm
        else:
            self._private = ec.generate_private_key(ec.SECP256R1())
            writer = self._jwt.algorithms.ECAlgorithm
        self._name = secrets.token_hex(8)
        public = writer.to_jwk(self._private.public_key(), as_dict=True)
        self.public = {**public, "kid": self._name, "use": "sig", "alg": algorithm}

    def sign(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """Writes a JWT with these claims."""
        headers = {"kid": self._name, "typ": kind}
        signed: str = self._jwt.encode(dict(claims), self._private, self._algorithm, headers)
        return signed


class SigningKeys:
    """The keys of an issuer, the newest first; made when they are first needed."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self._algorithm = algorithm
        self._lock = threading.Lock()  # guards _keys
        self._keys: list[SigningKey] = []

    def newest(self) -> SigningKey:
        """Returns the key that signs."""
        return self._all()[0]

    def public(self) -> list[dict[str, Any]]:
        """Lists the public keys (JWK)."""
        return [dict(key.public) for key in self._all()]

    def rotate(self, *, keep_old: bool) -> None:
        """Signs with a new key from now on; an old key that is kept still verifies."""
        old, new = self._all(), SigningKey(self._algorithm)
        with self._lock:
            self._keys = [new, *old] if keep_old else [new]

    def _all(self) -> list[SigningKey]:
        with self._lock:
            if not self._keys:
                self._keys = [SigningKey(self._algorithm)]
            return list(self._keys)


def claims_of(token: str) -> Mapping[str, Any]:
    """Reads what a JWT says, without checking the signature; a `ValueError` if it is none."""
    return _part(token, 1)


def header_of(token: str) -> Mapping[str, Any]:
    """Reads the header of a JWT; a `ValueError` if it is none."""
    return _part(token, 0)


def _part(token: str, place: int) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature (RFC 7515 §3.1)
        raise ValueError("not a JWT")
    text = parts[place]
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("not a JWT") from None
    if not isinstance(value, dict):
        raise ValueError("not a JWT")  # noqa: TRY004 - it is what was sent
    return value


def signed_by(token: str, keys: Iterable[Mapping[str, Any]]) -> bool:
    """Tells whether one of these public keys (JWK) verifies the signature of a JWT."""
    jwt = need_jwt()
    name = header_of(token).get("kid")
    known = list(keys)
    # A key that is named must be the one; a token without a name may be of any.
    named = [key for key in known if name is None or key.get("kid") in (None, name)]
    for key in named:
        try:
            jwt.api_jws.decode(token, jwt.PyJWK(dict(key)), algorithms=list(ALGORITHMS))
        except jwt.PyJWTError:
            continue
        return True
    return False
