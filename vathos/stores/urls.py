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
        return _opened.store_at(store)
    if isinstance(store, TokenStore):
        return store
    raise ConfigurationError(
        "store must be a TokenStore such as MemoryStore(), or a URL such as 'file:', not "
        f"{type(store).__name__}"
    )


class _Opened:
    """The stores that were opened by a URL, so that all who name one share it, and its renewals."""

    def __init__(self) -> None:
        self._stores: dict[str, TokenStore] = {}
        self._guard = ForkSafeLock()  # guards _stores

    def store_at(self, url: str) -> TokenStore:
        """Returns the store of a URL."""
        with self._guard.lock:
            if url not in self._stores:
                self._stores[url] = _open(url)
            return self._stores[url]


_opened = _Opened()


def _open(url: str) -> TokenStore:
    scheme = url.partition(":")[0].lower() if ":" in url else ""
    if scheme not in _SCHEMES:
        raise ConfigurationError(
            "store must be a TokenStore such as MemoryStore(), or a URL (also in "
            "VATHOS_TOKEN_STORE): memory:, file:, file:/path, keyring: or redis://host:port/db; "
            f"{_shown(url)!r} is neither"
        )
    return _SCHEMES[scheme](url)


def _memory(url: str) -> TokenStore:
    _require_bare(url)
    return process_store()


def _keyring(url: str) -> TokenStore:
    _require_bare(url)
    return KeyringStore()


def _require_bare(url: str) -> None:
    scheme, _, rest = url.partition(":")
    if rest:
        raise ConfigurationError(f"the store {scheme}: takes nothing after the colon")


def _shown(url: str) -> str:
    """Leaves out what may be a password: an unknown URL may have one before the @."""
    return url.partition(":")[0][:20] + ":…" if ":" in url else url[:20]


_SCHEMES: dict[str, Callable[[str], TokenStore]] = {
    "memory": _memory,
    "file": FileStore.at,
    "keyring": _keyring,
    "redis": RedisStore,
    "rediss": RedisStore,
}
