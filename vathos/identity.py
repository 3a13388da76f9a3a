"""The identity of a token: one key, computed in one place, for store, lock and single flight.

It covers everything that changes which token the server would give, and it is bound to the secrets:
whoever has the wrong password never finds the token that the right one bought.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from vathos.grants import Grant

__all__ = ["Identity", "identity_of"]

# Known to this process only, so that a key that leaks tells nothing about the secrets in it.
_PROCESS_SALT = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is.

    Attributes:
        name: Short hash of the public parts; safe to log, the same in every process.
        key: Hash of all parts, secrets included, under a salt of this process; for memory only.
    """

    name: str
    key: str = field(repr=False)


def identity_of(token_url: str, grant: Grant) -> Identity:
    """Computes the identity of the token that a grant buys.

    Args:
        token_url: URL of the token endpoint.
        grant: The grant that buys the token.

    Returns:
        The identity. Any other token URL, client, grant type, user, scope set, audience, extra
        parameter or secret gives another one.
    """
    parameters = [part for pair in sorted(grant.parameters.items()) for part in pair]
    public = (
        token_url,
        grant.client_id,
        grant.grant_type,
        *_optional(grant.user),
        " ".join(sorted(set(grant.scope.split()))),
        *_optional(grant.audience),
        *parameters,
    )
    secrets = [secret.reveal() for secret in grant.secrets]
    name = hashlib.blake2b(_framed(public), digest_size=6).hexdigest()
    key = hashlib.blake2b(_framed([*public, *secrets]), key=_PROCESS_SALT, digest_size=32)
    return Identity(name=name, key=key.hexdigest())


def _optional(value: str | None) -> tuple[str, ...]:
    # "absent" and "empty" are different identities.
    return ("0",) if value is None else ("1", value)


def _framed(parts: Iterable[str]) -> bytes:
    """Joins parts so that no two lists of parts give the same bytes."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
