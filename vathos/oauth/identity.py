"""The identity of a token: the one key of its store entry, its lock and its renewal.

It covers everything that decides which token the server gives, and the secrets too: with a wrong
password nobody finds the token that was obtained with the right one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from vathos.grants import Grant, Secret
from vathos.oauth.client_authentication import client_of
from vathos.system.bounded import Bounded
from vathos.system.forks import ForkSafeLock
from vathos.system.late_errors import configuration_error

__all__ = ["Credentials", "Identity", "SharedKeys", "identifier", "identity_of"]

# Known to this process only, so that a key that leaks says nothing about the secrets in it.
_PROCESS_SALT = os.urandom(32)

_MOST_FORMER = 8


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """The names of an identity for stores, the same in every process and on every machine.

    Both are derived from all parts, secrets included, through scrypt (RFC 7914), so that whoever
    reads a store can test guessed secrets only slowly.
    """

    name: str  # of the entry: the public name, and a hash of all parts
    sealing: bytes = field(repr=False)  # 32 bytes to encrypt with; they do not follow from the name


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is."""

    name: str  # short hash of the public parts; safe to log, the same in every process
    key: str = field(repr=False)  # hash of all parts, salted by this process; for memory only
    _public: tuple[str, ...] = field(default=(), repr=False, compare=False)
    _secrets: tuple[Secret, ...] = field(default=(), repr=False, compare=False)
    evidence: str = field(default="", repr=False, compare=False)
    """Hash of what is presented beside the secrets, such as an assertion that rotates."""
    can_seal: bool = field(default=True, repr=False, compare=False)
    """Whether `shared.sealing` comes from a secret that is as strong as a key."""

    @property
    def presented(self) -> str:
        """What a refusal is remembered of: another assertion of this identity is another try."""
        return f"{self.key} {self.evidence}" if self.evidence else self.key

    @property
    def shared(self) -> SharedKeys:
        """Its names in a store that others can read; computed once, in 0.1 s and 32 MiB."""
        if found := _stretched.get(self.key):
            return found
        with _guard.lock:
            found = _stretched.get(self.key)
            if found is None:
                found = _stretched[self.key] = _stretch(self)
            return found

    def fingerprint(self, key: bytes) -> str:
        """Returns a hash of all parts; with its key, guessed secrets can be tested quickly."""
        parts = [*self._public, *(secret.reveal() for secret in self._secrets)]
        return hashlib.blake2b(_framed(parts), key=key, digest_size=16).hexdigest()


def identifier(issuer: str | None, token_url: str) -> str:
    """Names the authorization server in an identity: a URL is either issuer or token endpoint."""
    return token_url if issuer is None else f"issuer {issuer}"


def identity_of(token_url: str, grant: Grant) -> Identity:
    """Computes the identity of the token that a grant obtains.

    Any other token URL, client, grant type, user, scope set, audience, extra parameter or secret
    gives another one.
    """
    client = client_of(grant)
    public = (*_public(token_url, grant), *client.public)
    kept = () if grant.store_key is None else (grant.store_key,)
    secrets = tuple(Secret(secret.reveal()) for secret in (*grant.secrets, *kept))
    parts = _framed([*public, *(secret.reveal() for secret in secrets)])
    key = hashlib.blake2b(parts, key=_PROCESS_SALT, digest_size=32)
    evidence, can_seal = client.evidence, grant.can_seal
    return Identity(_name(public), key.hexdigest(), public, secrets, evidence, can_seal)


_stretched: Bounded[str, SharedKeys] = Bounded()
_guard = ForkSafeLock()  # has threads wait for the one that computes


def _stretch(identity: Identity) -> SharedKeys:
    # The salt keeps one table of guesses from serving for two identities; it must be the same
    # everywhere, so it comes from the public parts.
    public, secrets = identity._public, identity._secrets  # noqa: SLF001 - computed on its behalf
    salt = hashlib.blake2b(_framed(public), digest_size=16, person=b"vathos salt").digest()
    master = _master(public, secrets, salt)
    if master is None:  # here, where no local variable holds a secret
        configuration_error(
            "this Python has no scrypt, perhaps as OpenSSL is in FIPS mode, so tokens can be kept "
            "in memory only: use VATHOS_TOKEN_STORE=memory:"
        )
    name = hashlib.blake2b(master, digest_size=16, person=b"vathos name").hexdigest()
    sealing = hashlib.blake2b(master, digest_size=32, person=b"vathos sealing").digest()
    return SharedKeys(f"{identity.name}-{name}", sealing)


def _master(public: tuple[str, ...], secrets: tuple[Secret, ...], salt: bytes) -> bytes | None:
    parts = _framed([*public, *(secret.reveal() for secret in secrets)])
    try:
        return hashlib.scrypt(parts, salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=64)
    except (AttributeError, ValueError):
        return None


class Credentials:
    """A grant whose secrets may change, and the identity that changes with them."""

    def __init__(self, token_url: str, grant: Grant) -> None:
        self._token_url = token_url
        self.original = grant  # as it was given; its secrets may be callables
        self._name = _name(_public(token_url, grant))
        self._read: tuple[Grant, Identity] | None = None
        self.former: list[Identity] = []  # of secrets that were read before, the last few

    @property
    def name(self) -> str:
        """The name of the identity; until the secrets are read, by what is known without them."""
        return self._read[1].name if self._read else self._name

    @property
    def key(self) -> Hashable:
        """What is equal for all who were given the same, so that they may share a renewal."""
        try:
            hash(self.original)
        except TypeError:  # a callable that cannot be hashed
            return id(self.original)
        return self._token_url, self.original

    @property
    def is_read(self) -> bool:
        """Whether the secrets have been read before."""
        return self._read is not None

    @property
    def grant(self) -> Grant:
        """The grant with its secrets as they were last read."""
        return (self._read or self.read())[0]

    @property
    def identity(self) -> Identity:
        """The identity of the secrets that were last read."""
        return (self._read or self.read())[1]

    def read(self) -> tuple[Grant, Identity]:
        """Reads the secrets anew; returns the grant, and another identity if one has changed."""
        grant = self.original.settled()
        if self._read is None or grant != self._read[0]:
            if self._read is not None:
                self.former = [*self.former, self._read[1]][-_MOST_FORMER:]
            self._read = grant, identity_of(self._token_url, grant)
        elif grant.client is not None:
            # Equal, and yet another: what a callable gave just now may be presented once.
            self._read = grant, self._read[1]
        return self._read

    def __getstate__(self) -> dict[str, object]:
        # An identity's key means nothing in another process.
        return {**self.__dict__, "_read": None, "former": []}


def _public(token_url: str, grant: Grant) -> tuple[str, ...]:
    parameters = [part for pair in sorted(grant.parameters.items()) for part in pair]
    return (
        token_url,
        grant.client_id,
        grant.grant_type,
        *_optional(grant.user),
        " ".join(sorted(set(grant.scope.split()))),
        *_optional(grant.audience),
        *parameters,
    )


def _name(public: tuple[str, ...]) -> str:
    return hashlib.blake2b(_framed(public), digest_size=6).hexdigest()


def _optional(value: str | None) -> tuple[str, ...]:
    # "absent" and "empty" are different identities.
    return ("0",) if value is None else ("1", value)


def _framed(parts: Iterable[str]) -> bytes:
    """Joins parts so that no two lists of parts give the same bytes."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
