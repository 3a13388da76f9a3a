"""Files with keys: read only if they are closed to other users, and what is derived from a key.

Nothing here needs the package cryptography: an identity is computed without it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from binascii import Error, a2b_base64
from dataclasses import dataclass
from pathlib import Path

from vathos.grants import Secret
from vathos.system.files import read_ordinary, refuse_exposed
from vathos.system.late_errors import configuration_error

__all__ = ["StoreKeyFile", "derived", "key_paths", "private_key_bytes", "read_key"]

_LONGEST = 64 * 1024
_SHORTEST = 32


def read_key(path: str, setting: str) -> Secret:
    """Reads a file that holds a key; as text whose characters stand for bytes.

    `InsecureFileError` if other users can reach it. A file of root is what a container platform
    mounts; its mode is the platform's.
    """
    content, reason = Secret(""), None
    try:
        read, found = read_ordinary(path, _LONGEST, follow=True)
        content = Secret(read.decode("latin-1"))
        del read  # no local variable of an error's frames holds a key
    except OSError as error:
        reason = error.strerror
    if reason is not None:
        configuration_error(f"the file {path} ({setting}) cannot be read: {reason}")
    is_own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    refuse_exposed(
        Path(path),
        found,
        0o077 if is_own else 0o022,
        remedy="make one of your own",
        root_may_own=True,
        holding="holds a key and ",
    )
    return content


def key_paths(path: str, setting: str) -> list[str]:
    """Lists the keys of a folder, the newest first; of a file, itself."""
    if not os.path.isdir(path):
        return [path]
    found = []
    try:
        for name in os.listdir(path):
            file = os.path.join(path, name)
            if name.endswith(".pem") and not name.startswith(".") and os.path.isfile(file):
                found.append((os.stat(file).st_mtime_ns, file))
    except OSError as error:
        found, reason = [], error.strerror
    else:
        reason = "there is no file in it whose name ends in .pem"
    if not found:
        configuration_error(f"the folder {path} ({setting}) cannot be used: {reason}")
    return [file for _, file in sorted(found, reverse=True)]


def private_key_bytes(pem: Secret) -> bytes | None:
    """Returns the bytes of the private key in a PEM file; `None` if there is none to be read."""
    _, begin, rest = pem.reveal().partition("PRIVATE KEY-----")
    body, end, _ = rest.partition("-----END")
    if not begin or not end or "ENCRYPTED" in pem.reveal():
        return None
    try:
        return a2b_base64(body) or None
    except (Error, ValueError):
        return None


def derived(key: bytes, purpose: bytes) -> Secret:
    """Derives a secret of 32 bytes from a key by HKDF (RFC 5869), as text."""
    extracted = hmac.digest(b"vathos", key, hashlib.sha256)
    return Secret(hmac.digest(extracted, purpose + b"\x01", hashlib.sha256).hex())


@dataclass(frozen=True, slots=True)
class StoreKeyFile:
    """Reads a key for a store that encrypts; a private key serves as well as random bytes."""

    path: str

    def __call__(self) -> str:
        """Returns a secret that comes from the whole key."""
        content = read_key(self.path, "store_key_file")
        private = private_key_bytes(content)
        if private is None and len(content.reveal()) < _SHORTEST:
            configuration_error(
                f"the file {self.path} (store_key_file) holds less than {_SHORTEST} bytes: write "
                f"random ones (head -c {_SHORTEST} /dev/urandom > {self.path})"
            )
        key = private or content.reveal().encode("latin-1")
        return derived(key, b"vathos store").reveal()
