"""Token-caching session manager: a `requests` session that always has a valid access token."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vathos.auth import BearerAuth
    from vathos.authentication import get_client_token, get_service_account_token
    from vathos.errors import TokenRequestError, TokenResponseError, VathosError
    from vathos.grants import ClientCredentialsGrant, PasswordGrant
    from vathos.policy import RenewalPolicy
    from vathos.session import VathosSession
    from vathos.source import source
    from vathos.stores.base import TokenStore
    from vathos.stores.file import FileStore
    from vathos.stores.memory import MemoryStore
    from vathos.token_source import TokenSource
    from vathos.tokens import Token

__all__ = [
    "BearerAuth",
    "ClientCredentialsGrant",
    "FileStore",
    "MemoryStore",
    "PasswordGrant",
    "RenewalPolicy",
    "Token",
    "TokenRequestError",
    "TokenResponseError",
    "TokenSource",
    "TokenStore",
    "VathosError",
    "VathosSession",
    "get_client_token",
    "get_service_account_token",
    "source",
]

# Where each public name lives; imported when first asked for, so that `import vathos` is cheap.
_ROOMS = {
    "BearerAuth": "auth",
    "ClientCredentialsGrant": "grants",
    "FileStore": "stores.file",
    "MemoryStore": "stores.memory",
    "PasswordGrant": "grants",
    "RenewalPolicy": "policy",
    "Token": "tokens",
    "TokenRequestError": "errors",
    "TokenResponseError": "errors",
    "TokenSource": "token_source",
    "TokenStore": "stores.base",
    "VathosError": "errors",
    "VathosSession": "session",
    "get_client_token": "authentication",
    "get_service_account_token": "authentication",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs more than the rest of this file

        return version("vathos")
    if name == "source":  # a module that can be called, as it is once it has been imported
        return import_module("vathos.source")
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
