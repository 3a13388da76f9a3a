"""Client assertions that somebody else issues: files, commands, callables (RFC 7521 §4.2).

Such an assertion is a JWT of Kubernetes, of a CI system or of SPIFFE, and another one every few
minutes. So the identity holds issuer and subject, which stay the same, and never the assertion.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from binascii import Error, a2b_base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vathos.grants import Secret, SecretFields
from vathos.oauth.client_authentication import Occasion, Proof
from vathos.system.late_errors import configuration_error

if TYPE_CHECKING:
    from vathos.errors import TokenResponseError
    from vathos.system.clock import Instant

__all__ = ["Assertion", "assertion_fields", "claims_of", "header_of"]

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_LONGEST = 64 * 1024
"""Characters that an assertion may have."""

_AGE = 10.0
"""Seconds for which what was read for the identity may still be presented once."""

# What is new in each assertion of one issuer for one subject.
_PASSING = frozenset({"jti", "iat", "nbf", "exp"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that is read anew for each token request.

    Attributes:
        source: Reads it.
        place: What names its source, for messages.
        path: The file it is in, or `None`; a file is read again at no cost.
        public: Issuer and subject; what names the source if it is no JWT.
        evidence: Hash of what a refusal would be about.
    """

    source: Secret
    place: str
    path: str | None = None
    public: tuple[str, ...] = ()
    evidence: str = ""
    _reading: list[tuple[str, float]] = field(
        default_factory=list, compare=False, hash=False, repr=False
    )

    @property
    def label(self) -> str:
        """The setting it was made from."""
        return "client_assertion"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Nothing: what rotates can neither name an entry nor seal it."""
        return ()

    @property
    def seals(self) -> bool:
        """There is no secret."""
        return False

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        return (
            f"the client assertion ({self.place}) has expired, was used already, or is not one "
            "that the server takes for a client",
            "vathos doctor tells what is in it and what the server expects",
        )

    def settled(self) -> Assertion:
        """Reads it, for issuer and subject."""
        text = self._read().reveal()
        claims = claims_of(text)
        named = isinstance(claims.get("sub"), str)
        names = (str(claims.get("iss", "")), claims["sub"]) if named else self._source_names()
        # A file is presented again after a refusal as soon as anything in it has changed. What a
        # callable returns may change each time, and must not keep a refusal from being remembered.
        content = text if self.path is not None else _lasting(claims)
        return replace(
            self,
            public=("client_assertion", *names),
            evidence=hashlib.blake2b(content.encode(), digest_size=16).hexdigest(),
            _reading=[] if self.path is not None else [(text, time.monotonic())],
        )

    def prove(self, occasion: Occasion) -> Proof:
        """Reads it anew, unless it was read a moment ago for the identity."""
        assertion = self._once() or self._read().reveal()
        return Proof(assertion_fields(occasion.client_id, assertion), _NO_HEADER)

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:  # noqa: ARG002
        """Tells that there is no other way: another one is for its issuer to make."""
        return False

    def _read(self) -> Secret:
        text = Secret(self.source.reveal().strip())
        if flaw := _flaw(text):
            configuration_error(f"what {self.place} holds is {flaw}")
        return text

    def _once(self) -> str | None:
        """Returns what was read for the identity, to one caller, while it is new."""
        try:
            text, at = self._reading.pop()
        except IndexError:
            return None
        return text if time.monotonic() - at < _AGE else None

    def _source_names(self) -> tuple[str, ...]:
        return (os.path.abspath(self.path),) if self.path is not None else (self.place,)


def _flaw(text: Secret) -> str:
    """Says why text is no assertion; nothing if it may be one."""
    assertion = text.reveal()
    if len(assertion) > _LONGEST:
        return f"longer than {_LONGEST} characters"
    is_word = assertion.isascii() and assertion.isprintable() and " " not in assertion
    return "" if assertion and is_word else "no assertion: one word of plain text"


_NO_HEADER = SecretFields()


def assertion_fields(client_id: str, assertion: str) -> SecretFields:
    """Makes the form fields that present an assertion (RFC 7521 §4.2), with a client id if any."""
    fields = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    return SecretFields({**({"client_id": client_id} if client_id else {}), **fields})


def claims_of(assertion: str) -> dict[str, Any]:
    """Reads the claims of a JWT, whose signature is not checked; nothing of what is no JWT."""
    return _part(assertion, 1)


def header_of(assertion: str) -> dict[str, Any]:
    """Reads the header of a JWT; nothing of what is no JWT."""
    return _part(assertion, 0)


def _part(assertion: str, number: int) -> dict[str, Any]:
    parts = assertion.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature (RFC 7515 §3.1)
        return {}
    try:
        text = parts[number].translate(_URL_SAFE)
        value = json.loads(a2b_base64(text + "=" * (-len(text) % 4)))
    except (Error, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_URL_SAFE = str.maketrans("-_", "+/")


def _lasting(claims: dict[str, Any]) -> str:
    """Writes down what assertions of one source have in common, and whether this one has ended."""
    ends = claims.get("exp")
    ended = isinstance(ends, (int, float)) and ends < time.time()
    kept = {name: value for name, value in claims.items() if name not in _PASSING}
    return json.dumps([kept, ended], sort_keys=True)
