"""What proves who the client is (RFC 6749 §2.3, RFC 7521 §4.2), made anew for each request."""

from __future__ import annotations

import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote_plus

from vathos.grants import Grant, RefreshGrant, Secret, SecretFields
from vathos.system.late_errors import configuration_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vathos.errors import TokenResponseError
    from vathos.oauth.transport import Transport
    from vathos.system.clock import Instant

__all__ = [
    "SECRET_METHODS",
    "ClientAuthentication",
    "ClientSecret",
    "Occasion",
    "Proof",
    "TlsClientAuth",
    "client_of",
    "is_unicode",
    "secrets_sent",
]

SECRET_METHODS = ("client_secret_post", "client_secret_basic")
"""How a client secret is sent (§2.3.1): in the form, or in the Authorization header."""

_NOTHING = SecretFields()

_SHORTEST_PROOF = 64
"""Characters from which on a value that was sent may be an assertion."""


class Proof(NamedTuple):
    """What one token request carries to prove who the client is: in the form or in the header."""

    form: SecretFields
    headers: SecretFields


class Occasion(NamedTuple):
    """The token request that a proof is made for.

    Attributes:
        client_id: Client identifier; empty where the proof names the client.
        url: URL of the token endpoint, or of the issuer.
        issuer: URL of the issuer, or `None` if only the token endpoint was named.
        transport: How the server is reached.
        clock: Reads the present moment, by this machine's clock.
        deadline: When the proof must be there, on the clock of `time.monotonic`.
    """

    client_id: str
    url: str
    issuer: str | None
    transport: Transport
    clock: Callable[[], Instant]
    deadline: float


class ClientAuthentication(Protocol):
    """A way for a client to prove who it is.

    It is as the caller gave it until it is settled: then what belongs to the identity is read.
    """

    @property
    def label(self) -> str:
        """The setting it was made from, for messages."""
        ...

    @property
    def public(self) -> tuple[str, ...]:
        """What of it belongs to the identity and may be known; read by `settled`."""
        ...

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What of it belongs to the identity and to the sealing key, and is secret."""
        ...

    @property
    def seals(self) -> bool:
        """Whether a secret of it is good for the sealing key, all the time that it is used."""
        ...

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        ...

    @property
    def evidence(self) -> str:
        """A hash of what is presented now, beside the secrets; a refusal is remembered of it."""
        ...

    def settled(self) -> ClientAuthentication:
        """Reads now what the identity holds of it, which may have changed."""
        ...

    def prove(self, occasion: Occasion) -> Proof:
        """Makes the proof of one token request."""
        ...

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:
        """Tells, after a refusal, whether there is another way to prove it, to be tried at once."""
        ...


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret that client and server share (§2.3.1)."""

    secret: Secret
    method: str = SECRET_METHODS[0]

    @property
    def label(self) -> str:
        """The setting it was made from."""
        return "client_secret"

    @property
    def public(self) -> tuple[str, ...]:
        """Nothing: in the form and in the header it is the same client."""
        return ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secret."""
        return (self.secret,)

    @property
    def seals(self) -> bool:
        """Whoever has the secret may read what is sealed with it."""
        return True

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        check = "check VATHOS_CLIENT_ID and VATHOS_CLIENT_SECRET or the arguments"
        return "client id or client secret is wrong", check

    def settled(self) -> ClientSecret:
        """Reads the secret now."""
        return ClientSecret(Secret(self.secret.reveal()), self.method)

    @property
    def evidence(self) -> str:
        """Nothing beside the secret."""
        return ""

    def prove(self, occasion: Occasion) -> Proof:
        """Puts client id and secret into the form or the header, never into both."""
        client_id = occasion.client_id
        if not (is_unicode(client_id) and is_unicode(self.secret.reveal())):
            configuration_error("a credential cannot be written as UTF-8")
        secret = self.secret.reveal()  # only now, as an error tracker sends local variables
        if self.method == "client_secret_post":
            form = SecretFields({"client_id": client_id, "client_secret": secret})
            return Proof(form, SecretFields())
        # Form-urlencoded first, so that a colon in the client id survives.
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return Proof(SecretFields(), SecretFields({"Authorization": f"Basic {_base64(pair)}"}))

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:  # noqa: ARG002
        """Tells that there is no other way: there is one secret."""
        return False


@dataclass(frozen=True, slots=True)
class TlsClientAuth:
    """A certificate proves who the client is when the connection is made (RFC 8705 §2.1).

    Attributes:
        path: The file with the certificate.
        evidence: Hash of what is in it.
    """

    path: str
    evidence: str = ""

    @property
    def label(self) -> str:
        """The setting it was made from."""
        return "client_cert_file"

    @property
    def public(self) -> tuple[str, ...]:
        """The file: what is in it may change every hour."""
        return ("tls_client_auth", self.path)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Nothing: the key is replaced with the certificate."""
        return ()

    @property
    def seals(self) -> bool:
        """There is no secret that stays."""
        return False

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        return (
            f"the server does not take the certificate in {self.path} for this client",
            "compare its subject with the client's settings there, and see that it has not expired",
        )

    def settled(self) -> TlsClientAuth:
        """Reads the certificate, for what a refusal would be about."""
        content, reason = b"", None
        try:
            content = Path(self.path).read_bytes()
        except OSError as error:
            reason = error.strerror
        if reason is not None:
            configuration_error(f"the file {self.path} (client_cert_file) cannot be read: {reason}")
        return TlsClientAuth(self.path, hashlib.blake2b(content, digest_size=16).hexdigest())

    def prove(self, occasion: Occasion) -> Proof:
        """Names the client; the connection proves it."""
        return Proof(SecretFields({"client_id": occasion.client_id}), SecretFields())

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:  # noqa: ARG002
        """Tells that there is no other way: there is one certificate."""
        return False


def client_of(grant: Grant | RefreshGrant, method: str = SECRET_METHODS[0]) -> ClientAuthentication:
    """Returns what proves who the client of a grant is; a secret is sent by `method`."""
    if grant.client is not None:
        return grant.client
    secret = grant.client_secret
    return ClientSecret(secret if isinstance(secret, Secret) else Secret(secret or ""), method)


def secrets_sent(grant: Grant | RefreshGrant, sent: Mapping[str, str] = _NOTHING) -> set[str]:
    """Returns the secrets of a grant in all forms in which they are sent, and what else is secret.

    In the form that was sent an assertion is long; a short value, as of the name of a grant, is no
    secret.
    """
    secrets = {secret.reveal() for secret in grant.secrets}
    secrets |= {value for value in sent.values() if len(value) >= _SHORTEST_PROOF}
    quoted = {quote_plus(secret, errors="replace") for secret in secrets}
    pairs = {f"{quote_plus(grant.client_id, errors='replace')}:{secret}" for secret in quoted}
    return secrets | quoted | {_base64(pair) for pair in pairs}


def is_unicode(text: str) -> bool:
    """Tells whether text can be written as UTF-8."""
    # A surrogate stands for a byte that could not be decoded; the codec's own error would hold the
    # whole text.
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode("ascii")
