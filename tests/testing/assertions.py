"""A client with a key of its own, that signs assertions as RFC 7523 §2.2 says, with plain PyJWT."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.testing.plain import send
from vathos.testing import AuthorizationServer

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Robot:
    """A robot with a key.

    Attributes:
        jwks: What it gives to the administrator.
    """

    def __init__(self, name: str = "robot-key") -> None:
        self.name = name
        self.change_key()

    def change_key(self) -> None:
        """Makes a new key."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        # The key's name is its thumbprint (RFC 7638).
        text = json.dumps(dict(sorted(public.items())), separators=(",", ":"))
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        self._kid = digest.rstrip(b"=").decode()
        self.jwks = {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "ES256"}]}

    def write(self, path: Path) -> Path:
        """Writes the private key as `vathos keygen` does: PEM, for this user only."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.touch(mode=0o600)
        path.write_bytes(pem)
        return path

    def assertion(self, audience: Any, **claims: Any) -> str:
        """Signs an assertion; a claim that is `None` is left out."""
        now = int(time.time())
        said = {
            "iss": self.name,
            "sub": self.name,
            "aud": audience,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
            **claims,
        }
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, self._key, "ES256", {"kid": self._kid})


def present(server: AuthorizationServer, assertion: str, **form: str) -> requests.Response:
    """Sends a token request with an assertion."""
    data = {
        "grant_type": "client_credentials",
        "client_assertion": assertion,
        "client_assertion_type": TYPE,
        **form,
    }
    return send("POST", server.token_url, data=data)
