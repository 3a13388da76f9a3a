"""Private keys of clients as files, and what is registered of them at a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from vathos.oauth.private_key import public_jwk

__all__ = ["KINDS", "write_key"]

KINDS: dict[str, Any] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def write_key(path: Path, private: Any = None, *, age: float = 0.0) -> dict[str, Any]:
    """Writes a key as PEM, `age` seconds ago, and returns its public JWK."""
    private = private or KINDS["ES256"]()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(0o600)
    path.write_bytes(pem)
    at = path.stat().st_mtime - age
    os.utime(path, (at, at))
    return public_jwk(private)
