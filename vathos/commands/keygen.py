"""Make a private key for a client, and print the public key to register at the server.

The private key goes to a new file of mode 0600, for client_key_file (VATHOS_CLIENT_KEY_FILE). What
is printed is a JWK set (RFC 7517): give it to the administrator of the server. In Keycloak it is
"Signed JWT" as client authenticator, and the JWKS string of the client's keys. It needs the extra
jwt.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from vathos.cli import Parser
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.private_key import public_jwk
from vathos.system.extras import required
from vathos.system.files import write_private

__all__ = ["add_arguments", "run"]

_BITS = 3072
_CURVES = {"ES256": "SECP256R1", "ES384": "SECP384R1", "ES512": "SECP521R1"}
_KINDS = (*_CURVES, "EdDSA", "RS256")


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos keygen --out robot.pem > robot.jwks.json
  vathos keygen --out keys/2026.pem --algorithm RS256"""
    parser.add_argument("--out", required=True, metavar="FILE", help="file for the private key")
    parser.add_argument(
        "--algorithm",
        choices=_KINDS,
        default="ES256",
        help="what the key signs with (RFC 7518 §3.1); ES256 by default",
    )
    parser.add_argument("--replace", action="store_true", help="write over a key that is there")


def run(options: argparse.Namespace) -> int:
    path = Path(options.out)
    if not options.replace and os.path.lexists(path):
        raise CommandError(
            Exit.CONFIGURATION,
            f"{path} is there already; --replace writes over it, and what it was is lost",
        )
    private = _new_key(options.algorithm)
    reason = None
    try:
        _write(path, _pem(private), replace=options.replace)
    except OSError as error:
        reason = error.strerror
    if reason is not None:  # outside of the block: the error's frames hold the key
        raise CommandError(Exit.CONFIGURATION, f"{path} cannot be written: {reason}")
    print(json.dumps({"keys": [public_jwk(private)]}, indent=2))
    print(
        f"vathos: the private key is in {path}; register the public key above at the server, and "
        f"use client_key_file={str(path)!r}",
        file=sys.stderr,
    )
    return Exit.DONE


def _new_key(algorithm: str) -> Any:
    kinds = "cryptography.hazmat.primitives.asymmetric"
    if algorithm == "EdDSA":
        ed25519 = required(f"{kinds}.ed25519", "jwt", "keygen")
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "RS256":
        return required(f"{kinds}.rsa", "jwt", "keygen").generate_private_key(65537, _BITS)
    ec = required(f"{kinds}.ec", "jwt", "keygen")
    return ec.generate_private_key(getattr(ec, _CURVES[algorithm])())


def _pem(private: Any) -> str:
    formats = required("cryptography.hazmat.primitives.serialization", "jwt", "keygen")
    text: bytes = private.private_bytes(
        formats.Encoding.PEM, formats.PrivateFormat.PKCS8, formats.NoEncryption()
    )
    return text.decode("ascii")


def _write(path: Path, pem: str, *, replace: bool) -> None:
    if replace:
        write_private(path, pem)
        return
    # Another process may have made one since: then this is an error, and its key stays.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(pem)
