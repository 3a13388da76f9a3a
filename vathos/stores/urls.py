"""Opens the store that a URL names, as `VATHOS_TOKEN_STORE` and `--token-store` do.

| URL | store |
|---|---|
| `memory:` | the memory of this process |
| `file:` | files in the user's state folder |
| `file:/path` | files in this folder |
| `keyring:` | the keyring of the desktop |
| `redis://host:port/db`, `rediss://…` | Redis or Valkey, with `?prefix=` for the names of entries |
"""

from __future__ import annotations

from collections.abc import Callable

from vathos.errors import ConfigurationError
from vathos.stores.base import TokenStore
from vathos.stores.file import FileStore
from vathos.stores.keyring import KeyringStore
from vathos.stores.memory import process_store
from vathos.stores.redis import RedisStore
from vathos.system.forks import ForkSafeLock

__all__ = ["open_store"]


def open_store(store: TokenStore | str | None) -> TokenStore:
    """Opens the store that a URL names; the same URL gives the same store in one process.

    Args:
        store: A URL, a store (returned as it is), or `None` for the memory of this process.

    Returns:
        The store.

    Raises:
        ConfigurationError: If the URL names no store, or what the store needs is missing.
    """
    if store is None:
        return process_store()
    if isinstance(store, str):
        with _guard.lock:
            if store not in _opened:
                _opened[store] = _open(store)
            return _opened[store]
    if isinstance(store, TokenStore):
        return store
    raise ConfigurationError(
        "store must be a TokenStore such as MemoryStore(), or a URL such as 'file:', not "
        f"{type(store).__name__}"
    )


def _open(url: str) -> TokenStore:
    scheme, colon, rest = url.partition(":")
    if not colon or scheme.lower() not in _SCHEMES:
        # Left out is what may be a password: an unknown URL may have one before the @.
        shown = scheme[:20] + (":…" if colon else "")
        raise ConfigurationError(
            "store must be a TokenStore such as MemoryStore(), or a URL (also in "
            "VATHOS_TOKEN_STORE): memory:, file:, file:/path, keyring: or redis://host:port/db; "
            f"{shown!r} is neither"
        )
    if rest and scheme.lower() in {"memory", "keyring"}:
        raise ConfigurationError(f"the store {scheme}: takes nothing after the colon")
    return _SCHEMES[scheme.lower()](url)


_SCHEMES: dict[str, Callable[[str], TokenStore]] = {
    "memory": lambda _: process_store(),
    "file": FileStore.at,
    "keyring": lambda _: KeyringStore(),
    "redis": RedisStore,
    "rediss": RedisStore,
}

_opened: dict[str, TokenStore] = {}
"""The stores that were opened by a URL, so that all who name one share it, and its renewals."""

_guard = ForkSafeLock()  # guards _opened
