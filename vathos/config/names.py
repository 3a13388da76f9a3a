"""All settings: what each is called and what kind of value it takes.

Each has one name: `token_url` is an argument, `VATHOS_TOKEN_URL` a variable, `vathos.token_url` a
file in `$CREDENTIALS_DIRECTORY`, `token_url = "…"` a line of a profile and `--token-url` an option.
A secret has no option for its value, but more places where it may be kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["KEYS", "PROOFS", "SECRETS", "Key", "misspelt", "profile_keys", "variable"]


class Key(NamedTuple):
    """A setting: its kind, and what it is in the words of `--help`."""

    kind: str
    """`text`, `secret`, `url`, `number`, `scope`, `store` or `path`."""
    about: str


KEYS = {
    "client_id": Key("text", "client identifier"),
    "client_secret": Key("secret", "client secret"),
    "client_assertion": Key("secret", "client assertion, in place of a secret"),
    "client_key_file": Key("path", "private key of the client, or folder of keys"),
    "client_key_id": Key("text", "name of that key at the server (kid)"),
    "username": Key("text", "user name of a person; a service account has none"),
    "password": Key("secret", "the person's password"),
    "issuer": Key("url", "URL of the realm; its discovery document names the token endpoint"),
    "token_url": Key("url", "URL of the token endpoint"),
    "base_url": Key("url", "base URL of the API"),
    "scope": Key("scope", "scope to ask for"),
    "audience": Key("text", "audience to ask for"),
    "client_authentication": Key(
        "text", "client_secret_post, client_secret_basic, private_key_jwt, tls_client_auth"
    ),
    "token_store": Key("store", "where tokens are kept: file:, file:/path, keyring:, redis://…"),
    "client_cert_file": Key("path", "certificate of the client, with its key"),
    "store_key_file": Key("path", "key to encrypt a shared store with, without a secret"),
    "ca_bundle": Key("path", "file with the CA certificates to trust, or system"),
    "timeout": Key("number", "seconds for each API request that names no timeout"),
    "token_timeout": Key("number", "seconds to wait for a token at most"),
}

SECRETS = tuple(name for name, key in KEYS.items() if key.kind == "secret")

PROOFS = ("client_secret", "client_assertion", "client_key_file", "client_key_signer")
"""Settings of which one proves who the client is (RFC 6749 §2.3); two are a mistake."""

SECRET_PLACES = ("file", "command", "keyring")
"""Ends of the keys by which a profile names the place of a secret, as `password_file`."""


def variable(name: str) -> str:
    """Returns the environment variable of a setting."""
    return f"VATHOS_{name.upper()}"


def misspelt(environ: Iterable[str]) -> list[tuple[str, str]]:
    """Returns the variables that look like misspelt settings, each with the one that was meant."""
    places = (f"{variable(name)}_{end}" for name in SECRETS for end in ("FILE", "COMMAND"))
    known = [*map(variable, KEYS), *places]
    known += ["VATHOS_PROFILE", "VATHOS_CONFIG"]
    unknown = sorted({name for name in environ if name.startswith("VATHOS_")} - {*known})
    if not unknown:
        return []
    from vathos.system.text import near_word  # noqa: PLC0415 - seldom

    near = [(name, near_word(name, known, cutoff=0.8)) for name in unknown]
    return [(name, meant) for name, meant in near if meant is not None]


def profile_keys() -> tuple[str, ...]:
    """Returns the keys that a profile may have: settings, and places of secrets."""
    places = [f"{secret}_{place}" for secret in SECRETS for place in SECRET_PLACES]
    return (*KEYS, *places)
