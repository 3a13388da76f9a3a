"""Client assertions that the client signs itself: `private_key_jwt` (RFC 7523 §2.2).

The key is in a file, or in a chip that signs. A folder may hold several, so that a key is replaced
without an outage: the newest is presented first, an older one after `invalid_client`. A clock that
is wrong is repaired by the time that the server's refusal states.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from vathos.grants import Secret, SecretFields
from vathos.oauth.assertions import assertion_fields
from vathos.oauth.client_authentication import Occasion, Proof
from vathos.oauth.key_files import derived, key_paths, private_key_bytes, read_key
from vathos.system.extras import required
from vathos.system.late_errors import configuration_error
from vathos.system.logs import logger

if TYPE_CHECKING:
    from vathos.errors import TokenResponseError
    from vathos.system.clock import Instant

__all__ = ["PrivateKeyJwt", "Signer", "algorithm_for", "loaded_key", "public_jwk"]

log = logger("client")

_LIFE = 45
_BACKDATED = 15
"""Seconds before and after the present for which an assertion is good; together the 60 that
Keycloak allows. So a clock may be off by half a minute either way."""

_TOLERATED = 30.0
"""Seconds that our clock may differ from the server's before its time is used."""

_EXTRA = "jwt"


Signer: TypeAlias = Callable[[bytes], bytes]
"""Signs bytes: with an RSA key as RS256, with an EC key in DER or as a JWS has it."""


@dataclass(slots=True)
class _Memory:
    """What was learned from refusals, for the next renewals of the same client."""

    refused: dict[str, int] = field(default_factory=dict)  # by name of a key: in which order
    server: tuple[float, float] | None = None  # the server's time, and our boot clock then
    algorithm: str = ""  # of the chip
    number: count[int] = field(default_factory=lambda: count(1))

    def time(self, at: Instant) -> float:
        """The present as the server will see it."""
        if self.server is None:
            return at.wall
        wall, boot = self.server
        return wall + at.boot - boot


@dataclass(frozen=True, slots=True)
class _Key:
    """A private key as it is in its file."""

    path: str
    pem: Secret
    derived: Secret

    @property
    def name(self) -> str:
        """Tells keys apart in memory."""
        return self.derived.reveal()


@dataclass(frozen=True, slots=True)
class PrivateKeyJwt:
    """A key that only the client has.

    Attributes:
        path: PEM file, or folder of such files; `None` with a signer.
        key_id: The name of the key at the server (`kid`); by default its thumbprint (RFC 7638), and
            none with a signer.
        signer: Signs bytes in a chip; may have an attribute `algorithm` (RFC 7518 §3.1).
    """

    path: str | None = None
    key_id: str | None = None
    signer: Callable[[bytes], bytes] | None = None
    secrets: tuple[Secret, ...] = ()
    evidence: str = ""
    _keys: tuple[_Key, ...] = field(default=(), compare=False, repr=False)
    _tried: list[str] = field(default_factory=list, compare=False, repr=False)
    _memory: _Memory = field(default_factory=_Memory, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The setting it was made from."""
        return "client_key_file" if self.signer is None else "client_key_signer"

    @property
    def public(self) -> tuple[str, ...]:
        """That it is a key, and which one if it has a name."""
        return ("private_key_jwt", self.key_id or "")

    @property
    def seals(self) -> bool:
        """A key in a file is a secret; one in a chip cannot be read."""
        return self.path is not None

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        return (
            f"the server does not take the signature by {self.label} for this client",
            "compare the client's keys there with what vathos assertion prints",
        )

    def settled(self) -> PrivateKeyJwt:
        """Reads the keys; the newest belongs to the identity, and can seal what a store keeps."""
        if self.path is None:
            return replace(self, _tried=[])
        paths = key_paths(self.path, self.label)
        keys = [key for key in map(self._read, paths) if key is not None]
        if not keys:
            configuration_error(
                f"{paths[0]} ({self.label}) holds no private key in PEM without a pass phrase; "
                "vathos keygen --out makes one"
            )
        names = "".join(key.name for key in keys).encode()
        evidence = hashlib.blake2b(names, digest_size=16).hexdigest()
        secrets = (derived(keys[0].name.encode(), b"vathos identity"),)
        return replace(self, secrets=secrets, evidence=evidence, _keys=tuple(keys), _tried=[])

    def prove(self, occasion: Occasion) -> Proof:
        """Signs a new assertion."""
        from vathos.oauth.discovery import audience_of  # noqa: PLC0415 - loads the HTTP library

        audience = audience_of(occasion)
        seconds = int(self._memory.time(occasion.clock()))
        claims = {
            "iss": occasion.client_id,
            "sub": occasion.client_id,
            "aud": audience,
            "jti": os.urandom(16).hex(),
            "iat": seconds - _BACKDATED,
            "exp": seconds + _LIFE,
        }
        assertion = self._signed(claims).reveal()
        return Proof(assertion_fields(occasion.client_id, assertion), SecretFields())

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:
        """Has the clock repaired, or another key presented, each once in a renewal."""
        if refusal.error != "invalid_client":
            return False
        if "clock" not in self._tried and self._repairs_clock(refusal.date, at):
            self._tried.append("clock")
            return True
        if not self._keys:
            return False
        refused = self._order()[0]
        self._tried.append(refused.name)
        self._memory.refused[refused.name] = next(self._memory.number)
        left = [key for key in self._keys if key.name not in self._tried]
        if left:
            log.warning("the server refused the key in %s; another one is tried", refused.path)
        return bool(left)

    def _read(self, path: str) -> _Key | None:
        pem = read_key(path, self.label)
        content = private_key_bytes(pem)
        if content is None:
            log.warning("%s holds no private key that can be read, and is left out", path)
            return None
        return _Key(path, pem, derived(content, b"vathos key"))

    def _order(self) -> list[_Key]:
        """The newest first; last those that were refused, the latest refusal at the end."""
        refused = self._memory.refused
        left = [key for key in self._keys if key.name not in self._tried] or list(self._keys)
        return sorted(left, key=lambda key: refused.get(key.name, 0))

    def _repairs_clock(self, date: str | None, at: Instant) -> bool:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - after a refusal only

        try:
            # Half a second is what a header of whole seconds leaves out.
            told = parsedate_to_datetime(date or "").timestamp() + 0.5
        except (ValueError, TypeError, OverflowError):
            return False
        if abs(told - self._memory.time(at)) <= _TOLERATED:
            return False
        self._memory.server = told, at.boot
        log.warning(
            "this machine's clock is %.0f s %s the server's: client assertions are signed with "
            "the server's time",
            abs(told - at.wall),
            "behind" if told > at.wall else "ahead of",
        )
        return True

    def _signed(self, claims: dict[str, Any]) -> Secret:
        if (signer := self.signer) is not None:
            header = {"alg": self._algorithm(signer), "kid": self.key_id}
            return _jws(header, claims, lambda signed: _as_jws(_in_chip(signer, signed)))
        key = self._order()[0]
        private = loaded_key(key.pem, key.path)
        algorithm, jwk = algorithm_for(private), public_jwk(private)
        signs = required("jwt", _EXTRA, self.label).get_algorithm_by_name(algorithm).sign
        header = {"alg": algorithm, "kid": self.key_id or jwk["kid"]}
        return _jws(header, claims, lambda signed: signs(_bytes(signed), private))

    def _algorithm(self, signer: Signer) -> str:
        """Returns what a chip signs with; if it does not say so, it is seen once."""
        named = getattr(signer, "algorithm", None) or self._memory.algorithm
        if not named:
            named = self._memory.algorithm = _algorithm_of(_in_chip(signer, Secret("vathos")))
        return str(named)


def loaded_key(pem: Secret, path: str) -> Any:
    """Loads a private key by the package cryptography."""
    serialization = required(
        "cryptography.hazmat.primitives.serialization", _EXTRA, "client_key_file"
    )
    private = None
    with contextlib.suppress(Exception):  # what it says may quote the file
        private = serialization.load_pem_private_key(pem.reveal().encode("latin-1"), None)
    if private is None:
        configuration_error(f"{path} holds no private key that can be used (RSA, EC or Ed25519)")
    return private


def algorithm_for(private: Any) -> str:
    """Returns the algorithm (RFC 7518 §3.1) that a key signs with."""
    curve = getattr(getattr(private, "curve", None), "name", None)
    names = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
    if curve is not None:
        return names.get(curve) or configuration_error(f"keys on the curve {curve} cannot be used")
    if "ed25519" in type(private).__name__.lower():
        return "EdDSA"
    if not hasattr(private, "decrypt"):  # only RSA keys have it
        configuration_error(f"keys of the kind {type(private).__name__} cannot be used")
    return "RS256"


def public_jwk(private: Any) -> dict[str, Any]:
    """Writes the public key of a private one as a JWK (RFC 7517), named by its thumbprint."""
    algorithm = algorithm_for(private)
    kind = required("jwt", _EXTRA, "client_key_file").get_algorithm_by_name(algorithm)
    jwk = dict(kind.to_jwk(private.public_key(), as_dict=True))
    jwk = {name: jwk[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in jwk}
    text = json.dumps(jwk, sort_keys=True, separators=(",", ":"))  # RFC 7638 §3
    thumbprint = _base64url(hashlib.sha256(text.encode()).digest())
    return {**jwk, "kid": thumbprint, "use": "sig", "alg": algorithm}


def _jws(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[Secret], bytes]) -> Secret:
    """Writes a signed JWT (RFC 7515 §7.1)."""
    kept = {"typ": "JWT", **{name: value for name, value in header.items() if value}}
    signed = Secret(".".join(_base64url(json.dumps(part).encode()) for part in (kept, claims)))
    return Secret(f"{signed.reveal()}.{_base64url(sign(signed))}")


def _bytes(signed: Secret) -> bytes:
    return signed.reveal().encode()


def _in_chip(signer: Signer, signed: Secret) -> bytes:
    """Has a chip sign; its failure is an error of ours."""
    signature, reason = b"", None
    try:
        signature = signer(_bytes(signed))
    except Exception as error:  # noqa: BLE001 - a callable of the user's
        reason = f"raised {type(error).__name__}"
    else:
        if not isinstance(signature, bytes) or not signature:
            reason = f"returned {type(signature).__name__} instead of a signature"
    if reason is not None:  # here: the error's frames hold what was to be signed
        configuration_error(f"client_key_signer {reason}")
    return signature


def _as_jws(signature: bytes) -> bytes:
    """Writes an ECDSA signature as a JWS has it (RFC 7518 §3.4); another stays as it is."""
    numbers = _ecdsa_numbers(signature)
    if numbers is None:
        return signature
    size = _LENGTHS[_algorithm_of(signature)] // 2
    return b"".join(number.to_bytes(size, "big") for number in numbers)


def _ecdsa_numbers(signature: bytes) -> tuple[int, int] | None:
    """Reads the two numbers of an ECDSA signature in DER (RFC 3279 §2.2.3); `None` for another."""
    utils = required("cryptography.hazmat.primitives.asymmetric.utils", _EXTRA, "client_key_signer")
    try:
        numbers: tuple[int, int] = utils.decode_dss_signature(signature)
    except ValueError:
        return None
    return numbers


def _algorithm_of(signature: bytes) -> str:
    """Tells by a signature what it was made with: by its length, or by that of its numbers."""
    size = max(number.bit_length() for number in _ecdsa_numbers(signature) or (0,)) / 4
    size = size or len(signature)
    return next((name for name, longest in _LENGTHS.items() if size <= longest), "RS256")


_LENGTHS = {"ES256": 64, "ES384": 96, "ES512": 132}
"""Bytes of a signature at most."""


def _base64url(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii").translate(_URL_SAFE).rstrip("=")


_URL_SAFE = str.maketrans("+/", "-_")
